import { z } from "zod";
import { address, cidr, dockerName } from "./fields";

const bridgeNetwork = z.strictObject({
  driver: z.literal("bridge").default("bridge"),
  subnet: cidr,
  gateway: address.optional(),
  isolated: z
    .boolean()
    .default(false)
    .describe("Containers of the network cannot reach one another (`enable_icc=false`)."),
  internal: z.boolean().default(false).describe("No route out of the host."),
});

const macvlanNetwork = z.strictObject({
  driver: z.literal("macvlan"),
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
});

/** Drivers that users may try, with the reason and a way around. */
const OTHERS: Partial<Record<string, string>> = {
  ipvlan:
    "a macvlan gives containers addresses on the LAN too; a stack that builds on the node can make others (docker.Network)",
  overlay: "it needs Swarm, which live-restore excludes",
  host: "Docker has it already, and who is on it shares all ports of the node; a workload publishes its own",
};

const containerNetwork = z.discriminatedUnion("driver", [bridgeNetwork, macvlanNetwork], {
  // This message is for a wrong driver only; problems within a branch have their own messages.
  error: ({ input }) => {
    const driver = (input as { driver?: unknown } | undefined)?.driver;
    const reason = OTHERS[String(driver)];
    return `"bridge" or "macvlan"${reason ? `; not ${String(driver)}: ${reason}` : ""}`;
  },
});

/** One of `networks`. `driver` is optional for a bridge; it is added here because a discriminated union needs it. */
export const containerNetworkSchema = z.preprocess(
  (value) => (typeof value === "object" && value !== null ? { driver: "bridge", ...value } : value),
  containerNetwork,
);
