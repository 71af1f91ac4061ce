import { z } from "zod";

const percent = z.number().min(1).max(99);

/** What the specification asks for (section 6), and the load it is asked for under. */
export const DEFAULT_VALIDATION = {
  maxCpuPercent: 80,
  maxMemoryPercent: 80,
  maxLatencyMs: 10,
  minIops: 1000,
  load: { cpuPercent: 50, memoryPercent: 25 },
};

const usual = DEFAULT_VALIDATION;

/** `validation` of a node. */
export const validationSchema = z.strictObject({
  maxCpuPercent: percent
    .default(usual.maxCpuPercent)
    .describe("Processors in use under the load, at most."),
  maxMemoryPercent: percent
    .default(usual.maxMemoryPercent)
    .describe("Memory in use under the load, at most."),
  maxLatencyMs: z
    .number()
    .positive()
    .default(usual.maxLatencyMs)
    .describe("Milliseconds that 99 of 100 round trips between two containers take at most."),
  minIops: z
    .number()
    .positive()
    .default(usual.minIops)
    .describe("Writes of 4 KiB a second that a volume has to sustain."),
  load: z
    .strictObject({
      cpuPercent: percent.default(usual.load.cpuPercent).describe("Of all processors."),
      memoryPercent: percent.default(usual.load.memoryPercent).describe("Of all memory."),
    })
    .default(usual.load)
    .describe("The load that is put on the node, on top of what runs there."),
});
