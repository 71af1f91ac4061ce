import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { DaemonConfig } from "../../config/daemon";
import { contains, firstHost } from "../../config/cidr";
import { interfaceOf, type LanNetwork } from "../../config/lan";
import { nameResource } from "../../config/names";
import type { NetworkConfig, NodeConfig } from "../../config/schema";
import { ICC, MTU, addressOfNode } from "../../config/node";
import type { RecordedNetwork, RecordedNode } from "../../node/recorded";
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

/** The Docker networks of a node: bridges, macvlans and ipvlans, each with an explicit subnet. */
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
  const host = adopted ? undefined : addressOfNode(node);
  const known = recorded?.networks[name] ?? (adopted ? { subnet: config.subnet } : undefined);
  const args = networkArgs(name, config, node.engine.daemon, host, known);
  return new docker.Network(resourceName, args, {
    parent,
    // Only for a state that could not be read: a network that is not new must not get another gateway then.
    ignoreChanges: recorded ? [] : ["ipamConfigs[0].gateway"],
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
 * @param host address of the node, which Docker must not give to a container on the node's LAN
 * @param recorded what the stack's state has of the network; undefined for a new one
 */
export function networkArgs(
  name: string,
  config: NetworkConfig,
  { "default-network-opts": defaults }: Pick<DaemonConfig, "default-network-opts"> = {},
  host?: string,
  recorded?: RecordedNetwork,
): docker.NetworkArgs {
  const own = defaults?.[config.driver] ?? {};
  return config.driver === "bridge"
    ? bridgeArgs(name, { ...config, gateway: declareGateway(config, recorded) }, own)
    : lanArgs(name, config, own, host);
}

type Bridge = Extract<NetworkConfig, { driver: "bridge" }>;

/**
 * The gateway of a bridge. Docker 29 tells also of one that it chose itself, and 28 did not (moby daemon/network.go,
 * buildIPAMResources). One that is told and not declared would be a difference at a refresh, and the next `up` would replace
 * the network. So the one that Docker chooses is declared, unless the network was made without and Docker has not told it yet.
 */
function declareGateway(
  { subnet, gateway }: Bridge,
  recorded?: RecordedNetwork,
): string | undefined {
  const untold = recorded?.subnet === subnet && !recorded.gateway;
  return gateway ?? (untold ? undefined : firstHost(subnet));
}

function bridgeArgs(
  name: string,
  { subnet, gateway, isolated, internal, mtu }: Bridge,
  defaults: Defaults,
): docker.NetworkArgs {
  return {
    name,
    driver: "bridge",
    internal,
    ipamConfigs: [{ subnet, gateway }],
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
  host?: string,
): docker.NetworkArgs {
  const { driver, subnet, gateway, range } = config;
  const auxAddress = reserveAddresses(config, host);
  return {
    name,
    driver,
    ipamConfigs: [{ subnet, gateway, ipRange: range, auxAddress }],
    options: { ...defaults, parent: interfaceOf(config), ...MODES[driver] },
  };
}

/** Addresses that Docker must not give to containers. It does not know the node's own address on this LAN. */
function reserveAddresses(
  { subnet, range, excluded }: LanNetwork,
  host = "",
): Record<string, string> {
  const own = host && contains(range ?? subnet, host) && !Object.values(excluded).includes(host);
  return own ? { ...excluded, "docker-node-host": host } : excluded;
}
