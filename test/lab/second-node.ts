import { merge } from "../../config/load";
import { stackFile } from "../support/settings";

const [first] = Object.values(stackFile("lab").nodes as Record<string, unknown>);

/**
 * An override for `openStack` that adds proj-docker01 to the lab: proj-docker02 with VM id and address of its twin,
 * 10.25.20.23. Both are on VLAN 20 and reach one another there; its macvlan hands out other addresses of VLAN 30.
 */
export const secondNode = {
  nodes: {
    "proj-docker01": merge(first, {
      machine: {
        vmId: 2014,
        description: "Docker host, primary node; managed by Pulumi (docker-node)",
      },
      network: { address: "10.25.20.23/24" },
      networks: { instruments: { range: "10.25.30.64/26", excluded: null } },
    }),
  },
};
