/**
 * The lab's copy of Docker's apt repository: upstream's programs, built from Go modules, in packages of the lab's own with
 * Docker's names, versions and layout. Kept in the cache under a hash of these sources.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { buildOnce, cacheDir, contentHash } from "../lib/cache";
import type { GuestImage } from "../lib/image";
import type { Prerequisite } from "../lib/prerequisites";
import { buildGo, run } from "../lib/run";
import type { Log } from "../lib/service";
import { DISTRIBUTIONS, LINKS, controlFile, packageFiles, type Distribution } from "./packages";
import { MODULES, dockerPackages, type DockerPackage, type Programs } from "./releases";

export interface DockerRepository {
  /** What `https://download.docker.com` has below itself: `linux/debian/gpg`, `linux/debian/dists/…`. */
  readonly directory: string;
  /** Path of the distribution's part below it. */
  readonly path: string;
  /** Fingerprint of the key that signs it. */
  readonly fingerprint: string;
}

/** Programs and headers that building takes. */
export const repositoryPrerequisites: readonly Prerequisite[] = [
  { command: "apt-ftparchive", package: "apt-utils" },
  { command: "gpg", package: "gnupg" },
  { command: "gcc", package: "gcc" },
  { command: "/usr/include/stdlib.h", package: "libc6-dev" },
  { command: "/usr/include/seccomp.h", package: "libseccomp-dev" },
];

/** The repository for a guest's system; 10 minutes of two processors the first time. */
export async function ensureDockerRepository(
  os: GuestImage["os"],
  log: Log,
): Promise<DockerRepository> {
  const on = DISTRIBUTIONS[os];
  const programs = await getPrograms(log);
  const key = contentHash([__dirname], ...programs.values(), os);
  const directory = await buildOnce(cacheDir("docker", `repository-${key}`), async (into) => {
    log("docker: packing Docker's packages, once");
    const trees = path.join(into, "trees");
    for (const each of dockerPackages()) await plant(trees, each, on, programs);
    const part = path.join(into, "linux", on.id);
    await run(path.join(__dirname, "repository.sh"), [trees, part, on.codename]);
    fs.rmSync(trees, { recursive: true });
  });
  const part = `linux/${on.id}`;
  const fingerprint = fs.readFileSync(path.join(directory, part, "fingerprint"), "utf8").trim();
  return { directory, path: part, fingerprint };
}

/**
 * Folder of the programs of each module, built if its pins are new.
 *
 * @param only folders below `modules/`; default: all
 */
export async function getPrograms(
  log: Log,
  only?: readonly string[],
): Promise<Map<string, string>> {
  const folders = new Map<string, string>();
  for (const each of dockerPackages().flatMap(({ built }) => built))
    if (only?.includes(each.module) ?? true) folders.set(each.module, await build(each, log));
  return folders;
}

async function build({ module, programs, options }: Programs, log: Log): Promise<string> {
  const source = path.join(MODULES, module);
  const go = await run("go", ["env", "GOVERSION"], { cwd: source });
  const key = contentHash([source], go, JSON.stringify([programs, options]));
  return buildOnce(cacheDir("docker", `${module}-${key}`), async (into) => {
    log(`docker: building ${module} from its Go module, once`);
    const began = Date.now();
    for (const [name, pkg] of Object.entries(programs))
      await buildGo(source, pkg, path.join(into, name), options);
    log(`docker: built ${module} in ${Math.round((Date.now() - began) / 1000)} s`);
  });
}

/** Lays out what goes into a package. */
async function plant(
  trees: string,
  of: DockerPackage,
  on: Distribution,
  programs: Map<string, string>,
): Promise<void> {
  const tree = path.join(trees, `${of.name}_${of.version}`);
  const put = (file: string): string => {
    const full = path.join(tree, file);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    return full;
  };
  for (const { module, programs: named } of of.built)
    for (const name of Object.keys(named))
      fs.copyFileSync(path.join(programs.get(module) ?? "", name), put(path.join(of.bin, name)));
  for (const [file, text] of Object.entries(packageFiles(of.name))) {
    const script = file.startsWith("DEBIAN/p");
    fs.writeFileSync(put(file), text, { mode: script ? 0o755 : 0o644 });
  }
  for (const [link, target] of Object.entries(LINKS[of.name] ?? {}))
    fs.symlinkSync(target, put(link));
  const kib = Number((await run("du", ["-sk", tree])).split("\t")[0]);
  fs.writeFileSync(put("DEBIAN/control"), controlFile(of, on, kib));
}
