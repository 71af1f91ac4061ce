/** Looks at one node over IPv4 and IPv6. */
import { messageOf } from "../../clients/failure";
import { addressOf } from "../../config/cidr";
import { addressOfNode } from "../../config/node";
import { agentPort } from "../../config/portainer";
import type { Opened } from "../site/open";
import type { Result } from "../validate/row";
import { judgeSight, type Seen } from "./judge";
import { portsToTry } from "./ports";
import { readIpv6Addresses, readListening, type Looker } from "./sight";

/** What is looked at, and by whom. */
interface Subject {
  readonly name: string;
  readonly opened: Opened;
  readonly looker: Looker;
  /** Every port there is. */
  readonly all: boolean;
}

/** Rows of a node; of a family that could not be looked at, one with the reason. */
export async function probeNode(subject: Subject): Promise<Result[]> {
  const { name, opened } = subject;
  const node = opened.settings.nodes[name];
  if (!node) return [];
  const near = addressOfNode(node);
  const findIpv6 = async (): Promise<string> => {
    const declared = node.network.ipv6?.address;
    if (declared) return addressOf(declared);
    const [first] = await readIpv6Addresses(opened.shell(name), near);
    return first ?? "";
  };
  const { listening, missing } = await askListening(subject);
  const look = (family: Seen["family"], addressOf: () => Promise<string>): Promise<Result[]> =>
    lookAt(subject, { node, family, listening }, addressOf);
  return [
    ...missing,
    ...(await look("IPv4", () => Promise.resolve(near))),
    ...(await look("IPv6", findIpv6)),
  ];
}

/** What the node says it listens on. If it does not say, the other ports are tried all the same, and a row has the reason. */
async function askListening({
  name,
  opened,
}: Subject): Promise<{ listening: readonly number[]; missing: Result[] }> {
  try {
    return { listening: await readListening(opened.shell(name)), missing: [] };
  } catch (error) {
    const how = `${name} is asked over SSH`;
    const row = { node: name, id: "listening", title: "Ports it listens on", how };
    const reason = messageOf(error);
    return {
      listening: [],
      missing: [{ ...row, threshold: "are tried", reason, state: "not measured" }],
    };
  }
}

async function lookAt(
  { name, opened, looker, all }: Subject,
  { node, family, listening }: Pick<Seen, "node" | "family"> & { listening: readonly number[] },
  addressOf: () => Promise<string>,
): Promise<Result[]> {
  const base = { node: name, how: `connections from ${looker.name}` };
  const missing = { ...base, id: family.toLowerCase(), title: family, threshold: "is looked at" };
  try {
    const address = await addressOf();
    if (address === "") return [{ ...missing, threshold: undefined, state: "not declared" }];
    const near = addressOfNode(node);
    const ports = portsToTry(node, all, listening);
    const sight = await looker.look({ address, near, ports, agentPort: agentPort(node) });
    const how = `${ports.length} ports of ${address}, from ${looker.name} at ${sight.from}`;
    const rows = judgeSight({ node, family, sight, published: opened.published(name) });
    return rows.map(({ holds, ...row }) => ({
      ...{ ...base, ...row, how },
      state: holds ? ("held" as const) : ("not held" as const),
    }));
  } catch (error) {
    return [{ ...missing, reason: messageOf(error), state: "not measured" }];
  }
}
