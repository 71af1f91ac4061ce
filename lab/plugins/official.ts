/** Finds released programs: the installed pulumi, and plugins that it has or can download. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { isAtLeast } from "../../clients/versions";
import { buildOnce, cacheDir } from "../lib/cache";
import { run } from "../lib/run";

/** The oldest installed Pulumi that the lab accepts. */
const OLDEST = "3.200.0";

/** Without network an attempt ends at once, or after this, and is not repeated for a day. */
const FETCH_LIMIT_MS = 60_000;
const RETRY_MS = 24 * 60 * 60 * 1000;

/** Where plugins come from that Pulumi does not publish itself. */
const SERVERS: Partial<Record<string, string>> = {
  proxmoxve: "github://api.github.com/muhlba91/pulumi-proxmoxve",
};

/** The `pulumi` on PATH when it is new enough; one the lab built does not count. */
export async function findOfficialPulumi(): Promise<{ path: string; version: string } | undefined> {
  const directories = (process.env["PATH"] ?? "").split(path.delimiter).filter(Boolean);
  const found = directories.map((dir) => path.join(dir, "pulumi")).find((f) => fs.existsSync(f));
  if (!found || isOurs(found)) return undefined;
  try {
    const version = (await run(found, ["version"], { timeoutMs: 20_000 })).trim();
    return isAtLeast(version, OLDEST) ? { path: found, version } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a file is in the lab's own cache, links there, or is the `pulumi` of a running lab (`cliEnv`). */
function isOurs(file: string): boolean {
  if (file.startsWith(path.join(__dirname, "../../.lab") + path.sep)) return true;
  const cache = cacheDir();
  return (
    fs.existsSync(cache) && fs.realpathSync(file).startsWith(fs.realpathSync(cache) + path.sep)
  );
}

const pluginDir = (home: string, name: string, version: string): string =>
  path.join(home, "plugins", `resource-${name}-v${version}`);

/** The plugin in the user's own Pulumi home. */
function findInstalled(name: string, version: string): string | undefined {
  const home = process.env["PULUMI_HOME"] || path.join(os.homedir(), ".pulumi");
  const dir = pluginDir(home, name, version);
  const program = path.join(dir, `pulumi-resource-${name}`);
  return fs.existsSync(program) && !isOurs(dir) ? dir : undefined;
}

/** Whether a download of this failed within the last day. */
function triedInVain(marker: string): boolean {
  return fs.existsSync(marker) && Date.now() - fs.statSync(marker).mtimeMs < RETRY_MS;
}

async function fetchPlugin(pulumi: string, name: string, version: string): Promise<string> {
  const home = await buildOnce(cacheDir("pulumi", `official-${name}-${version}`), async (into) => {
    const server = SERVERS[name] ? ["--server", SERVERS[name]] : [];
    const args = ["plugin", "install", "resource", name, version, ...server];
    const env = { PULUMI_HOME: into, PULUMI_SKIP_UPDATE_CHECK: "true" };
    await run(pulumi, args, { env, timeoutMs: FETCH_LIMIT_MS });
    fs.accessSync(path.join(pluginDir(into, name, version), `pulumi-resource-${name}`));
  });
  return pluginDir(home, name, version);
}

/**
 * Returns the directory of a released plugin: an installed one, or one that the given `pulumi` downloads. Undefined if
 * there is none.
 */
export async function findOfficialPlugin(
  name: string,
  version: string,
  pulumi: string | undefined,
  log: (line: string) => void,
): Promise<string | undefined> {
  const present = findInstalled(name, version);
  if (present || !pulumi) return present;
  const marker = cacheDir("pulumi", `official-${name}-${version}.unavailable`);
  if (triedInVain(marker)) return undefined;
  try {
    return await fetchPlugin(pulumi, name, version);
  } catch (error) {
    log(`plugin ${name} ${version} cannot be downloaded: ${(error as Error).message}`);
    fs.writeFileSync(marker, "");
    return undefined;
  }
}
