/** Two nodes on one segment: the twin serves a page and names, the node finds both, and a third workload runs on either. */
import { join } from "node:path";
import { merge } from "../../config/load";
import type { Tree } from "../../config/tree";
import type { ImageReference } from "../../lab/images/layout";
import { buildScanner, seedScannable } from "../../lab/lib/scanner";
import { NETWORK, type Lab } from "../../lab/lib/services";
import { waiver } from "../support/settings";
import type { LabPortainer } from "./portainer";
import { secondNode } from "./second-node";
import { log } from "./support";

export const NODE = "proj-docker02";
export const PRIMARY = "proj-docker01";
export const ADDRESS = { [NODE]: "10.25.20.24", [PRIMARY]: "10.25.20.23" };
const DOMAIN = "research.example";
const REGISTRY = `${NETWORK.registry}:5000`;

/** What of the twin the node is let in to: SSH, the page of a workload, and names. */
const rules = ["22/tcp", "8080/tcp", "53/tcp", "53/udp"].map((one) => {
  const [port, proto] = one.split("/");
  return { port, proto, source: ADDRESS[NODE], comment: "the secondary" };
});

/** The first node, which lets the second one in. It is not backed up. */
export function twin(): unknown {
  const own = { backups: null, network: { firewall: { rules } } };
  return merge(secondNode.nodes[PRIMARY], own);
}

/** Makes the twin's systemd-resolved the segment's name server: it knows the twin's full name, from the hosts file. */
export const serveNames = `
  echo '${ADDRESS[PRIMARY]} ${PRIMARY}.${DOMAIN}' >>/etc/hosts
  printf '[Resolve]\\nDNSStubListenerExtra=${ADDRESS[PRIMARY]}\\n' >/etc/systemd/resolved.conf.d/50-segment.conf
  systemctl restart systemd-resolved`;

/** A workload that is healthy once this command says so. */
export function workload(image: ImageReference, command: string, healthy: string): Tree {
  const { repository, tag, digest } = image;
  return {
    image: `${REGISTRY}/${repository}:${tag}@${digest}`,
    command: ["sh", "-c", command],
    networks: { "development-secondary": {} },
    limits: { memoryMiB: 64, cpus: 0.5, processes: 32 },
    // Emulated, a check takes seconds.
    healthCheck: {
      command: ["sh", "-c", healthy],
      ...{ intervalSeconds: 5, timeoutSeconds: 60, retries: 30 },
    },
    ...{ readySeconds: 600, stopSeconds: 1 },
  };
}

const WAIT = "trap exit TERM; while :; do sleep 1; done";

/** A page on the twin, who reads it by its name on the node, and one that the program places. */
function workloads({ images: { busybox } }: Lab): Record<"page" | "reader" | "rover", Tree> {
  const page = "echo hello >/tmp/index.html; exec httpd -f -p 8080 -h /tmp";
  const read = (host: string): string => `wget -q -O - http://${host}:8080/ | grep -qx hello`;
  return {
    page: {
      ...workload(busybox, page, read("127.0.0.1")),
      ports: [{ port: 8080, containerPort: 8080 }],
    },
    reader: { ...workload(busybox, WAIT, read("page.internal")), reaches: ["page"] },
    rover: workload(busybox, WAIT, "true"),
  };
}

/** Limits that any host keeps: whether a busy one is fast enough is not what is tested. */
const EASY = {
  ...{ maxCpuPercent: 99, maxMemoryPercent: 95, maxDiskPercent: 95, maxLatencyMs: 60_000 },
  ...{ minIops: 1, load: { cpuPercent: 5, memoryPercent: 10 } },
};

/** What both nodes have in common here: Portainer, and scans by the lab's Trivy and database. */
async function commonParts(lab: Lab, folder: string, portainer: LabPortainer): Promise<Segment> {
  const program = join(await buildScanner(log), "trivy");
  const registry = { port: lab.registryPorts.plain, pid: 0 };
  const { database, vulnerable } = await seedScannable(registry, join(folder, "layouts"), log);
  const name = `${REGISTRY}/${database.repository}:${database.tag}`;
  const { url, caCertificate } = portainer;
  const endpoint = { host: "127.0.0.1", port: registry.port };
  const stack = {
    images: { scan: { program, javaDatabase: null, database: name } },
    registries: { [REGISTRY]: { endpoint } },
    portainer: { environment: { url, caCertificate } },
    validation: EASY,
  };
  return { stack, vulnerable };
}

interface Segment {
  /** The configuration. */
  readonly stack: Tree;
  /** An image with a grave vulnerability, in the lab's registry. */
  readonly vulnerable: ImageReference;
}

/** The stack of both. @param folder for images, while they are made */
export async function bothNodes(
  lab: Lab,
  folder: string,
  portainer: LabPortainer,
): Promise<Segment> {
  const { stack: common, vulnerable } = await commonParts(lab, folder, portainer);
  const { page, reader, rover } = workloads(lab);
  const names = {
    network: { searchDomain: DOMAIN },
    engine: { daemon: { dns: [ADDRESS[PRIMARY]] } },
  };
  const nodes = {
    [PRIMARY]: merge(merge(twin(), common), { workloads: { page } }),
    [NODE]: merge(merge(common, names), { primary: PRIMARY, workloads: { reader } }),
  };
  const waivers = ["page", "reader", "rover"].map((name) =>
    waiver("cis-docker-4.6", { container: name, reason: "the workload has a check of its own" }),
  );
  return { stack: { nodes, workloads: { rover }, waivers }, vulnerable };
}
