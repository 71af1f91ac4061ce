/**
 * The backup container's image, for places without Proxmox's packages: the scripts of `node/backup/` at the
 * places its Dockerfile puts them, Debian's packages, and the lab's stand-in for the client.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { getPbsPrograms } from "../lib/pbs";
import { buildGo, run } from "../lib/run";
import type { Log } from "../lib/service";
import { findUpstreams } from "../services/mirror/sources";
import { writeLayout, type ImageSpec } from "./layout";
import type { TarEntry } from "./tar";

const SCRIPTS = path.join(__dirname, "../../node/backup");
const SUPERCRONIC = path.join(__dirname, "supercronic");

/** What the image is made from; its cache key is their content. */
export const BACKUP_SOURCES = [SCRIPTS, SUPERCRONIC, path.join(__dirname, "../pbs")];

export const backupPrerequisites = [
  { command: "mmdebstrap", package: "mmdebstrap" },
  {
    command: "/usr/share/keyrings/debian-archive-keyring.gpg",
    package: "debian-archive-keyring",
  },
];

const PACKAGES = [
  ...["bash", "coreutils", "findutils", "grep", "sed", "tar"],
  ...["util-linux", "mount", "jq", "docker-cli", "libc-bin", "base-files"],
];

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

/** What packages make when they are configured. supercronic runs its jobs by `/bin/sh`. */
const CONFIGURED: TarEntry[] = [
  { path: "usr/bin/sh", target: "bash" },
  { path: "etc/passwd", content: Buffer.from("root:x:0:0:root:/root:/bin/bash\n") },
  { path: "etc/group", content: Buffer.from("root:x:0:\n") },
];

/**
 * Debian's packages below a directory, unpacked only: nothing of them is configured, so no root is needed
 * beyond what mmdebstrap takes itself.
 */
async function unpackDebian(directory: string): Promise<string> {
  const [archive, root] = [path.join(directory, "root.tar"), path.join(directory, "root")];
  const { debian, "debian-security": security } = findUpstreams();
  const suites = ["trixie", "trixie-updates"].map((suite) => `deb ${debian} ${suite} main`);
  const options = [
    ...["--variant=extract", "--format=tar", "--components=main", "--quiet"],
    ...[`--include=${PACKAGES.join(",")}`, '--aptopt=Acquire::Languages "none"'],
  ];
  const sources = [...suites, `deb ${security} trixie-security main`];
  await run("mmdebstrap", [...options, "trixie", archive, ...sources]);
  fs.mkdirSync(root);
  const excluded = LEFT_OUT.map((pattern) => `--exclude=${pattern}`);
  await run("tar", [
    "-x",
    "-C",
    root,
    "--no-same-owner",
    "--wildcards",
    ...excluded,
    "-f",
    archive,
  ]);
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

/** Scripts that are commands. */
export const BACKUP_COMMANDS = ["backup", "healthcheck", "entrypoint"];

/** Scripts as node/backup/Dockerfile has them. */
function readScripts(): TarEntry[] {
  const names = fs.readdirSync(SCRIPTS).filter((name) => /\.(sh|jq|paths)$/.test(name));
  const files = names.map((name) => ({
    path: `usr/local/lib/docker-node/${name}`,
    mode: BACKUP_COMMANDS.includes(path.basename(name, ".sh")) ? 0o755 : 0o644,
    content: fs.readFileSync(path.join(SCRIPTS, name)),
  }));
  const links = BACKUP_COMMANDS.map((name) => ({
    path: `usr/local/bin/${name}`,
    target: `../lib/docker-node/${name}.sh`,
  }));
  return [...files, ...links, { path: "etc/docker-node", mode: 0o700 }];
}

const programEntry = (name: string, file: string): TarEntry => ({
  path: `usr/local/bin/${name}`,
  mode: 0o755,
  content: fs.readFileSync(file),
});

/** With time zones, so that a schedule is the node's own time. */
async function buildSupercronic(directory: string): Promise<string> {
  const output = path.join(directory, "supercronic");
  await buildGo(SUPERCRONIC, "github.com/aptible/supercronic", output, {
    tags: ["timetzdata"],
  });
  return output;
}

const SECOND = 1_000_000_000;

/** The runtime part, as in the Dockerfile. */
export const BACKUP_CONFIG: ImageSpec["config"] = {
  Entrypoint: ["entrypoint"],
  Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  Healthcheck: {
    Test: ["CMD", "healthcheck"],
    Interval: 60 * SECOND,
    Timeout: 30 * SECOND,
    StartPeriod: 1800 * SECOND,
    Retries: 1,
  },
  Labels: {
    "org.opencontainers.image.description":
      "Backup container of docker-node for its lab: proxmox-backup-client and pxar are stand-ins, not Proxmox software.",
  },
};

/** Writes the image. Its digest changes when the scripts, the stand-in or Debian's packages do. */
export async function buildBackupImage(layout: string, log: Log): Promise<void> {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "docker-node-backup-"));
  try {
    const client = await getPbsPrograms(log);
    const [root, supercronic] = [await unpackDebian(temporary), await buildSupercronic(temporary)];
    const programs = ["proxmox-backup-client", "pxar"].map((name) =>
      programEntry(name, path.join(client, name)),
    );
    await writeLayout(layout, {
      repository: "docker-node/backup",
      tag: "lab",
      files: [
        ...entriesBelow(root),
        ...CONFIGURED,
        ...readScripts(),
        ...programs,
        programEntry("supercronic", supercronic),
      ],
      config: BACKUP_CONFIG,
    });
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}
