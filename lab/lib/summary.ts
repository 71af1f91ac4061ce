/** Texts that the lab shows to a person. */
import type { Lab } from "./services";
import type { Contract } from "../../contract/schema";

/** Outputs after an update. */
export type NodeFacts = Contract["nodes"];

/** Says how to reach a running node. */
export function describeReach(lab: Lab, nodes: NodeFacts, dockerSocket: string): string {
  const lines = Object.entries(nodes).flatMap(([name, node]) => {
    const forward = lab.forwards[String(node.vmId)];
    return [
      "",
      `${name} (VM ${node.vmId}, ${node.address}) is up: Docker ${node.engineVersion}`,
      `  shell      npm run lab -- ssh`,
      `  docker     docker -H unix://${dockerSocket} info`,
      `  agent      curl -k -i https://127.0.0.1:${forward?.agent ?? 0}/ping`,
    ];
  });
  return [
    ...lines,
    "",
    `Proxmox API  ${lab.endpoint}  (${lab.apiToken.split("=")[0] ?? ""})`,
    ...standIns(lab),
    "",
    "Stop and remove it all: npm run lab -- down",
  ].join("\n");
}

/** Names everything that is simulated. */
function standIns(lab: Lab): string[] {
  const plugins = Object.entries(lab.pulumi.plugins).map(
    ([name, p]) => `${name} ${p.version} (${p.origin})`,
  );
  return [
    `Pulumi       ${lab.pulumi.version} (${lab.pulumi.origin}); plugins: ${plugins.join(", ")}`,
    `Guest        ${lab.image.os} (${lab.image.origin})`,
    "Simulated    the Proxmox API (fakepve, with QEMU behind it), the Portainer agent (a stand-in that answers /ping),",
    "             and Proxmox Backup Server with its client (stand-ins that speak its protocol)",
  ];
}
