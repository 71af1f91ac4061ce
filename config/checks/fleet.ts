import { addressOf } from "../cidr";
import { addressOfNode } from "../node";
import { attempt } from "../partial";
import { keyText, type Problem } from "../problems";
import type { NodeConfig } from "../schema";
import { checkPeers } from "./peers";

type Nodes = Readonly<Record<string, NodeConfig>>;

/** Says that a value of a node, at a path below it, is not what is allowed. */
type Report = (node: string, path: string, value: unknown, allowed: string) => void;

/** Looks at one node beside all of them. */
type Check = (name: string, node: NodeConfig, report: Report) => void;

/** Problems between nodes, each with the node that comes later. */
export function checkFleet(nodes: Nodes): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (node, path, value, allowed) => {
    problems.push({ path: ["nodes", node, ...path.split("/")], value, allowed });
  };
  const checks = [
    primaries(nodes),
    own("machine/vmId", vmId),
    own("network/address", address),
    own("portainer/environment/name", environment),
    peers(nodes),
    images(),
  ];
  for (const [name, node] of Object.entries(nodes)) {
    for (const check of checks) {
      attempt(() => {
        check(name, node, report);
      });
    }
  }
  return problems;
}

/** What a node has to have for itself, and as what it is compared. */
type Claim = (node: NodeConfig) => readonly [value: unknown, as: unknown];

const vmId: Claim = ({ machine }) => [machine.vmId, machine.vmId];
const environment: Claim = (node) => {
  const name = node.portainer?.environment?.name;
  return [name, name];
};
const address: Claim = ({ network }) => [network.address, addressOf(network.address)];

function own(path: string, claim: Claim): Check {
  const owners = new Map<unknown, string>();
  return (name, node, report) => {
    const [value, as] = claim(node);
    if (as === undefined) return;
    const owner = owners.get(as);
    if (owner === undefined) owners.set(as, name);
    else report(name, path, value, `a value of its own; ${keyText(owner)} has this one`);
  };
}

function primaries(nodes: Nodes): Check {
  const names = Object.keys(nodes);
  const allowed = `a node of this stack (${names.map(keyText).join(", ")}), or { address, port } of one elsewhere`;
  return (name, { primary }, report) => {
    if (typeof primary === "string" && !names.includes(primary))
      report(name, "primary", primary, allowed);
  };
}

/** A primary that is named is reached at its address. */
function peers(nodes: Nodes): Check {
  const addressOfPrimary = ({ primary }: NodeConfig): string | undefined => {
    if (typeof primary === "object") return primary.address;
    const named = primary === undefined ? undefined : nodes[primary];
    return named && addressOfNode(named);
  };
  return (name, node, report) => {
    checkPeers(node, addressOfPrimary, (path, value, allowed) => {
      report(name, path, value, allowed);
    });
  };
}

/**
 * An image is known by its file name, also to Proxmox: under one name there is one content. Whether Proxmox nodes
 * share a datastore is not known here, so that its name counts, not where it is.
 */
function images(): Check {
  const first = new Map<string, readonly [name: string, url: string, sha256: string]>();
  return (name, { machine: { image, adopt } }, report) => {
    if (adopt || !image || !("url" in image)) return;
    const file = `${image.datastore}:${image.fileName}`;
    const [other, url, sha256] = first.get(file) ?? [name, image.url, image.sha256];
    first.set(file, [other, url, sha256]);
    if (url === image.url && sha256 === image.sha256) return;
    const from = `${url} with sha256 ${sha256}`;
    const allowed = `a name of its own, or the source that ${keyText(other)} declares for it: ${from}`;
    report(name, "machine/image/fileName", image.fileName, allowed);
  };
}
