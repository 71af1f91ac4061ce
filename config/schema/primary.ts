import { z } from "zod";
import { address, hostLabel, port } from "./fields";

/** `primary` of a node. */
export const primarySchema = z.union([
  hostLabel,
  z.strictObject({
    address: address.describe("Address of the primary, if it is not in this stack."),
    port: port.default(22).describe("Port that has to accept a connection from this node."),
  }),
]);
