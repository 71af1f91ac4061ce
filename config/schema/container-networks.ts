import { z } from "zod";
import { address, address6, cidr, cidr6, dockerName } from "./fields";

/** For who writes `ipv6: true`, as compose files do. */
const IPV6_FORM = {
  error: "a map with the subnet, such as { subnet: fd25:28::/64 }: Docker is not left to choose it",
};

const IPV6 = "IPv6 beside IPv4. To add it, to change it or to take it away replaces the network.";

const bridgeIpv6 = z
  .strictObject(
    {
      subnet: cidr6.describe("IPv6 network, as RFC 5952 spells it."),
      gateway: address6.optional().describe("Default: the subnet's first address after its base."),
    },
    IPV6_FORM,
  )
  .optional()
  .describe(IPV6);

/** IPv6 of a network on the node's NIC. */
const lanIpv6 = z
  .strictObject(
    {
      subnet: cidr6.describe("IPv6 network of the LAN, as RFC 5952 spells it."),
      gateway: address6.describe("Router of the LAN; no link-local address."),
      range: cidr6.optional().describe("Docker hands out addresses from this range only."),
      excluded: z
        .record(dockerName, address6)
        .default({})
        .describe("Addresses Docker must not hand out, by name."),
    },
    IPV6_FORM,
  )
  .optional()
  .describe(IPV6);

const bridgeNetwork = z.strictObject({
  driver: z.literal("bridge").default("bridge"),
  subnet: cidr,
  gateway: address.optional(),
  ipv6: bridgeIpv6,
  isolated: z
    .boolean()
    .default(false)
    .describe("Containers of the network cannot reach one another (`enable_icc=false`)."),
  internal: z.boolean().default(false).describe("No route out of the host."),
  // Linux takes 68 to 65535 on a bridge's veth pair (RFC 791, ETH_MIN_MTU). checks/mtu.ts has the limit of IPv6.
  mtu: z
    .int()
    .min(68)
    .max(65535)
    .optional()
    .describe(
      "Largest packet of its containers, in bytes. Default: that of `engine.daemon.default-network-opts`, else 1500. A change replaces the network.",
    ),
});

/** Fields of a network on the node's NIC. */
const lanFields = {
  parent: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,14}$/, {
      error: "a network interface, such as eth0: lower-case letters and digits, 15 at most",
    })
    .describe("NIC of the node that the network uses."),
  vlan: z
    .int()
    .min(1)
    .max(4094)
    .optional()
    .describe("VLAN tag; Docker makes the sub-interface `parent.vlan`."),
  subnet: cidr,
  gateway: address,
  range: cidr
    .optional()
    .describe("Docker hands out addresses from this range only. Default: the whole subnet."),
  excluded: z
    .record(dockerName, address)
    .default({})
    .describe("Addresses Docker must not hand out, by name (`--aux-address`)."),
  ipv6: lanIpv6,
};

const macvlanNetwork = z.strictObject({
  driver: z
    .literal("macvlan")
    .describe(
      "Containers have addresses on the LAN, and MAC addresses of their own: the NIC gets no MAC filter.",
    ),
  ...lanFields,
});

const ipvlanNetwork = z.strictObject({
  driver: z
    .literal("ipvlan")
    .describe(
      "Containers have addresses on the LAN behind the node's MAC address: the MAC filter stays (mode l2).",
    ),
  ...lanFields,
});

/** Drivers that users may try, with the reason and a way around. */
const OTHERS: Partial<Record<string, string>> = {
  overlay: "it needs Swarm, which live-restore excludes",
  host: "Docker has it already, and who is on it shares all ports of the node; a workload publishes its own",
};

const containerNetwork = z.discriminatedUnion(
  "driver",
  [bridgeNetwork, macvlanNetwork, ipvlanNetwork],
  {
    // This message is for a wrong driver only; problems within a branch have their own messages.
    error: ({ input }) => {
      const driver = (input as { driver?: unknown } | undefined)?.driver;
      const reason = OTHERS[String(driver)];
      return `"bridge", "macvlan" or "ipvlan"${reason ? `; not ${String(driver)}: ${reason}` : ""}`;
    },
  },
);

/** One of `networks`. `driver` is optional for a bridge; it is added here because a discriminated union needs it. */
export const containerNetworkSchema = z.preprocess(
  (value) => (typeof value === "object" && value !== null ? { driver: "bridge", ...value } : value),
  containerNetwork,
);
