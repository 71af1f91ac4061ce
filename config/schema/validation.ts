import { z } from "zod";

const percent = z.number().min(1).max(99);

/** The limits of the specification (section 6), and the load under which they hold. */
export const DEFAULT_VALIDATION = {
  maxCpuPercent: 80,
  maxMemoryPercent: 80,
  maxDiskPercent: 80,
  maxLatencyMs: 10,
  minIops: 1000,
  load: { cpuPercent: 50, memoryPercent: 25 },
};

const usual = DEFAULT_VALIDATION;

/** `validation` of a node. */
export const validationSchema = z.strictObject({
  maxCpuPercent: percent
    .default(usual.maxCpuPercent)
    .describe("Highest processor use under the load."),
  maxMemoryPercent: percent
    .default(usual.maxMemoryPercent)
    .describe("Highest memory use under the load."),
  maxDiskPercent: percent
    .default(usual.maxDiskPercent)
    .describe(
      "Highest use of the file system that Docker's data is on: of its space, and of its inodes.",
    ),
  maxLatencyMs: z
    .number()
    .positive()
    .default(usual.maxLatencyMs)
    .describe("Longest time in milliseconds for 99 of 100 round trips between two containers."),
  minIops: z
    .number()
    .positive()
    .default(usual.minIops)
    .describe("Writes of 4 KiB per second that a volume has to sustain."),
  load: z
    .strictObject({
      cpuPercent: percent.default(usual.load.cpuPercent).describe("Percent of all processors."),
      memoryPercent: percent.default(usual.load.memoryPercent).describe("Percent of all memory."),
    })
    .default(usual.load)
    .describe("The load that is put on the node, in addition to what runs there."),
});
