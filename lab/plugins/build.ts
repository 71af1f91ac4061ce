/** Builds Pulumi and the bridged providers from Go modules, into the lab's cache. */
import * as fs from "node:fs";
import * as path from "node:path";

import { isAtLeast } from "../../clients/versions";
import { buildOnce, cacheDir, contentHash } from "../lib/cache";
import { run } from "../lib/run";

type Log = (line: string) => void;

/** Go modules of this directory, each with the files its result depends on. */
const MODULES = {
  pulumi: ["go.mod", "go.sum"],
  bridge: ["go.mod", "go.sum", "cmd", "docker", "generated/generated.go", "proxmoxve"],
};

/** The providers cmd/tfgen knows. */
const PROVIDERS = ["docker", "proxmoxve"];

/** Flags of every build: nothing of this machine in the result, no symbols, and no Compose resource. */
const FLAGS = ["-trimpath", "-buildvcs=false", "-tags=no_compose"];
const STRIP = "-s -w";

const BUILD_LIMIT_MS = 40 * 60 * 1000;

/** The directive `go` of a module, or the version it requires of another. */
function requiredVersion(module: string, what: string): string {
  const text = fs.readFileSync(path.join(__dirname, module, "go.mod"), "utf8");
  const found = new RegExp(`^\\s*${what.replaceAll(".", "\\.")} v?(\\S+)`, "m").exec(text);
  if (!found?.[1]) throw new Error(`lab/plugins/${module}/go.mod does not name ${what}`);
  return found[1];
}

/** The version of Pulumi the lab builds. */
export function pinnedPulumi(): string {
  return requiredVersion("pulumi", "github.com/pulumi/pulumi/pkg/v3");
}

/** The Go version a module would be built with, or an error that says how to get one that can. */
async function findGoVersion(module: string): Promise<string> {
  const wanted = requiredVersion(module, "go");
  const select = `export GOTOOLCHAIN=go${wanted}+auto`;
  const options = { cwd: path.join(__dirname, module) };
  const version = await run("go", ["env", "GOVERSION"], options).catch((cause: unknown) => {
    const install = `sudo apt-get install golang-go && ${select}`;
    throw new Error(`the lab's pulumi is built with Go ${wanted}; run: ${install}`, { cause });
  });
  if (isAtLeast(version, wanted)) return version.trim();
  throw new Error(`the lab's pulumi needs Go ${wanted}, this is ${version.trim()}; run: ${select}`);
}

/** Copies the sources of a module, so that building leaves no trace in the repository. */
function copySources(module: keyof typeof MODULES, to: string): void {
  for (const name of MODULES[module]) {
    fs.cpSync(path.join(__dirname, module, name), path.join(to, name), { recursive: true });
  }
}

/** Builds packages of the module in `cwd` to a file or directory. */
async function buildPackages(
  cwd: string,
  ldflags: string,
  out: string,
  packages: string[],
): Promise<void> {
  const args = ["build", ...FLAGS, `-ldflags=${ldflags}`, "-o", out, ...packages];
  await run("go", args, { cwd, timeoutMs: BUILD_LIMIT_MS });
}

async function buildPulumi(source: string, bin: string): Promise<void> {
  const version = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";
  const ldflags = `${STRIP} -X ${version}=v${pinnedPulumi()}`;
  const main = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
  await buildPackages(source, ldflags, path.join(bin, "pulumi"), [main]);
}

/** Schema and metadata first, as the plugins embed them. */
async function buildBridge(source: string, bin: string): Promise<void> {
  const tfgen = path.join(source, "tfgen");
  await buildPackages(source, STRIP, tfgen, ["./cmd/tfgen"]);
  for (const name of PROVIDERS) {
    const out = path.join(source, "generated", name);
    await run(tfgen, [name, "schema", "--skip-docs", "--skip-examples", "--out", out]);
  }
  const packages = PROVIDERS.map((name) => `./cmd/pulumi-resource-${name}`);
  await buildPackages(source, STRIP, `${bin}${path.sep}`, packages);
}

/** Builds a module once per content, Go version and platform; returns the directory of its programs. */
async function buildModule(module: keyof typeof MODULES, what: string, log: Log): Promise<string> {
  const sources = MODULES[module].map((name) => path.join(__dirname, module, name));
  const platform = `${process.platform}/${process.arch}`;
  const key = contentHash([...sources, __filename], await findGoVersion(module), platform);
  const dir = await buildOnce(cacheDir("pulumi", `${module}-${key}`), async (into) => {
    log(`building ${what} from Go modules (about 4 min, cached afterwards)`);
    const started = Date.now();
    const source = path.join(into, "source");
    fs.mkdirSync(path.join(into, "bin"));
    copySources(module, source);
    await (module === "pulumi" ? buildPulumi : buildBridge)(source, path.join(into, "bin"));
    fs.rmSync(source, { recursive: true });
    log(`built ${what} in ${Math.round((Date.now() - started) / 1000)} s`);
  });
  return path.join(dir, "bin");
}

/** Path of the `pulumi` program built from Go modules. */
export async function getPulumi(log: Log): Promise<string> {
  return path.join(await buildModule("pulumi", "Pulumi", log), "pulumi");
}

/** Path of a bridged provider built from Go modules. */
export async function getProvider(name: "docker" | "proxmoxve", log: Log): Promise<string> {
  const bin = await buildModule("bridge", "the Proxmox and Docker plugins", log);
  return path.join(bin, `pulumi-resource-${name}`);
}
