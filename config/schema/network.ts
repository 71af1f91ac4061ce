import { z } from "zod";
import { hostName, oneLine } from "../text";
import { address, cidr, expectIpv4, identifier } from "./fields";

/** Says what one rule may have, and of several in one, what to write instead. */
const expectOne =
  (allowed: string) =>
  (issue: { readonly input?: unknown }): string => {
    const several = Array.isArray(issue.input) || String(issue.input).includes(",");
    return `${expectIpv4(allowed)(issue)}${several ? "; write a rule for each" : ""}`;
  };

const SOURCE =
  "an IPv4 address, such as 10.25.10.11, or one with prefix length, such as 10.25.10.0/24";

const onePort = {
  error: expectOne('a port or range as a text, such as "443" or "8000:8010"'),
};

const firewallRule = z.strictObject({
  comment: oneLine.max(200).optional().describe("Shown in Proxmox."),
  source: z
    .union([cidr, address], { error: expectOne(SOURCE) })
    .optional()
    .describe("Address or network that the traffic comes from. Default: anywhere."),
  proto: z.enum(["tcp", "udp", "icmp"]).default("tcp"),
  port: z
    .string(onePort)
    .regex(/^\d{1,5}(:\d{1,5})?$/, onePort)
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

/** `network` of a node: its NIC and that NIC's firewall. */
export const networkSchema = z.strictObject({
  bridge: identifier.default("vmbr0"),
  vlan: z
    .int()
    .min(1)
    .max(4094)
    .optional()
    .describe("VLAN of the NIC. Default: none, and the NIC is on the bridge's own network."),
  mtu: z
    .int()
    .min(1)
    .max(65520)
    .refine((size) => size === 1 || size >= 576, { error: "1 for the bridge's, or 576 to 65520" })
    .optional()
    .describe(
      "Largest packet of the NIC, in bytes; 1 is the bridge's, which is also the most. Default: Proxmox's, 1500 before Proxmox VE 9, then the bridge's.",
    ),
  macAddress: macAddress
    .optional()
    .describe(
      "MAC address of the NIC. Default: Proxmox gives it one. Another one on a VM that runs takes its network away.",
    ),
  address: cidr,
  gateway: address,
  dnsServers: z.array(address).min(1).max(3),
  searchDomain: hostName.optional(),
  firewall: z
    .strictObject({
      enabled: z.boolean().default(true).describe("Proxmox filters at the NIC."),
      onNode: z
        .boolean()
        .default(true)
        .describe(
          "The node filters by the same rules, also what reaches published ports of containers.",
        ),
      managementNetworks: z.array(cidr).min(1).describe("Networks from which SSH is accepted."),
      rules: z
        .array(firewallRule)
        .default([])
        .describe(
          "Open ports in addition to SSH and the agent: of the node, and published ones of its containers.",
        ),
    })
    .optional(),
});
