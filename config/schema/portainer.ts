import { z } from "zod";
import { address, pinnedImage, port } from "./fields";

/** `portainer` of a node: its agent. */
export const portainerSchema = z.strictObject({
  server: address.describe("Address of the Portainer server; only it may reach the agent."),
  agent: z.strictObject({
    image: pinnedImage,
    port: port.default(9001),
    logLevel: z.enum(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO"),
  }),
});
