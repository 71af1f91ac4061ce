/** Turns the NICs of a VM as found, and what it asks for names by them, into their configuration. */
import { isAddress } from "../../config/cidr";
import { isReachable6 } from "../../config/ipv6";
import type { Facts } from "./facts";
import type { Findings } from "./finding";
import { parseOptions, type Hardware } from "./hardware";

type Tree = Record<string, unknown>;
type Config = Hardware["config"];

const MAC = /^([0-9A-F]{2}:){5}[0-9A-F]{2}$/i;

/** The section `network`, without gateway and firewall. The stack's defaults supply what stays undefined. */
export function nicsOf(config: Config, facts: Facts, findings: Findings): Tree {
  const nics = readFurther(config, facts, findings);
  const ipv6 = readIpv6("ipconfig0", config, findings);
  const overIpv6 = ipv6 !== null || nics.some((nic) => nic.ipv6);
  return {
    ...readNic("net0", config, facts, findings),
    ipv6,
    dnsServers: readServers(facts, overIpv6, findings),
    nics: nics.length > 0 ? nics : null,
  };
}

/** The name servers, as far as the configuration takes them. */
function readServers(
  { nameservers }: Facts,
  overIpv6: boolean,
  { leave }: Findings,
): string[] | undefined {
  const usable = nameservers.filter((one) => isAddress(one) || (overIpv6 && isReachable6(one)));
  const declared = usable.slice(0, 3);
  const others = nameservers.filter((one) => !declared.includes(one));
  if (others.length > 0)
    leave(
      "name servers",
      `${others.join(", ")}: dnsServers takes three, and IPv6 addresses beside a static one of the node`,
    );
  return declared.length > 0 ? declared : undefined;
}

/** A NIC's place in the network. The defaults of the stack may have a VLAN. */
function readNic(key: string, config: Config, facts: Facts, findings: Findings): Tree {
  const nic = parseOptions(config[key]);
  return {
    bridge: nic.bridge,
    vlan: nic.tag ? Number(nic.tag) : null,
    address: readAddress(key, nic, facts, findings),
  };
}

/** NICs beside the first. The configuration knows them by their places, so there may be no gap, and each has a static address. */
function readFurther(config: Config, facts: Facts, findings: Findings): Tree[] {
  const keys = Object.keys(config).filter((key) => /^net[1-7]$/.test(key));
  return keys.sort().map((key, index) => {
    const place = index + 1;
    const { ip, gw, ip6 } = parseOptions(config[`ipconfig${key.slice(3)}`]);
    if (key !== `net${place}`)
      findings.refuse(key, `there is no net${place}: an up would make this one of it`);
    if (!ip || ip === "dhcp")
      findings.refuse(key, `has no static IPv4 address in ipconfig${key.slice(3)}: it needs one`);
    if (gw)
      findings.leave(
        key,
        `its gateway, ${gw}, is no key: the guest keeps its second default route`,
      );
    const { vlan, ...nic } = readNic(key, config, facts, findings);
    return {
      ...nic,
      ...(vlan === null ? {} : { vlan }),
      ...(isStatic(ip6) ? { ipv6: { address: ip6 } } : {}),
    };
  });
}

const isStatic = (ip6: string | undefined): boolean => ip6?.includes("/") ?? false;

/** The IPv6 address that Proxmox gave the first NIC by cloud-init. Of its own ones, the guest does not say which are lasting. */
function readIpv6(key: string, config: Config, { leave }: Findings): Tree | null {
  const { ip6, gw6 } = parseOptions(config[key]);
  if (isStatic(ip6)) return { address: ip6, ...(gw6 ? { gateway: gw6 } : {}) };
  if (ip6) leave("IPv6", `${ip6}: the node gets addresses that the configuration does not know`);
  return null;
}

/** The guest's own word: what Proxmox told cloud-init may be long forgotten. */
function readAddress(
  key: string,
  nic: Record<string, string>,
  { addresses }: Facts,
  { refuse, leave }: Findings,
): string | undefined {
  const mac = Object.values(nic).find((value) => MAC.test(value)) ?? "";
  const [first, ...others] = addresses[mac.toLowerCase()] ?? [];
  if (!first) refuse(key, `no NIC of the guest has the MAC ${mac} and an IPv4 address`);
  if (others.length > 0) leave("addresses", `${others.join(", ")}: had beside ${first ?? ""}`);
  return first;
}
