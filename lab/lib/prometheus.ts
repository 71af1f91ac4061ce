/** Programs of Prometheus for tests, out of Debian's packages. They are not installed: their services would start. */
import { spawnSync } from "node:child_process";
import * as path from "node:path";

import { buildOnce, cacheDir, contentHash } from "./cache";
import { unpackPackages } from "./packages";
import type { Log } from "./service";

const PACKAGES = ["prometheus", "prometheus-alertmanager"];

/** What is unpacked depends on the host's own release. */
const SOURCES = [path.join(__dirname, "packages.ts"), "/etc/os-release"];

const unpackedDir = (): string => cacheDir("prometheus", contentHash(SOURCES, ...PACKAGES));

const BIN = "root/usr/bin";

/** The folder of `prometheus`, `promtool` and `prometheus-alertmanager`, downloaded once. */
export async function ensurePrometheus(log: Log): Promise<string> {
  const unpacked = await buildOnce(unpackedDir(), async (into) => {
    log("downloading Prometheus and Alertmanager (Debian packages, cached afterwards)");
    await unpackPackages(PACKAGES, into);
  });
  return path.join(unpacked, BIN);
}

/**
 * A command line that runs a program of {@link ensurePrometheus}'s folder with the files of its package: Debian's programs look for
 * them below /usr/share and nowhere else.
 */
export function withItsFiles(program: string, args: readonly string[]): string[] {
  const share = path.join(path.dirname(program), "../share");
  const script = 'mount --bind "$0" /usr/share && exec "$@"';
  const namespaces = ["unshare", "--map-root-user", "--mount"];
  return [...namespaces, "sh", "-c", script, share, program, ...args];
}

/** The `promtool` that is there: the host's, else the lab's. Undefined before `npm run lab -- build`. */
export function findPromtool(): string | undefined {
  const places = ["promtool", path.join(unpackedDir(), BIN, "promtool")];
  return places.find((program) => spawnSync(program, ["--version"]).status === 0);
}
