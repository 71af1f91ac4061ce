/** Rows with a figure: load, latency, writes, space. */
import { z } from "zod";
import { lanNetworks } from "../../../config/lan";
import { addressOfNode } from "../../../config/node";
import type { NodeConfig } from "../../../config/schema";
import type { Declared, Judgement, Row } from "../row";
import { LATENCY, type Latency, type Load, type Subject } from "../subject";

const LOAD =
  "/proc/stat and /proc/meminfo for 20 s while one container loads the declared share of processors and memory";

/** `what` is the one of the two that is judged. */
export function judgeLoad(what: "cpu" | "memory", limit: number, found: Load): Judgement {
  const { [what]: percent, processors, memoryMiB } = found;
  const load = what === "cpu" ? `${processors} processors` : `a load of ${memoryMiB} MiB`;
  return { holds: percent < limit, figure: `${percent} % (${load})` };
}

const describeLoad = ({ validation: { load } }: NodeConfig): string =>
  `under a load of ${load.cpuPercent} % CPU and ${load.memoryPercent} % memory`;

/** Processors in use while the load runs, in percent. */
export const cpu: Row = {
  id: "cpu",
  loads: true,
  title: "CPU under load",
  how: LOAD,
  threshold: ({ node }) => `< ${node.validation.maxCpuPercent} % ${describeLoad(node)}`,
  measure: async ({ node, load }) => judgeLoad("cpu", node.validation.maxCpuPercent, await load()),
};

/** Memory in use while the load runs, in percent. */
export const memory: Row = {
  id: "memory",
  loads: true,
  title: "Memory under load",
  how: LOAD,
  threshold: ({ node }) => `< ${node.validation.maxMemoryPercent} % ${describeLoad(node)}`,
  measure: async ({ node, load }) =>
    judgeLoad("memory", node.validation.maxMemoryPercent, await load()),
};

/** @param limit milliseconds that the 99th percentile must stay below */
export function judgeLatency(limit: number, { p50, p95, p99, max, rounds }: Latency): Judgement {
  const figure = `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, max ${max} ms (${rounds} rounds)`;
  return { holds: p99 < limit, figure };
}

const describeLimit = ({ node }: Declared): string => `p99 < ${node.validation.maxLatencyMs} ms`;

/** Milliseconds between two containers of the node. */
export const latency: Row = {
  id: "latency",
  title: "Latency on one node",
  how: "one byte there and back by TCP, between two containers of one bridge network",
  threshold: describeLimit,
  measure: async (subject) =>
    judgeLatency(subject.node.validation.maxLatencyMs, await subject.latency()),
};

interface Shared {
  readonly network: string;
  readonly peer: string;
  readonly peerNetwork: string;
}

/** A network on the LAN that another node of the stack is on too, its primary first. */
export function findSharedNetwork({ name, node, nodes }: Declared): Shared | undefined {
  const primary = typeof node.primary === "object" ? node.primary.address : undefined;
  const others = Object.entries(nodes).filter(([other]) => other !== name);
  others.sort(
    ([, a], [, b]) => Number(addressOfNode(b) === primary) - Number(addressOfNode(a) === primary),
  );
  for (const [peer, other] of others)
    for (const [network, { subnet, vlan }] of lanNetworks(node)) {
      const same = lanNetworks(other).find(([, it]) => it.subnet === subnet && it.vlan === vlan);
      if (same) return { network, peer, peerNetwork: same[0] };
    }
  return undefined;
}

const served = z.object({ address: z.string() });

async function measureAcross(subject: Subject): Promise<Latency> {
  // The threshold says that there is one.
  const { network, peer, peerNetwork } = findSharedNetwork(subject) as Shared;
  const file = "validation/latency";
  const { address } = await subject.script(
    served,
    file,
    { ACTION: "serve", NETWORK: peerNetwork },
    peer,
  );
  try {
    const ask = { ACTION: "ask", NETWORK: network, TARGET: address };
    return await subject.script(LATENCY, file, ask);
  } finally {
    await subject.script(z.object({}), file, { ACTION: "stop" }, peer);
  }
}

/** Milliseconds to a container of another node. */
export const acrossNodes: Row = {
  id: "latency-across",
  title: "Latency between nodes",
  how: "the same, between containers of two nodes on the macvlan or ipvlan network they share",
  threshold: (declared) => findSharedNetwork(declared) && describeLimit(declared),
  measure: async (subject) =>
    judgeLatency(subject.node.validation.maxLatencyMs, await measureAcross(subject)),
};

const written = z.object({ iops: z.number(), seconds: z.number(), tool: z.string() });

/** @param limit writes a second that must be exceeded */
export function judgeWrites(limit: number, found: z.output<typeof written>): Judgement {
  const { iops, seconds, tool } = found;
  return { holds: iops > limit, figure: `${iops} IOPS for ${seconds} s (${tool})` };
}

/** Writes a second to a Docker volume. */
export const writes: Row = {
  id: "iops",
  loads: true,
  title: "Writes to a volume",
  how: "4 KiB at random in 256 MiB, O_DIRECT, 8 at a time, in a container: fio, or python3 where there is none",
  threshold: ({ node: { validation } }) => `> ${validation.minIops} IOPS`,
  measure: async ({ node, script }) =>
    judgeWrites(node.validation.minIops, await script(written, "validation/disk")),
};

const space = z.object({
  percent: z.number(),
  /** Null where the file system has no fixed number of them. */
  inodes: z.number().nullable(),
  kinds: z.array(z.string()),
});

/** @param limit percent in use that bytes and inodes must stay below */
export function judgeSpace(limit: number, found: z.output<typeof space>): Judgement {
  const { percent, inodes, kinds } = found;
  const used = [`${percent} % used`, ...(inodes === null ? [] : [`${inodes} % of the inodes`])];
  const holds = percent < limit && (inodes ?? 0) < limit;
  return { holds, figure: [used.join(", "), ...kinds].join("; ") };
}

/** What is in use of the file system with Docker's data, in percent. */
export const diskSpace: Row = {
  id: "space",
  title: "Disk space of Docker",
  how: "df of Docker's data root, and docker system df",
  threshold: ({ node: { validation } }) => `< ${validation.maxDiskPercent} %, of the inodes too`,
  measure: async ({ node, script }) =>
    judgeSpace(node.validation.maxDiskPercent, await script(space, "validation/space")),
};
