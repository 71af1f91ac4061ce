/** Turns networks as found into their configuration. */
import { ICC, MTU } from "../../config/node";
import type { Tree } from "../../config/tree";
import type { Facts, Network } from "./facts";
import type { Findings } from "./finding";
import type { Named } from "./platform";

type Pool = NonNullable<Network["IPAM"]["Config"]>[number];

/** Options that the configuration can declare. A network with any other option is left alone. */
const KNOWN_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  bridge: [ICC, MTU],
  macvlan: ["parent", "macvlan_mode"],
  ipvlan: ["parent", "ipvlan_mode", "ipvlan_flag"],
};

/** Values of options that the program sets, or that Docker means without them. */
const KNOWN_VALUES = { macvlan_mode: "bridge", ipvlan_mode: "l2", ipvlan_flag: "bridge" } as const;

/** Networks the daemon makes by itself. */
const BUILT_IN = ["bridge", "host", "none", "docker_gwbridge", "ingress"];

/** Networks that can be declared, by name. The others are left, each with its reason. */
export function networksOf({ networks }: Facts, { leave }: Findings): Record<string, Named> {
  const found: Record<string, Named> = {};
  for (const network of networks.filter(({ Name }) => !BUILT_IN.includes(Name))) {
    const why = findInexpressible(network);
    if (why) leave(`network ${network.Name}`, `${why}, which the configuration has no word for`);
    else found[network.Name] = { id: network.Id, config: networkConfig(network) };
  }
  return found;
}

function findInexpressible({
  Driver,
  EnableIPv6,
  IPAM,
  Options,
  Scope,
}: Network): string | undefined {
  const known = KNOWN_OPTIONS[Driver];
  if (!known || Scope !== "local") return `driver ${Driver} of scope ${Scope}`;
  if (IPAM.Driver !== "default") return `address driver ${IPAM.Driver}`;
  const pools = IPAM.Config ?? [];
  const other = findOtherSubnets(pools, EnableIPv6);
  if (other) return other;
  if (Driver === "bridge" && pools.some(isPartlyGiven))
    return "a range or reserved addresses on a bridge";
  const unknown = Object.keys(Options ?? {}).find((key) => !known.includes(key));
  if (unknown) return `option ${unknown}`;
  return findUnlikeValue(Options ?? {});
}

const isOf6 = ({ Subnet }: Pool): boolean => Subnet.includes(":");

/** A network has one IPv4 subnet, and with IPv6 one more. */
function findOtherSubnets(pools: readonly Pool[], has6: boolean): string | undefined {
  const over6 = pools.filter(isOf6).length;
  const over4 = pools.length - over6;
  if (over4 === 1 && over6 === Number(has6)) return undefined;
  return has6 ? `${over4} IPv4 and ${over6} IPv6 subnets` : `${pools.length} subnets`;
}

const hasNames = (addresses?: object | null): boolean => Object.keys(addresses ?? {}).length > 0;

/** Docker 29.0 and 29.1 tell a range that nobody gave as an empty text (moby issue 51890). */
const isPartlyGiven = ({ IPRange, AuxiliaryAddresses }: Pool): boolean =>
  Boolean(IPRange) || hasNames(AuxiliaryAddresses);

function findUnlikeValue(options: Readonly<Record<string, string>>): string | undefined {
  const differs = Object.entries(KNOWN_VALUES).find(
    ([key, value]) => (options[key] ?? value) !== value,
  );
  return differs && `${differs[0].replace("_", " ")} ${options[differs[0]] ?? ""}`;
}

function networkConfig({ Driver, Internal, IPAM, Options }: Network): Tree {
  const pools = IPAM.Config ?? [];
  const [over4, over6] = [pools.find((pool) => !isOf6(pool)), pools.find(isOf6)];
  const addresses = { ...poolConfig(over4), ...(over6 ? { ipv6: poolConfig(over6) } : {}) };
  if (Driver === "bridge") {
    const isolated = Options?.[ICC] === "false" ? { isolated: true } : {};
    return {
      ...addresses,
      ...isolated,
      ...(Internal ? { internal: true } : {}),
      ...(Options?.[MTU] ? { mtu: Number(Options[MTU]) } : {}),
    };
  }
  const [, parent, vlan] = /^(.*?)(?:\.(\d+))?$/.exec(Options?.parent ?? "") ?? [];
  return { driver: Driver, parent, ...(vlan ? { vlan: Number(vlan) } : {}), ...addresses };
}

function poolConfig(pool?: Pool): Tree {
  const { Subnet: subnet, Gateway: gateway, IPRange: range, AuxiliaryAddresses } = pool ?? {};
  return {
    subnet,
    ...(gateway ? { gateway } : {}),
    ...(range ? { range } : {}),
    ...(hasNames(AuxiliaryAddresses) ? { excluded: AuxiliaryAddresses } : {}),
  };
}
