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

const containerNetwork = z.discriminatedUnion("driver", [bridgeNetwork, macvlanNetwork], {
  // This message is for a wrong driver only; problems within a branch have their own messages.
  error: '"bridge" or "macvlan"',
});

/** One of `networks`. `driver` is optional for a bridge; it is added here because a discriminated union needs it. */
export const containerNetworkSchema = z.preprocess(
  (value) => (typeof value === "object" && value !== null ? { driver: "bridge", ...value } : value),
  containerNetwork,
);
