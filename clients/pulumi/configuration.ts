/** Reads a stack's configuration with the Pulumi CLI, or from the stack file if the CLI cannot read it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Composed } from "../../config/compose/model";
import { loadSettings, type RawSettings, type Settings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import { passwordName } from "../../config/registries";
import { SETTINGS, namesIn, rawSettings } from "../../config/stack-keys";
import { readCompose } from "../compose";
import { lastLine } from "../failure";
import type { Run } from "../process";

/** The stack's configuration, or why it could not be read. */
export interface Configuration {
  readonly settings?: Settings;
  /** Its problems, one line each. */
  readonly problems: readonly string[];
  /** Texts of the secrets, by name: of every key that is no setting. */
  readonly texts?: Readonly<Record<string, string>>;
  readonly apiToken?: string;
  readonly portainerApiKey?: string;
  readonly scannerToken?: string;
  /** Passwords of registries, by key. */
  readonly registryPasswords?: Readonly<Record<string, string>>;
  /** Names of all keys that are set. */
  readonly keys?: readonly string[];
  /** Why the secrets could not be read. */
  readonly sealed?: string;
  /** Texts that must never be shown. */
  readonly secrets: readonly string[];
}

/** A value as `pulumi config --json` shows it. */
interface Shown {
  readonly value?: string;
  readonly objectValue?: unknown;
  readonly secret?: boolean;
}

/** A stack's configuration by key. */
export type Values = Readonly<Record<string, Shown>>;

const PROJECT = "docker-node";

/** Reads the configuration of a stack. The result holds its problems. */
export async function readConfiguration(
  run: Run,
  stack: string,
  cwd: string,
): Promise<Configuration> {
  const { values, sealed } = await readValues(run, stack, cwd);
  const composed = values && (await readCompose(settingsIn(values).compose, cwd));
  if (values) return { ...interpret(values, composed), ...(sealed ? { sealed } : {}) };
  return { problems: [`Pulumi.${stack}.yaml cannot be read`], secrets: [], sealed };
}

/** Reads the values of a stack: none if its file cannot be read, and no secrets if they are `sealed`. */
export async function readValues(
  run: Run,
  stack: string,
  cwd: string,
): Promise<{ values?: Values; sealed?: string }> {
  const args = ["config", "--show-secrets", "--json", "--stack", stack];
  const { code, stdout, stderr } = await run("pulumi", args);
  if (code === 0) return { values: JSON.parse(stdout) as Values };
  const sealed = code === undefined ? "the Pulumi CLI is missing" : lastLine(stderr);
  try {
    return { values: readFile(stack, cwd), sealed };
  } catch {
    return { sealed };
  }
}

/** Returns the settings in the values, not yet parsed. */
export function settingsIn(values: Values): RawSettings {
  return rawSettings((key) => treeOf(values[`${PROJECT}:${key}`]));
}

/** Reads the plain values of the file. Its secrets are ciphertext and left out. */
function readFile(stack: string, cwd: string): Values {
  const text = readFileSync(join(cwd, `Pulumi.${stack}.yaml`), "utf8");
  const { config } = parse(text) as { config: Record<string, unknown> };
  const plain = Object.entries(config).filter(([, value]) => !isSealed(value));
  return Object.fromEntries(plain.map(([key, value]) => [key, toShown(value)]));
}

const isSealed = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "secure" in value;

const toShown = (value: unknown): Shown =>
  typeof value === "string" ? { value } : { objectValue: value };

/**
 * Parses and checks the values as the program does.
 *
 * @param composed what docker compose made of the files of `compose`, by project
 */
export function interpret(
  values: Values,
  composed?: Readonly<Record<string, Composed>>,
): Configuration {
  const keys = namesIn(PROJECT, Object.keys(values));
  const texts = textsIn(values, keys);
  const secrets = Object.values(values).flatMap((shown) => (shown.secret ? textsOf(shown) : []));
  const apiToken = texts["proxmoxApiToken"];
  const single = {
    ...{ apiToken, portainerApiKey: texts["portainerApiKey"] },
    scannerToken: texts["imageScannerToken"],
  };
  const known = [...Object.values(texts), ...(apiToken?.split("=").slice(1, 2) ?? [])];
  const hidden = [...new Set([...secrets, ...known])];
  const base = { ...single, texts, registryPasswords: passwordsIn(texts), keys, secrets: hidden };
  return { ...base, ...judge(values, keys, composed) };
}

function judge(
  values: Values,
  keys: string[],
  composed?: Readonly<Record<string, Composed>>,
): Pick<Configuration, "settings" | "problems"> {
  try {
    const settings = loadSettings(settingsIn(values), keys, undefined, composed);
    return { settings, problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [, ...lines] = error.message.split("\n");
    return { problems: lines.map((line) => line.trim()) };
  }
}

function textsIn(values: Values, keys: readonly string[]): Record<string, string> {
  const settings: readonly string[] = SETTINGS;
  const secret = keys.filter((key) => !settings.includes(key));
  const entries = secret.map((key) => [key, values[`${PROJECT}:${key}`]?.value] as const);
  return Object.fromEntries(
    entries.flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])),
  );
}

const passwordsIn = (texts: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).filter(([key]) => key.startsWith(passwordName(""))));

/** An object, or the JSON text of one, as `getObject` of the program takes both. */
function treeOf(shown: Shown | undefined): unknown {
  if (shown?.objectValue !== undefined || shown?.value === undefined) return shown?.objectValue;
  try {
    return JSON.parse(shown.value) as unknown;
  } catch {
    return shown.value;
  }
}

/** Every text in a value that is secret as a whole. */
function textsOf({ value, objectValue }: Shown): string[] {
  const stringsIn = (node: unknown): string[] => {
    if (typeof node === "string") return [node];
    return typeof node === "object" && node !== null ? Object.values(node).flatMap(stringsIn) : [];
  };
  return [...stringsIn(value), ...stringsIn(objectValue)];
}
