import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { DaemonConfig } from "../../config/daemon";
import { firstHost } from "../../config/cidr";
import { interfaceOf, type LanNetwork } from "../../config/lan";
import { nameResource } from "../../config/names";
import { ICC, MTU } from "../../config/node";
import { ownAddresses } from "../../config/own-networks";
import { poolsOf, reserveAddresses, type Pool } from "../../config/pools";
import type { NetworkConfig, NodeConfig } from "../../config/schema";
import type { RecordedNode, RecordedPool } from "../../node/recorded";
import { adoptNetwork } from "../shared/adoption";
import { livesOn } from "../shared/lifetime";

/** What the networks of a node need. */
export interface ContainerNetworksArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** The machine whose Docker has the networks. */
  machine: pulumi.Resource;
  /** What the stack's state has of the node; undefined for a new one. */
  recorded?: RecordedNode;
}

/** The Docker networks of a node: bridges, macvlans and ipvlans, each with explicit subnets. */
export class ContainerNetworks extends pulumi.ComponentResource {
  /** Docker network ids by network name. */
  readonly ids: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: ContainerNetworksArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:ContainerNetworks", name, {}, opts);
    const create = (network: string): pulumi.Output<string> =>
      createNetwork(nameResource(name, network), network, args, this).id;
    const names = Object.keys(args.node.networks);
    this.ids = Object.fromEntries(names.map((network) => [network, create(network)]));
    this.registerOutputs({ ids: this.ids });
  }
}

function createNetwork(
  resourceName: string,
  name: string,
  { node, machine, recorded }: ContainerNetworksArgs,
  parent: pulumi.Resource,
): docker.Network {
  const config = node.networks[name] as NetworkConfig;
  // An adopted network stays as it is.
  const adopted = name in node.adopt.networks;
  const hosts = adopted ? [] : ownAddresses(node);
  const untold = adopted ? poolsOf(config).map(({ subnet }) => ({ subnet })) : undefined;
  const known = recorded?.networks[name] ?? untold;
  const args = networkArgs(name, config, node.engine.daemon, hosts, known);
  return new docker.Network(resourceName, args, {
    parent,
    // Only for a state that could not be read: a network that is not new must not get another gateway then. One with IPv6 has
    // been made with its gateways, and its pools have no order in the state.
    ignoreChanges: recorded || config.ipv6 ? [] : ["ipamConfigs[0].gateway"],
    // Two networks can share neither name nor subnet, so the old one is deleted before its replacement is created.
    deleteBeforeReplace: true,
    ...livesOn(machine),
    ...adoptNetwork(node, name),
  });
}

type Defaults = Readonly<Record<string, string>>;

/**
 * Arguments of a Docker network. They include the daemon's `default-network-opts`: the daemon adds those to every network,
 * and an option that is not declared would show as a difference that replaces the network.
 *
 * @param hosts addresses of the node, which Docker must not give to a container on the node's LAN
 * @param recorded the network's pools in the stack's state; undefined for a new one
 */
export function networkArgs(
  name: string,
  config: NetworkConfig,
  { "default-network-opts": defaults }: Pick<DaemonConfig, "default-network-opts"> = {},
  hosts: readonly string[] = [],
  recorded?: readonly RecordedPool[],
): docker.NetworkArgs {
  const own = defaults?.[config.driver] ?? {};
  return {
    ...(config.driver === "bridge"
      ? bridgeArgs(name, config, own, recorded)
      : lanArgs(name, config, own, hosts)),
    ...(config.ipv6 && { ipv6: true }),
  };
}

type Bridge = Extract<NetworkConfig, { driver: "bridge" }>;

/**
 * A gateway of a bridge. Docker 29 tells also of one that it chose itself, and 28 did not (moby daemon/network.go,
 * buildIPAMResources). One that is told and not declared would be a difference at a refresh, and the next `up` would replace
 * the network. So the one that Docker chooses is declared, unless the network was made without and Docker has not told it yet.
 */
function declareGateway(
  { subnet, gateway }: Pool,
  recorded: readonly RecordedPool[] = [],
): string | undefined {
  const untold = recorded.some((pool) => pool.subnet === subnet && !pool.gateway);
  return gateway ?? (untold ? undefined : firstHost(subnet));
}

function bridgeArgs(
  name: string,
  config: Bridge,
  defaults: Defaults,
  recorded?: readonly RecordedPool[],
): docker.NetworkArgs {
  const { isolated, internal, mtu } = config;
  return {
    name,
    driver: "bridge",
    internal,
    ipamConfigs: poolsOf(config).map((pool) => ({
      subnet: pool.subnet,
      gateway: declareGateway(pool, recorded),
    })),
    options: {
      [ICC]: "true",
      ...defaults,
      ...(isolated && { [ICC]: "false" }),
      ...(mtu !== undefined && { [MTU]: String(mtu) }),
    },
  };
}

/** The mode of each driver in which containers are on the same network as the NIC. */
const MODES = { macvlan: { macvlan_mode: "bridge" }, ipvlan: { ipvlan_mode: "l2" } } as const;

function lanArgs(
  name: string,
  config: LanNetwork,
  defaults: Defaults,
  hosts: readonly string[],
): docker.NetworkArgs {
  const { driver } = config;
  return {
    name,
    driver,
    ipamConfigs: poolsOf(config).map((pool) => ({
      subnet: pool.subnet,
      gateway: pool.gateway,
      ipRange: pool.range,
      auxAddress: reserveAddresses(pool, hosts),
    })),
    options: { ...defaults, parent: interfaceOf(config), ...MODES[driver] },
  };
}
