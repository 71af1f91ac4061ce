/** What a host sees of a node, and from where. */
import { networkInterfaces } from "node:os";
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import { scanPorts, readFingerprint, findSource, type Answer } from "../../clients/network";
import { makeRunner } from "../../clients/process";
import type { NodeShell } from "../../clients/ssh";
import { contains } from "../../config/cidr";
import { scanHostKey } from "../import/inspect";
import { listeningSchema, openPorts } from "../site/listening";
import { spansOf } from "./ports";

/** What is asked of an address. */
export interface Question {
  /** Address of the node; of a link-local one without a zone. */
  readonly address: string;
  /** The node's IPv4 address: whoever is in its network is on its segment. */
  readonly near: string;
  readonly ports: readonly number[];
  /** Port of the Portainer agent, if there is one. */
  readonly agentPort?: number;
}

/** What was seen. */
export interface Sight {
  /** Address of the host that looked. */
  readonly from: string;
  readonly answers: ReadonlyMap<number, Answer>;
  /** The SSH host key, as type and base64. Undefined if none was told. */
  readonly hostKey?: string;
  /** SHA-256 of the agent's certificate. */
  readonly certificate?: string;
}

/** A host that looks. */
export interface Looker {
  readonly name: string;
  /** @throws Error when it cannot look there */
  readonly look: (question: Question) => Promise<Sight>;
}

const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address);

/** This machine. */
export const thisMachine: Looker = {
  name: "this machine",
  look: async ({ address, near, ports, agentPort }) => {
    const host = isLinkLocal(address) ? `${address}%${interfaceNear(near)}` : address;
    const from = await findSource(host);
    const answers = await scanPorts(host, ports);
    const isOpen = (port?: number): port is number =>
      port !== undefined && answers.get(port) === "open";
    return {
      ...{ from, answers },
      hostKey: isOpen(22) ? await readHostKey(host) : undefined,
      certificate: isOpen(agentPort) ? await readCertificate(host, agentPort) : undefined,
    };
  },
};

const targetAt = (host: string) => ({ user: "root", host, port: 22 });

/** The key of whatever answers at port 22; undefined if it tells none, which is a finding of its own. */
const readHostKey = (host: string): Promise<string | undefined> =>
  scanHostKey(targetAt(host), makeRunner(".")).catch(() => undefined);

const readCertificate = (host: string, port: number): Promise<string | undefined> =>
  readFingerprint(host, port).catch(() => undefined);

/** The interface on the segment of an address. */
function interfaceNear(near: string): string {
  const found = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some(({ family, cidr }) => family === "IPv4" && cidr && contains(cidr, near)),
  );
  if (found) return found[0];
  throw new Error("it has link-local addresses alone, and this machine is not on its segment");
}

const sight = z.object({
  from: z.string(),
  answers: z.record(z.string(), z.enum(["open", "refused", "silent"])),
  hostKey: z.string().nullable(),
  certificate: z.string().nullable(),
});

/** Another node of the stack. */
export function otherNode(name: string, shell: NodeShell): Looker {
  return {
    name,
    look: async ({ address, near, ports, agentPort }) => {
      const where = { HOST: address, NEAR: near, PORTS: spansOf(ports), AGENT_PORT: agentPort };
      const text = await shell.script("validation/scan", { ...where, LIMIT: 600 });
      const { from, answers, hostKey, certificate } = parseJson(sight, text, "validation/scan.sh");
      const byPort = Object.entries(answers).map(([port, one]) => [Number(port), one] as const);
      return {
        ...{ from, answers: new Map(byPort) },
        hostKey: hostKey ?? undefined,
        certificate: certificate ?? undefined,
      };
    },
  };
}

const addresses = z.object({ addresses: z.array(z.string()) });

/** IPv6 addresses of a node's NIC, as the node tells them: those that everybody can reach come before link-local ones. */
export async function readIpv6Addresses(shell: NodeShell, near: string): Promise<string[]> {
  const text = await shell.script("validation/addresses", { NEAR: near, LIMIT: 60 });
  const all = parseJson(addresses, text, "validation/addresses.sh").addresses;
  return [...all].sort((a, b) => Number(isLinkLocal(a)) - Number(isLinkLocal(b)));
}

const reach = z.object({ listening: listeningSchema });

/** TCP ports that a node says others may reach, if nothing filters them. */
export async function readListening(shell: NodeShell): Promise<number[]> {
  const text = await shell.script("validation/reach", { LIMIT: 60 });
  const { listening } = parseJson(reach, text, "validation/reach.sh");
  return openPorts(listening);
}
