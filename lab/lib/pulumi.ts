/**
 * Pulumi and its plugins for the lab. Released ones are used if they are installed or can be downloaded. Otherwise they are
 * built from Go modules; the one plugin that is no Go module has a stand-in.
 */
import * as fs from "node:fs";
import * as path from "node:path";

import { getPulumi, getProvider, pinnedPulumi } from "../plugins/build";
import { findOfficialPulumi, findOfficialPlugin } from "../plugins/official";
import { buildOnce, cacheDir, contentHash } from "./cache";

type Log = (line: string) => void;

export type PluginName = "proxmoxve" | "docker" | "command";

export interface Plugin {
  version: string;
  /** `official`: upstream's release; `built`: upstream's code, built here; `stand-in`: the lab's own. */
  origin: "official" | "built" | "stand-in";
  /** The program that pulumi starts. */
  path: string;
}

export interface PulumiHome {
  /** Becomes PULUMI_HOME. */
  home: string;
  /** The `pulumi` program. */
  cli: string;
  /** For `PulumiCommand.get({ root })` of the Automation API. */
  root: string;
  version: string;
  origin: "official" | "built";
  plugins: Record<PluginName, Plugin>;
}

const ROOT = path.resolve(__dirname, "../..");
const STAND_IN = path.join(ROOT, "lab/plugins/command/pulumi-resource-command");

/** What starts a policy pack where pulumi comes without a language host. */
const POLICY_HOST = path.join(ROOT, "lab/plugins/policy/pulumi-analyzer-policy-nodejs");

/** The npm package whose version each plugin must have. */
const PACKAGES: Record<PluginName, string> = {
  proxmoxve: "@muhlba91/pulumi-proxmoxve",
  docker: "@pulumi/docker",
  command: "@pulumi/command",
};

/** A plugin before it is put in place: the names of its files, and their sources. */
interface Source extends Omit<Plugin, "path"> {
  files: Record<string, string>;
}

/** The version of a plugin, as package.json pins its SDK. */
function pluginVersion(name: PluginName): string {
  const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const version = manifest.dependencies[PACKAGES[name]];
  if (!version || !/^\d/.test(version)) throw new Error(`package.json must pin ${PACKAGES[name]}`);
  return version;
}

const programOf = (name: PluginName): string => `pulumi-resource-${name}`;

/** Chooses the source of a plugin: the release, else the build, else the stand-in. */
async function findPluginSource(
  name: PluginName,
  pulumi: string | undefined,
  log: Log,
): Promise<Source> {
  const version = pluginVersion(name);
  const official = await findOfficialPlugin(name, version, pulumi, log);
  if (official) {
    const names = fs.readdirSync(official);
    const files = Object.fromEntries(names.map((file) => [file, path.join(official, file)]));
    return { version, origin: "official", files };
  }
  if (name === "command") {
    return { version, origin: "stand-in", files: { [programOf(name)]: STAND_IN } };
  }
  return { version, origin: "built", files: { [programOf(name)]: await getProvider(name, log) } };
}

/** Links a file, or writes a script that starts it if the program depends on its own path. */
function place(target: string, file: string): void {
  if (target !== STAND_IN) fs.symlinkSync(target, file);
  else fs.writeFileSync(file, `#!/bin/sh\nexec '${target}' "$@"\n`, { mode: 0o755 });
}

/** Puts the parts into the layout of a Pulumi home. */
function assemble(home: string, cli: string, plugins: Record<PluginName, Source>): void {
  fs.mkdirSync(path.join(home, "bin"));
  fs.symlinkSync(cli, path.join(home, "bin/pulumi"));
  for (const [name, plugin] of Object.entries(plugins)) {
    const dir = path.join(home, "plugins", `resource-${name}-v${plugin.version}`);
    fs.mkdirSync(dir, { recursive: true });
    for (const [file, target] of Object.entries(plugin.files)) {
      place(target, path.join(dir, file));
    }
  }
  const analyzer = path.join(home, "plugins", "analyzer-policy-nodejs-v1.0.0");
  fs.mkdirSync(analyzer);
  fs.copyFileSync(POLICY_HOST, path.join(analyzer, path.basename(POLICY_HOST)));
}

/** The plugin as it lies in the assembled home. */
function placePlugin(home: string, name: PluginName, source: Source): Plugin {
  const { version, origin } = source;
  const file = path.join(home, "plugins", `resource-${name}-v${version}`, programOf(name));
  return { version, origin, path: file };
}

/**
 * Returns a ready pulumi with its plugins. The first call on a machine may build them, which takes some minutes. The
 * results are in the lab's cache, so later calls return at once.
 */
export async function ensurePulumi(log: Log): Promise<PulumiHome> {
  const official = await findOfficialPulumi();
  const cli = official?.path ?? (await getPulumi(log));
  const sources = {
    proxmoxve: await findPluginSource("proxmoxve", official?.path, log),
    docker: await findPluginSource("docker", official?.path, log),
    command: await findPluginSource("command", official?.path, log),
  };
  const key = contentHash([POLICY_HOST], cli, JSON.stringify(sources));
  const home = await buildOnce(cacheDir("pulumi", `home-${key}`), (into) => {
    assemble(into, cli, sources);
  });
  return {
    home,
    cli: path.join(home, "bin/pulumi"),
    root: home,
    version: official?.version ?? `v${pinnedPulumi()}`,
    origin: official ? "official" : "built",
    plugins: {
      proxmoxve: placePlugin(home, "proxmoxve", sources.proxmoxve),
      docker: placePlugin(home, "docker", sources.docker),
      command: placePlugin(home, "command", sources.command),
    },
  };
}

/** Variables of the workstation's own Docker and Proxmox settings. The providers must not see them. */
const FOREIGN = /^(DOCKER_(HOST|CONTEXT|CERT_PATH|SSH_OPTS|.*_MATERIAL)|(PROXMOX|PM)_VE_.*)$/;

/**
 * Variables to add to pulumi's environment: its home, no downloads or update checks, and empty values for settings that
 * do not belong to the lab. The caller adds PULUMI_BACKEND_URL.
 */
export function pulumiEnv(pulumi: PulumiHome): Record<string, string> {
  const foreign = Object.keys(process.env).filter((name) => FOREIGN.test(name));
  return {
    ...Object.fromEntries(foreign.map((name) => [name, ""])),
    DOCKER_HOST: "",
    PULUMI_HOME: pulumi.home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}
