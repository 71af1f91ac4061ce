import { EVERYWHERE, metricsAddress, monitoringPorts } from "../../monitoring";
import { addressOfNode, metricsPorts } from "../../node";
import { agentPorts } from "../../portainer";
import type { NodeConfig } from "../../schema";
import { namesOn, workloadsOf, type Named } from "../../workloads";
import type { Report } from "../report";

/** Networks have to be declared, and on each a name leads to one workload. */
export function checkNetworks(node: NodeConfig, report: Report): void {
  const owners = new Map<string, string>();
  const known = Object.keys(node.networks).join(", ") || "there is none";
  for (const [name, workload] of workloadsOf(node))
    for (const network of Object.keys(workload.networks)) {
      const path = `workloads/${name}/networks/${network}`;
      if (!(network in node.networks)) report(path, network, `a network of the node: ${known}`);
      for (const alias of namesOn(name, workload, network)) {
        const owner = owners.get(`${network} ${alias}`);
        if (owner === undefined) owners.set(`${network} ${alias}`, name);
        else report(`${path}/aliases`, alias, `names of its own; ${owner} has this one`);
      }
    }
}

const LOOPBACK = "127.0.0.1";

/** Ports have an address of the node and are taken once. They need a bridge: nothing is published from a macvlan or an ipvlan. */
export function checkPorts(node: NodeConfig, report: Report): void {
  const taken = ownPorts(node);
  const own = [addressOfNode(node), LOOPBACK];
  for (const one of workloadsOf(node)) {
    checkBridge(node, one, report);
    const [name, { ports }] = one;
    ports.forEach(({ address = addressOfNode(node), port, protocol }, index) => {
      const path = `workloads/${name}/ports/${index}`;
      const owner = taken.get(`${address} ${port}/${protocol}`);
      if (owner) report(`${path}/port`, port, `a free port of ${address}; ${owner} has this one`);
      taken.set(`${address} ${port}/${protocol}`, `workload ${name}`);
      if (!own.includes(address))
        report(`${path}/address`, address, `an address of the node: ${own.join(", ")}`);
    });
  }
}

/** Ports that the node itself has, and who has them. */
function ownPorts(node: NodeConfig): Map<string, string> {
  const address = addressOfNode(node);
  const measured = [...metricsPorts(node), ...monitoringPorts(node).map(({ port }) => port)];
  const own: [string, string][] = [
    [`${address} 22/tcp`, "sshd"],
    [`${LOOPBACK} 22/tcp`, "sshd"],
    ...measured.map((port): [string, string] => [`${address} ${port}/tcp`, "monitoring"]),
  ];
  // dockerd's metrics for the node itself; `metricsPorts` has those for other machines.
  const metrics = metricsAddress(node);
  if (metrics && [LOOPBACK, "localhost", ...EVERYWHERE].includes(metrics.host))
    own.push([`${LOOPBACK} ${metrics.port}/tcp`, "monitoring"]);
  for (const port of agentPorts(node)) own.push([`${address} ${port}/tcp`, "the Portainer agent"]);
  return new Map(own);
}

function checkBridge({ networks }: NodeConfig, [name, workload]: Named, report: Report): void {
  if (workload.ports.length === 0) return;
  const publishes = Object.keys(workload.networks).some((network) => {
    const declared = networks[network];
    return declared?.driver === "bridge" && !declared.internal;
  });
  if (!publishes)
    report(
      `workloads/${name}/networks`,
      Object.keys(workload.networks),
      "with ports, a bridge network among them that is not internal",
    );
}
