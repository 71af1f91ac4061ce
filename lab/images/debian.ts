/** Files of Debian's packages, for images. */
import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../lib/run";
import { findUpstreams } from "../services/mirror/sources";
import type { TarEntry } from "./tar";

/** Left out: documents, and what Docker itself provides (devices) or what names the host that builds. */
const LEFT_OUT = [
  ...["./dev/*", "./boot", "./home", "./media", "./mnt", "./opt", "./srv", "./usr/include"],
  ...["doc", "man", "info", "locale", "bash-completion", "zsh", "fish", "lintian", "perl5"].map(
    (name) => `./usr/share/${name}`,
  ),
  ...[
    "./usr/lib/systemd",
    "./usr/libexec/docker/cli-plugins",
    "./usr/lib/*/gconv",
    "./usr/bin/openssl",
  ],
  ...["./usr/lib/*/perl-base", "./usr/bin/perl*", "./var/cache", "./var/lib/apt", "./var/lib/dpkg"],
  ...["./var/log", "./etc/apt", "./etc/dpkg", "./etc/hostname", "./etc/resolv.conf"],
];

/**
 * Debian's packages and what they depend on below a directory, unpacked only: nothing of them is configured, so no root is needed
 * beyond what mmdebstrap takes itself.
 */
export async function unpackDebian(
  packages: readonly string[],
  directory: string,
): Promise<string> {
  const [archive, root] = [path.join(directory, "root.tar"), path.join(directory, "root")];
  const { debian, "debian-security": security } = findUpstreams();
  const suites = ["trixie", "trixie-updates"].map((suite) => `deb ${debian} ${suite} main`);
  const options = [
    ...["--variant=extract", "--format=tar", "--components=main", "--quiet"],
    ...[`--include=${packages.join(",")}`, '--aptopt=Acquire::Languages "none"'],
  ];
  const sources = [...suites, `deb ${security} trixie-security main`];
  await run("mmdebstrap", [...options, "trixie", archive, ...sources]);
  fs.mkdirSync(root);
  const excluded = LEFT_OUT.map((pattern) => `--exclude=${pattern}`);
  const into = ["-C", root, "--no-same-owner", "--wildcards", ...excluded];
  await run("tar", ["-x", ...into, "-f", archive]);
  return root;
}

/** Everything below a directory, as entries of an archive that belong to root. */
export function entriesBelow(root: string, relative = ""): TarEntry[] {
  return fs.readdirSync(path.join(root, relative), { withFileTypes: true }).flatMap((found) => {
    const name = relative ? `${relative}/${found.name}` : found.name;
    const full = path.join(root, name);
    if (found.isSymbolicLink()) return [{ path: name, target: fs.readlinkSync(full) }];
    const mode = fs.statSync(full).mode & 0o7777;
    if (found.isDirectory()) return [{ path: name, mode }, ...entriesBelow(root, name)];
    return found.isFile()
      ? [{ path: name, mode: mode & 0o777, content: fs.readFileSync(full) }]
      : [];
  });
}
