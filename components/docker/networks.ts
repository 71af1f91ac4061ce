import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { NetworkConfig, NodeConfig } from "../../config/schema";
import { adoptNetwork } from "../shared/adoption";
import { livesOn } from "../shared/lifetime";

export interface ContainerNetworksArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** The machine whose Docker holds them. */
  machine: pulumi.Resource;
}

/** The Docker networks declared for a node: bridges and macvlans, each with an explicit subnet. */
export class ContainerNetworks extends pulumi.ComponentResource {
  /** Docker network ids by network name. */
  readonly ids: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: ContainerNetworksArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:ContainerNetworks", name, {}, opts);
    const create = (network: string): pulumi.Output<string> =>
      createNetwork(`${name}-${network}`, network, args, this).id;
    const names = Object.keys(args.node.networks);
    this.ids = Object.fromEntries(names.map((network) => [network, create(network)]));
    this.registerOutputs({ ids: this.ids });
  }
}

function createNetwork(
  resourceName: string,
  name: string,
  { node, machine }: ContainerNetworksArgs,
  parent: pulumi.Resource,
): docker.Network {
  const config = node.networks[name] as NetworkConfig;
  return new docker.Network(resourceName, networkArgs(name, config), {
    parent,
    // Two networks can share neither name nor subnet, so a replacement has to make room first.
    deleteBeforeReplace: true,
    ...livesOn(machine),
    ...adoptNetwork(node, name),
  });
}

/** What Docker is told of a network. */
export function networkArgs(name: string, config: NetworkConfig): docker.NetworkArgs {
  return config.driver === "macvlan" ? macvlanArgs(name, config) : bridgeArgs(name, config);
}

type Bridge = Extract<NetworkConfig, { driver: "bridge" }>;
type Macvlan = Extract<NetworkConfig, { driver: "macvlan" }>;

function bridgeArgs(
  name: string,
  { subnet, gateway, isolated, internal }: Bridge,
): docker.NetworkArgs {
  return {
    name,
    driver: "bridge",
    internal,
    ipamConfigs: [{ subnet, gateway }],
    options: { "com.docker.network.bridge.enable_icc": String(!isolated) },
  };
}

function macvlanArgs(name: string, config: Macvlan): docker.NetworkArgs {
  const { parent, vlan, subnet, gateway, range, excluded } = config;
  return {
    name,
    driver: "macvlan",
    ipamConfigs: [{ subnet, gateway, ipRange: range, auxAddress: excluded }],
    // Docker makes the VLAN sub-interface `parent.tag` itself (802.1Q trunk bridge mode).
    options: { parent: vlan ? `${parent}.${vlan}` : parent, macvlan_mode: "bridge" },
  };
}
