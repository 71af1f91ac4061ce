import { z } from "zod";
import { isAddress, isBase, isCidr, toCanonical } from "../cidr";
import { isLinkLocal6, isNetwork6, isNetworkText, isReachable6 } from "../ipv6";
import { hostName, oneLine } from "../text";
import { address, cidr, identifier } from "./fields";

/** Says what one rule may have, and of several in one, what to write instead. */
const expectOne =
  (allowed: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    Array.isArray(input) || String(input).includes(",")
      ? `${allowed}; write a rule for each`
      : allowed;

const onlySource = {
  error: expectOne(
    "an IPv4 or IPv6 address, such as 10.25.10.11, or one with prefix length, such as 10.25.10.0/24 or fd25:10::/64",
  ),
};

/** Proxmox refuses a network with host bits (pve-firewall, Firewall.pm, parse_address_list, by Net::IP). */
const noHostBits = {
  error: ({ input }: { readonly input?: unknown }): string =>
    `the network itself: ${toCanonical(String(input))}`,
};

const onePort = {
  error: expectOne('a port or range as a text, such as "443" or "8000:8010"'),
};

const firewallRule = z.strictObject({
  comment: oneLine.max(200).optional().describe("Shown in Proxmox."),
  source: z
    .string(onlySource)
    .refine(isNetworkText, { ...onlySource, abort: true })
    .refine(isBase, noHostBits)
    .optional()
    .describe("IPv4 or IPv6 address or network that the traffic comes from. Default: anywhere."),
  proto: z.enum(["tcp", "udp", "icmp"]).default("tcp"),
  port: z
    .string(onePort)
    .regex(/^\d{1,5}(:\d{1,5})?$/, { ...onePort, abort: true })
    // nft takes a number with a zero before it for an octal one.
    .refine((text) => !/\b0\d/.test(text), {
      error: 'a port or range without leading zeros, such as "443" or "8000:8010"',
    })
    .optional()
    .describe('Port or port range, such as "443" or "8000:8010". Not for icmp.'),
});

/** As Proxmox takes one: of one machine, not of a group (pve-common, JSONSchema.pm, mac-addr). */
const macAddress = z
  .string()
  .regex(/^(?!(00:?){6}$)[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$/, {
    error: "a MAC address of one machine, such as BC:24:11:00:20:24: its second digit is even",
  })
  // Proxmox writes it so, and another spelling would be a change.
  .toUpperCase();

/** As cloud-init writes it down for an interface. A node is no router. Proxmox takes /8 to /128 (pve-common, JSONSchema.pm, CIDRv6). */
const address6 = z
  .string()
  .refine(
    (text) => isNetwork6(text) && isReachable6(text.split("/")[0] ?? "") && !/\/[0-7]$/.test(text),
    {
      error: ({ input }) =>
        ["auto", "dhcp"].includes(String(input))
          ? "an IPv6 address with prefix length: the node's outputs and rules need one that is known; override.machine.initialization takes auto"
          : "an IPv6 address of one machine with prefix length 8 to 128, such as fd25:10::19/64, neither link-local nor one that carries an IPv4 address",
    },
  );

const gateway6 = z.string().refine((text) => isReachable6(text) || isLinkLocal6(text), {
  error: "an IPv6 address of one machine, such as fd25:10::1 or fe80::1",
});

const dnsServer = z.string().refine((text) => isAddress(text) || isReachable6(text), {
  error: "an IPv4 or IPv6 address, such as 10.25.20.1 or fd25:10::1",
});

const managementNetwork = z
  .string()
  .refine((text) => isCidr(text) || isNetwork6(text), {
    error:
      "an IPv4 or IPv6 network with prefix length, such as 10.25.10.0/24 or fd25:10::/64; of one machine /32 or /128",
    abort: true,
  })
  .refine(isBase, noHostBits);

const vlan = z
  .int()
  .min(1)
  .max(4094)
  .optional()
  .describe("VLAN of the NIC. Default: none, and the NIC is on the bridge's own network.");

const mtu = z
  .int()
  .min(1)
  .max(65520)
  .refine((size) => size === 1 || size >= 576, { error: "1 for the bridge's, or 576 to 65520" })
  .optional()
  .describe(
    "Largest packet of the NIC, in bytes; 1 is the bridge's, which is also the most. Default: Proxmox's, 1500 before Proxmox VE 9, then the bridge's.",
  );

/** Proxmox knows 32 NICs of a VM. The provider gives addresses to eight (terraform-provider-proxmox, vm.go, ip_config). */
const MOST_FURTHER_NICS = 7;

const furtherNic = z.strictObject({
  bridge: identifier.default("vmbr0"),
  vlan,
  mtu,
  macAddress: macAddress
    .optional()
    .describe("MAC address of the NIC. Default: Proxmox gives it one."),
  address: cidr.describe("Static IPv4 address, with prefix length."),
  ipv6: z
    .strictObject({ address: address6.describe("Static IPv6 address, with prefix length.") })
    .optional()
    .describe("An IPv6 address beside the IPv4 one."),
  firewall: z
    .boolean()
    .optional()
    .describe(
      "Proxmox filters at this NIC too, by the rules of `network.firewall`. Default: as at the first NIC. The node itself filters at every NIC.",
    ),
});

/** `network` of a node: its NICs and their firewall. */
export const networkSchema = z.strictObject({
  bridge: identifier.default("vmbr0"),
  vlan,
  mtu,
  macAddress: macAddress
    .optional()
    .describe(
      "MAC address of the NIC. Default: Proxmox gives it one. Another one on a VM that runs takes its network away.",
    ),
  address: cidr,
  gateway: address,
  ipv6: z
    .strictObject({
      address: address6.describe("IPv6 address of the NIC, with prefix length."),
      gateway: gateway6
        .optional()
        .describe(
          "Where IPv6 packets for other networks go: an address of the same network, or a link-local one. Default: what the routers of the network announce, if the image listens to them.",
        ),
    })
    .optional()
    .describe(
      "A static IPv6 address beside the IPv4 one. The program, Portainer and Prometheus reach the node over IPv4 all the same.",
    ),
  dnsServers: z
    .array(dnsServer)
    .min(1)
    .max(3)
    .describe(
      "DNS servers of the node; IPv6 addresses only if a NIC has `ipv6`, and beside an IPv4 one if docker0 has no IPv6.",
    ),
  searchDomain: hostName.optional(),
  nics: z
    .array(furtherNic)
    .max(MOST_FURTHER_NICS)
    .default([])
    .describe(
      "Further NICs, for networks such as those of storage or backups; the node calls them eth1, eth2 and so on. The default route, macvlans and ipvlans with a VLAN, and the way to the node are the first NIC's.",
    ),
  firewall: z
    .strictObject({
      enabled: z.boolean().default(true).describe("Proxmox filters at the NIC."),
      onNode: z
        .boolean()
        .default(true)
        .describe(
          "The node filters by the same rules, also what reaches published ports of containers.",
        ),
      managementNetworks: z
        .array(managementNetwork)
        .min(1)
        .describe(
          "IPv4 and IPv6 networks from which SSH is accepted; one of IPv4 at least, by which the program comes.",
        ),
      rules: z
        .array(firewallRule)
        .default([])
        .describe(
          "Open ports in addition to SSH and the agent: of the node, and published ones of its containers.",
        ),
    })
    .optional(),
});
