import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { loadSettings, type RawSettings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";

/** What a stack file declares, keys without the project's prefix. */
export function stackFile(stack: string): RawSettings {
  const file = join(__dirname, "..", "..", `Pulumi.${stack}.yaml`);
  const { config } = parse(readFileSync(file, "utf8")) as { config: Record<string, unknown> };
  const strip = ([key, value]: [string, unknown]): [string, unknown] => [
    key.split(":")[1] ?? key,
    value,
  ];
  return Object.fromEntries(Object.entries(config).map(strip)) as unknown as RawSettings;
}

/** Production with its proj-docker02 as defaults, and `override` as what the node itself says. */
export function prodWith(override: unknown): RawSettings {
  const { proxmox, nodes } = stackFile("prod");
  const [defaults] = Object.values(nodes as Record<string, unknown>);
  return { proxmox, defaults, nodes: { "proj-docker02": override } };
}

/** Production's proj-docker02, parsed, with `override` merged in. */
export function prodNode(override: unknown = {}): NodeConfig {
  const node = loadSettings(prodWith(override)).nodes["proj-docker02"];
  if (!node) throw new Error("Pulumi.prod.yaml declares no proj-docker02");
  return node;
}

/** The problems of a configuration, as `path: value; allowed: …` lines. */
export function problems(raw: RawSettings): string[] {
  try {
    loadSettings(raw);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n  ").slice(1);
    throw error;
  }
  return [];
}

/** A configuration as Pulumi takes it, with a value for every secret that production calls for. */
export function stackConfig(raw: RawSettings): Record<string, { value: string; secret?: boolean }> {
  const values = Object.entries(raw).map(([name, value]) => [
    `docker-node:${name}`,
    { value: JSON.stringify(value) },
  ]);
  return {
    ...(Object.fromEntries(values) as Record<string, { value: string }>),
    "docker-node:proxmoxApiToken": { value: "automation@pve!pulumi=token", secret: true },
    "docker-node:agentSecret": { value: "a-secret-of-some-length", secret: true },
    "docker-node:backupToken": { value: "secret-of-the-backup-token", secret: true },
    "docker-node:backupKey": { value: '{"kdf":null,"data":"a-key"}', secret: true },
    "docker-node:pbsStorageToken": { value: "secret-of-the-storage-token", secret: true },
  };
}
