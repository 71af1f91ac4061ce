/** Changes of configuration whose previews are kept as fixtures, by name. */

const NODE = "proj-docker02";

/** A configuration to merge over the lab's, or what else makes the scenario. */
export interface Scenario {
  /** Merged into the node's configuration. */
  readonly node?: Record<string, unknown>;
  /** Preview a stack that has nothing yet. */
  readonly empty?: boolean;
  /** Give the Portainer agent another secret. */
  readonly rotate?: boolean;
}

const daemonScenario = (keys: Record<string, unknown>): Scenario => ({
  node: { engine: { daemon: keys } },
});

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  create: { empty: true },
  "no-change": {},
  "daemon-reload": daemonScenario({ "max-concurrent-downloads": 8 }),
  "daemon-restart": daemonScenario({
    "default-ulimits": { nofile: { Name: "nofile", Soft: 32768, Hard: 65536 } },
  }),
  "hide-existing": {
    node: {
      engine: {
        confirm: "hide-existing",
        daemon: { "storage-driver": "vfs", "storage-opts": [] },
      },
    },
  },
  "upgrade-docker": { node: { engine: { version: "28.5" } } },
  "reboot-and-grow": { node: { machine: { cpu: { cores: 8 }, dockerDisk: { sizeGiB: 110 } } } },
  "open-port": {
    node: { network: { firewall: { rules: [{ comment: "web", proto: "tcp", port: "443" }] } } },
  },
  "firewall-off": { node: { network: { firewall: { enabled: false } } } },
  "rotate-secret": { rotate: true },
  "replace-network": {
    node: { networks: { "development-secondary": { subnet: "172.19.9.0/24" } } },
  },
  "delete-volume": { node: { volumes: null } },
  "replace-vm": { node: { machine: { vmId: 2014 } } },
};

/** The override `openStack` takes. */
export function overrideOf({ node }: Scenario): Record<string, unknown> {
  return node ? { nodes: { [NODE]: node } } : {};
}
