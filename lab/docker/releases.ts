/**
 * What Docker's packages are made of: which Go modules, in which versions, linked how. Versions are those that Docker built
 * 29.8.1 with (the Dockerfile of its module); tags and linker flags are those of each project's own build.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import type { GoOptions } from "../lib/run";

/** Releases of Docker that can be installed, oldest first. */
export const RELEASES = ["28.5.2", "29.8.0", "29.8.1"] as const;
export type Release = (typeof RELEASES)[number];

/** Folder with a Go module for each entry of `PROGRAMS`: it only pins. */
export const MODULES = path.join(__dirname, "modules");

/** Programs out of one Go module. */
export interface Programs {
  /** Folder below `MODULES`. */
  readonly module: string;
  /** Go packages by the name of their program. */
  readonly programs: Readonly<Record<string, string>>;
  readonly options: GoOptions;
}

/** The version of a module that `modules/<name>/go.mod` pins, without its `v` and `+incompatible`. */
export function pinnedVersion(name: string, of: string): string {
  const text = fs.readFileSync(path.join(MODULES, name, "go.mod"), "utf8");
  const line = `^(?:require )?\\s*${of.replaceAll(".", "\\.")} v(\\S+)`;
  const [, version] = new RegExp(line, "m").exec(text) ?? [];
  if (!version) throw new Error(`lab/docker/modules/${name}/go.mod does not name ${of}`);
  return version.replace("+incompatible", "");
}

/** `-X` for variables of a Go package. */
const set = (pkg: string, values: Record<string, string>): string =>
  Object.entries(values)
    .map(([name, value]) => `-X '${pkg}.${name}=${value}'`)
    .join(" ");

const CLI = "github.com/docker/cli";
const CONTAINERD = "github.com/containerd/containerd/v2";
const RUNC = "github.com/opencontainers/runc";
const BUILDX = "github.com/docker/buildx";
const COMPOSE = "github.com/docker/compose/v5";

/** The daemon's module, which has this name since 29. */
const mobyOf = (release: Release): string =>
  release.startsWith("28.") ? "github.com/docker/docker" : "github.com/moby/moby/v2";

/** As Docker's own programs say of themselves; the module's version stands for the commit. */
const PLATFORM = { PlatformName: "Docker Engine - Community" };

/** What containerd and buildx say of themselves. */
const versionInfo = (Version: string): Record<string, string> => ({ Version, Revision: Version });

/** With C: only then it knows project quotas (daemon/internal/quota), which `overlay2.size` takes. */
function dockerdPrograms(release: Release): Programs {
  const module = `dockerd-${release}`;
  const moby = mobyOf(release);
  const GitCommit = `v${pinnedVersion(module, moby)}`;
  return {
    module,
    programs: { dockerd: `${moby}/cmd/dockerd`, "docker-proxy": `${moby}/cmd/docker-proxy` },
    options: {
      cgo: true,
      tags: ["netgo", "osusergo", "static_build", "nri_no_wasm"],
      ldflags: set(`${moby}/dockerversion`, { Version: release, GitCommit, ...PLATFORM }),
    },
  };
}

function cliPrograms(release: Release): Programs {
  const module = `cli-${release}`;
  const values = { Version: release, GitCommit: `v${pinnedVersion(module, CLI)}`, ...PLATFORM };
  return {
    module,
    programs: { docker: `${CLI}/cmd/docker` },
    options: {
      tags: ["grpcnotrace"],
      // It has no go.mod, for which Go takes the language of 2021 and stumbles over its own files.
      gcflags: `${CLI}/cmd/docker=-lang=go1.26`,
      ldflags: set(`${CLI}/cli/version`, values),
    },
  };
}

const containerdPrograms = (): Programs => ({
  module: "containerd",
  programs: Object.fromEntries(
    ["containerd", "containerd-shim-runc-v2", "ctr"].map((name) => [
      name,
      `${CONTAINERD}/cmd/${name}`,
    ]),
  ),
  options: {
    tags: ["urfave_cli_no_docs", "osusergo", "netgo", "static_build"],
    ldflags: set(
      `${CONTAINERD}/version`,
      versionInfo(`v${pinnedVersion("containerd", CONTAINERD)}`),
    ),
  },
});

/** With C: it enters namespaces before Go's threads are there, and libseccomp compiles its filters. */
const runcPrograms = (): Programs => ({
  module: "runc",
  programs: { runc: RUNC },
  options: {
    cgo: true,
    tags: ["seccomp", "urfave_cli_no_docs", "netgo", "osusergo"],
    ldflags: set("main", { gitCommit: `v${pinnedVersion("runc", RUNC)}` }),
  },
});

const buildxPrograms = (): Programs => ({
  module: "buildx",
  programs: { "docker-buildx": `${BUILDX}/cmd/buildx` },
  options: {
    ldflags: set(`${BUILDX}/version`, versionInfo(`v${pinnedVersion("buildx", BUILDX)}`)),
  },
});

const composePrograms = (): Programs => ({
  module: "compose",
  programs: { "docker-compose": `${COMPOSE}/cmd` },
  options: {
    ldflags: set(`${COMPOSE}/internal`, { Version: `v${pinnedVersion("compose", COMPOSE)}` }),
  },
});

/** A package of Docker's repository, in one version. */
export interface DockerPackage {
  readonly name: string;
  /** Upstream's version; `packages.ts` makes a package's of it. */
  readonly version: string;
  readonly built: readonly Programs[];
  /** Where its programs go. */
  readonly bin: string;
  /** Fields of its control file that say how it stands to others. */
  readonly relations: Readonly<Record<string, string>>;
}

/** The relations are those of docker-ce-packaging; tini, which is no Go module, comes from the distribution. */
const dockerCe = (release: Release): DockerPackage => ({
  name: "docker-ce",
  version: release,
  built: [dockerdPrograms(release)],
  bin: "usr/bin",
  relations: {
    "Pre-Depends": "init-system-helpers (>= 1.54~)",
    Depends: "containerd.io (>= 2.1.5), docker-ce-cli, iptables, nftables, tini",
    Recommends: "apparmor, ca-certificates, git, pigz, procps, xz-utils",
    Conflicts: "docker.io",
    Replaces: "docker-ce-cli (<< 5:28.0.0)",
  },
});

const dockerCeCli = (release: Release): DockerPackage => ({
  name: "docker-ce-cli",
  version: release,
  built: [cliPrograms(release)],
  bin: "usr/bin",
  relations: {
    Recommends: "docker-buildx-plugin, docker-compose-plugin",
    Conflicts: "docker.io, docker-cli",
    Replaces: "docker-ce (<< 5:0)",
    Breaks: "docker-ce (<< 5:0)",
  },
});

const containerdIo = (): DockerPackage => ({
  name: "containerd.io",
  version: pinnedVersion("containerd", CONTAINERD),
  built: [containerdPrograms(), runcPrograms()],
  bin: "usr/bin",
  relations: {
    Provides: "containerd, runc",
    Conflicts: "containerd, runc",
    Replaces: "containerd, runc",
  },
});

const pluginPackage = (
  name: "buildx" | "compose",
  relations: Record<string, string>,
): DockerPackage => ({
  name: `docker-${name}-plugin`,
  version: pinnedVersion(name, name === "buildx" ? BUILDX : COMPOSE),
  built: [name === "buildx" ? buildxPrograms() : composePrograms()],
  bin: "usr/libexec/docker/cli-plugins",
  relations: { ...relations, Enhances: "docker-ce-cli" },
});

/** Every package of the repository. */
export const dockerPackages = (): DockerPackage[] => [
  ...RELEASES.flatMap((release) => [dockerCe(release), dockerCeCli(release)]),
  containerdIo(),
  pluginPackage("buildx", { Replaces: "docker-ce-cli" }),
  pluginPackage("compose", { Recommends: "docker-buildx-plugin (>= 0.17.0)" }),
];
