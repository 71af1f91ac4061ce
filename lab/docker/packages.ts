/** Docker's packages as trees of files: how they are named, what they hold, what runs when they are installed. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { GuestImage } from "../lib/image";
import type { DockerPackage } from "./releases";

/** A guest's system, as Docker's repository and its versions name it. */
export interface Distribution {
  readonly id: "debian" | "ubuntu";
  readonly version: string;
  readonly codename: string;
}

export const DISTRIBUTIONS: Readonly<Record<GuestImage["os"], Distribution>> = {
  "debian-13": { id: "debian", version: "13", codename: "trixie" },
  "ubuntu-24.04": { id: "ubuntu", version: "24.04", codename: "noble" },
};

/** A package's version: `5:29.8.1-1~debian.13~trixie`. Docker and its client have an epoch. */
export function packageVersion({ name, version }: DockerPackage, on: Distribution): string {
  const epoch = /^docker-ce(-cli)?$/.test(name) ? "5:" : "";
  return `${epoch}${version}-1~${on.id}.${on.version}~${on.codename}`;
}

/** What dpkg reads of a package. `kib`: how much it takes, installed. */
export function controlFile(of: DockerPackage, on: Distribution, kib: number): string {
  const fields = {
    Package: of.name,
    Version: packageVersion(of, on),
    Architecture: "amd64",
    Maintainer: "The lab of docker-node <lab@docker-node.invalid>",
    "Installed-Size": String(kib),
    ...of.relations,
    Section: "admin",
    Priority: "optional",
    Description: `${of.name}, built for a lab from its Go module\n Upstream's code in a package of the lab's own. Not Docker's package.`,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  return lines.join("");
}

const SOURCES = path.join(__dirname, "packages");
const SCRIPTS = ["postinst", "prerm", "postrm"] as const;

/** Files of a package's folder that are neither units nor scripts, by where they go. */
const CONFIGURATION: Readonly<Record<string, string>> = {
  "config.toml": "etc/containerd/config.toml",
};

const read = (file: string): string => (fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "");

/** A maintainer script: what the package does by itself, then what is done with its units. */
export function maintainerScript(name: string, script: string, units: readonly string[]): string {
  const parts = [path.join(SOURCES, name, `${script}.sh`), path.join(SOURCES, `${script}.sh`)];
  return `#!/bin/sh\nset -e\nUNITS='${units.join(" ")}'\n${parts.map(read).join("")}`;
}

/** Text files of a package beside its programs, by path. Of `DEBIAN/`, scripts may be run. */
export function packageFiles(name: string): Record<string, string> {
  const folder = path.join(SOURCES, name);
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
  const units = names.filter((file) => /\.(service|socket)$/.test(file));
  const configuration = names.filter((file) => CONFIGURATION[file]);
  const files = [
    ...units.map((file) => [`usr/lib/systemd/system/${file}`, file] as const),
    ...configuration.map((file) => [CONFIGURATION[file] as string, file] as const),
  ].map(([to, file]) => [to, fs.readFileSync(path.join(folder, file), "utf8")] as const);
  const scripts = units.length > 0 ? SCRIPTS : [];
  const conffiles = configuration.map((file) => `/${CONFIGURATION[file] ?? ""}\n`).join("");
  return {
    ...Object.fromEntries(files),
    ...Object.fromEntries(
      scripts.map((script) => [`DEBIAN/${script}`, maintainerScript(name, script, units)]),
    ),
    ...(conffiles && { "DEBIAN/conffiles": conffiles }),
  };
}

/** Links of a package: dockerd looks for its init there, which is tini under another name. */
export const LINKS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "docker-ce": { "usr/libexec/docker/docker-init": "/usr/bin/tini-static" },
};
