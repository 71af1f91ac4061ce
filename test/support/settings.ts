import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { loadSettings, type RawSettings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";
import { dayAfter } from "../../config/waivers/days";

/** What a stack file declares, keys without the project's prefix. */
export function writtenIn(stack: string): RawSettings {
  const file = join(__dirname, "..", "..", `Pulumi.${stack}.yaml`);
  const { config } = parse(readFileSync(file, "utf8")) as { config: Record<string, unknown> };
  const strip = ([key, value]: [string, unknown]): [string, unknown] => [
    key.split(":")[1] ?? key,
    value,
  ];
  return Object.fromEntries(Object.entries(config).map(strip)) as unknown as RawSettings;
}

/** What a stack file declares. Its waivers hold for a year from today, as on its first day. */
export function stackFile(stack: string): RawSettings {
  const settings = writtenIn(stack);
  const { waivers } = settings as { waivers?: object[] };
  const longer = waivers && {
    waivers: waivers.map((each) => ({ ...each, expires: dayAfter(new Date(), 365) })),
  };
  return { ...settings, ...longer };
}

/** Production with its proj-docker02 as defaults, and `override` as what the node itself says. */
export function prodWith(override: unknown): RawSettings {
  const { proxmox, nodes } = stackFile("prod");
  const [defaults] = Object.values(nodes as Record<string, unknown>);
  return { proxmox, defaults, nodes: { "proj-docker02": override } };
}

/** Production's proj-docker02, parsed, with `override` merged in; what that weakens is waived. */
export function prodNode(override: unknown = {}): NodeConfig {
  const node = loadSettings(waived(prodWith(override))).nodes["proj-docker02"];
  if (!node) throw new Error("Pulumi.prod.yaml declares no proj-docker02");
  return node;
}

/** A waiver for every node, or as `terms` say, for a year from a day. */
export const waiver = (id: string, terms: object = {}, now = new Date()): object => ({
  id,
  node: "all",
  reason: "a test",
  control: "nothing runs",
  owner: "tests",
  expires: dayAfter(now, 365),
  ...terms,
});

/** The same configuration, with a waiver for all that it weakens. */
export function waived(raw: RawSettings): RawSettings {
  try {
    loadSettings(raw);
    return raw;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const ids = new Set(error.problems.flatMap(({ waiver: id }) => id ?? []));
    return { ...raw, waivers: [...ids].map((id) => waiver(id)) };
  }
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

/** The configuration of a program under Pulumi's mocks, with the secrets that every production node needs. */
export const mockConfig = (raw: RawSettings): Record<string, string> => ({
  "docker-node:proxmox": JSON.stringify(raw.proxmox),
  "docker-node:defaults": JSON.stringify(raw.defaults),
  "docker-node:nodes": JSON.stringify(raw.nodes),
  "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
  "docker-node:agentSecret": "a-secret-of-some-length",
});

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
