/** Turns the NICs of a VM as found, and what it asks for names by them, into their configuration. */
import { isAddress } from "../../config/cidr";
import { isReachable6 } from "../../config/ipv6";
import type { Tree } from "../../config/tree";
import type { Facts } from "./facts";
import type { Findings } from "./finding";
import { parseOptions, type Hardware } from "./hardware";

type Config = Hardware["config"];

const MAC = /^([0-9A-F]{2}:){5}[0-9A-F]{2}$/i;

/** The section `network`, without gateway and firewall. The stack's defaults supply what stays undefined. */
export function nicsOf(config: Config, facts: Facts, findings: Findings): Tree {
  const nics = readFurther(config, facts, findings);
  const ipv6 = readIpv6("IPv6", parseOptions(config.ipconfig0), findings);
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

/** NICs beside the first. The configuration knows them by their places, so there may be no gap. */
function readFurther(config: Config, facts: Facts, findings: Findings): Tree[] {
  const keys = Object.keys(config).filter((key) => /^net[1-7]$/.test(key));
  return keys.sort().map((key, index) => {
    const place = index + 1;
    if (key !== `net${place}`)
      findings.refuse(key, `there is no net${place}: an up would make this one of it`);
    const { vlan, ...nic } = readNic(key, config, facts, findings);
    const ipv6 = readGiven(key, config, findings);
    return { ...nic, ...(vlan === null ? {} : { vlan }), ...(ipv6 ? { ipv6 } : {}) };
  });
}

/** What Proxmox gave a NIC beside the first by cloud-init: its IPv6 address is taken over. Without any, all is the guest's own. */
function readGiven(key: string, config: Config, findings: Findings): Tree | null {
  const ipconfig = key.replace("net", "ipconfig");
  const given = parseOptions(config[ipconfig]);
  if (given.ip === "dhcp")
    findings.refuse(
      key,
      `has its address by DHCP (${ipconfig}), and it does not last: it needs a static one`,
    );
  for (const gateway of [given.gw, given.gw6])
    if (gateway)
      findings.leave(
        key,
        `the configuration cannot express its gateway ${gateway}: the guest keeps this default route`,
      );
  const ipv6 = readIpv6(`IPv6 of ${key}`, given, findings);
  return ipv6 && { address: ipv6.address };
}

/** The IPv6 address that Proxmox gave a NIC by cloud-init. Of its own ones, the guest does not say which are lasting. */
function readIpv6(
  what: string,
  { ip6, gw6 }: Record<string, string>,
  { leave }: Findings,
): Tree | null {
  if (ip6?.includes("/")) return { address: ip6, ...(gw6 ? { gateway: gw6 } : {}) };
  if (ip6) leave(what, `${ip6}: the node gets addresses that the configuration does not know`);
  return null;
}

/** What the guest itself uses, because what Proxmox told cloud-init may be outdated. */
function readAddress(
  key: string,
  nic: Record<string, string>,
  { addresses }: Facts,
  { refuse, leave }: Findings,
): string | undefined {
  const mac = Object.values(nic).find((value) => MAC.test(value)) ?? "";
  const [first, ...others] = addresses[mac.toLowerCase()] ?? [];
  if (!first) refuse(key, `no NIC of the guest has the MAC ${mac} and an IPv4 address`);
  if (others.length > 0)
    leave("addresses", `${others.join(", ")}: the NIC has these in addition to ${first ?? ""}`);
  return first;
}
