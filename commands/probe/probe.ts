/** Looks at one node over IPv4 and IPv6, at each address that it is declared to have. */
import { messageOf } from "../../clients/failure";
import { addressOf } from "../../config/cidr";
import { interfaceAt } from "../../config/lan";
import { addressOfNode } from "../../config/node";
import { agentPort } from "../../config/portainer";
import type { NodeConfig } from "../../config/schema";
import type { Opened } from "../site/open";
import type { Result } from "../validate/row";
import { idOf, judgeSight, titleOf, type Seen } from "./judge";
import { portsToTry } from "./ports";
import { readIpv6Addresses, readListening, type Looker } from "./sight";

/** What is looked at, and by whom. */
interface Subject {
  readonly name: string;
  readonly opened: Opened;
  readonly looker: Looker;
  /** Whether to try all 65 535 ports. */
  readonly all: boolean;
}

/** Rows of a node. A family that could not be looked at gets one row, with the reason. */
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
  const look = (place: Place, find: () => Promise<string>): Promise<Result[]> =>
    lookAt(subject, { node, listening, ...place }, find);
  const results = [
    ...missing,
    ...(await look({ family: "IPv4" }, () => Promise.resolve(near))),
    ...(await look({ family: "IPv6" }, findIpv6)),
  ];
  for (const { address, ...place } of furtherPlaces(node))
    results.push(...(await look(place, () => Promise.resolve(address))));
  return results;
}

/** An address of a node, as rows name it. */
type Place = Pick<Seen, "family" | "nic">;

/** The declared addresses of a node's further NICs. */
const furtherPlaces = ({ network: { nics } }: NodeConfig): (Place & { address: string })[] =>
  nics.flatMap(({ address, ipv6 }, index) => {
    const nic = interfaceAt(index + 1);
    const four = { family: "IPv4", nic, address: addressOf(address) } as const;
    return ipv6 ? [four, { family: "IPv6", nic, address: addressOf(ipv6.address) }] : [four];
  });

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
  { node, listening, ...place }: Pick<Seen, "node"> & Place & { listening: readonly number[] },
  find: () => Promise<string>,
): Promise<Result[]> {
  const base = { node: name, how: `connections from ${looker.name}` };
  const missing = { ...base, id: idOf(place), title: titleOf(place), threshold: "is looked at" };
  try {
    const address = await find();
    if (address === "") return [{ ...missing, threshold: undefined, state: "not declared" }];
    const near = addressOfNode(node);
    const ports = portsToTry(node, all, listening);
    const sight = await looker.look({ address, near, ports, agentPort: agentPort(node) });
    const how = `${ports.length} ports of ${address}, from ${looker.name} at ${sight.from}`;
    const rows = judgeSight({ node, ...place, sight, published: opened.published(name) });
    return rows.map(({ holds, ...row }) => ({
      ...{ ...base, ...row, how },
      state: holds ? ("held" as const) : ("not held" as const),
    }));
  } catch (error) {
    return [{ ...missing, reason: messageOf(error), state: "not measured" }];
  }
}
