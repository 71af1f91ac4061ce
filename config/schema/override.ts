import { z } from "zod";
import { has } from "../tree";

/*
 * Arguments of a resource that the configuration has no key for. docker-node does not check them; the provider does. An
 * argument that another key sets, or that would make it another resource, is refused. The message names that key.
 */

type Said = Readonly<Record<string, string>>;

const VM: Said = {
  vmId: "machine.vmId",
  nodeName: "machine.proxmoxNode",
  name: "the name of the node",
  clone: "machine.image",
  protection: "machine.protect",
  "cpu.cores": "machine.cpu.cores",
  "memory.dedicated": "machine.memoryGiB",
};

const containerRefusals = (more: Said): Said => ({
  name: "the program, because other parts look for it",
  ...more,
});

const AGENT = containerRefusals({ image: "portainer.agent.image", ports: "portainer.agent.port" });

const BACKUP = containerRefusals({ image: "backups.image", uploads: "the secrets of the stack" });

const argumentsOf = (said: Said): z.ZodType<Record<string, unknown>> =>
  z.record(z.string(), z.unknown()).superRefine((args, context) => {
    for (const [key, by] of Object.entries(said)) {
      const path = key.split(".");
      if (!has(args, path)) continue;
      const message = `not here; it is set by ${by}`;
      const input = path.reduce<unknown>((tree, at) => (tree as Record<string, unknown>)[at], args);
      context.addIssue({ code: "custom", path, input, message });
    }
  });

/** `override` of a node. */
export const overrideSchema = z.strictObject({
  machine: argumentsOf(VM)
    .optional()
    .describe("Arguments of the VM (proxmoxve.VmLegacy), such as `watchdog`."),
  agent: argumentsOf(AGENT)
    .optional()
    .describe("Arguments of the Portainer agent's container (docker.Container)."),
  backup: argumentsOf(BACKUP)
    .optional()
    .describe("Arguments of the backup container (docker.Container)."),
});
