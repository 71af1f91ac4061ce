/** Reads what the stack declares so far, and what follows for a new node. */
import { merge, type RawSettings } from "../../config/load";
import { proxmoxSchema, type ProxmoxConfig } from "../../config/schema";
import { problemsOf } from "../../config/issues";
import { ConfigError } from "../../config/problems";
import { secretOf, writeCommand } from "../../config/secrets";
import { settingsIn, readValues } from "../../clients/pulumi/configuration";
import type { Run } from "../../clients/process";
import { isTree } from "../../config/tree";
import type { Portainer } from "./platform";

export interface StackSoFar {
  readonly proxmox: ProxmoxConfig;
  readonly apiToken: string;
  readonly raw: RawSettings;
  readonly hasAgentSecret: boolean;
}

/**
 * Reads the stack.
 * @throws Error naming what is missing, and the command that mends it
 */
export async function readStack(run: Run, stack: string, cwd: string): Promise<StackSoFar> {
  const { values = {}, sealed } = await readValues(run, stack, cwd);
  const raw = settingsIn(values);
  const proxmox = proxmoxSchema.safeParse(raw.proxmox, { reportInput: true });
  if (!proxmox.success) throw new ConfigError(problemsOf(proxmox.error, ["proxmox"]));
  const apiToken = values["docker-node:proxmoxApiToken"]?.value;
  if (!apiToken) {
    const { name, example } = secretOf("proxmoxApiToken");
    const set = writeCommand({ name: `docker-node:${name}`, example }, stack);
    throw new Error(
      `proxmoxApiToken of ${stack} is not known${sealed ? `: ${sealed}` : `; ${set}`}`,
    );
  }
  const hasAgentSecret = values["docker-node:agentSecret"] !== undefined;
  return { proxmox: proxmox.data, apiToken, raw, hasAgentSecret };
}

/** The text that the defaults have, or that all nodes with one share; undefined otherwise. */
function commonValue({ defaults, nodes }: RawSettings, ...path: string[]): string | undefined {
  const own = valueAt(defaults, path);
  const all = isTree(nodes)
    ? Object.values(nodes).map((node) => valueAt(merge(defaults ?? {}, node), path))
    : [];
  const texts = new Set(all.filter((value) => value !== undefined));
  const [only] = texts.size === 1 ? texts : [];
  const found = own ?? only;
  return typeof found === "string" ? found : undefined;
}

function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((found, key) => (isTree(found) ? found[key] : undefined), tree);
}

/** SSH user and private key of the stack's nodes. */
export function sshOf(raw: RawSettings): { user: string; privateKeyFile?: string } {
  const privateKeyFile = commonValue(raw, "ssh", "privateKeyFile");
  return {
    user: commonValue(raw, "ssh", "user") ?? "ubuntu",
    ...(privateKeyFile ? { privateKeyFile } : {}),
  };
}

/** Portainer server and agent image of the stack's nodes. */
export function portainerOf(raw: RawSettings, server?: string): Portainer {
  return {
    server: server ?? commonValue(raw, "portainer", "server"),
    image: commonValue(raw, "portainer", "agent", "image"),
  };
}
