/**
 * The backup container's image, for places without Proxmox's packages: the scripts of `node/backup/` at the
 * places its Dockerfile puts them, Debian's packages, and the lab's stand-in for the client.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { withScratch } from "../../clients/scratch";
import { getPbsPrograms } from "../lib/pbs";
import { buildGo } from "../lib/run";
import type { Log } from "../lib/service";
import { entriesBelow, unpackDebian } from "./debian";
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

/** What packages make when they are configured. supercronic runs its jobs by `/bin/sh`. */
const CONFIGURED: TarEntry[] = [
  { path: "usr/bin/sh", target: "bash" },
  { path: "etc/passwd", content: Buffer.from("root:x:0:0:root:/root:/bin/bash\n") },
  { path: "etc/group", content: Buffer.from("root:x:0:\n") },
];

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
  await withScratch("backup", async (temporary) => {
    const client = await getPbsPrograms(log);
    const root = await unpackDebian(PACKAGES, temporary);
    const supercronic = await buildSupercronic(temporary);
    const programs = [
      ...["proxmox-backup-client", "pxar"].map((name) =>
        programEntry(name, path.join(client, name)),
      ),
      programEntry("supercronic", supercronic),
    ];
    await writeLayout(layout, {
      repository: "docker-node/backup",
      tag: "lab",
      files: [...entriesBelow(root), ...CONFIGURED, ...readScripts(), ...programs],
      config: BACKUP_CONFIG,
    });
  });
}
