/**
 * Types a document's commands as a reader would: bash runs them one after the other, in a folder that looks like
 * the repository. Programs that need a cluster, a server or a VM are recorders; every other is the real one, and
 * one that nobody provided for is an error.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ROOT, type Command } from "./documents";
import { makeScratch } from "./scratch";

/** What a program was called with. */
export type Call = readonly string[];

/** Programs that are only recorded. What some of them print is what the next command reads. */
const RECORDED: Readonly<Record<string, string>> = {
  docker: "",
  go: "",
  npm: "",
  // The script is the one that the real command prints; its own test is that of the doctor.
  npx: 'case " $* " in *" --print-role "*) cat "$READER_SCRIPT" ;; esac',
  pulumi: "",
  "proxmox-backup-client": "",
  pvesm: "",
  pveum: `case "$*" in *list*) echo '[{"roleid":"DockerNode"}]' ;; esac`,
  rm: "",
  scp: "",
  // Another machine is this one: what it is told to run is run.
  ssh: 'shift; "$@"',
};

const REAL = ["bash", "sh", "grep", "sort", "cat", "openssl", "ssh-keygen"];

const RECORD = `#!/bin/bash
{ printf '%s\\0' "\${0##*/}" "$@"; printf '\\n\\0'; } >>"$READER_CALLS"
`;

/** Files a reader has by the time a document names them. */
const FILES = {
  ".ssh/config": "",
  "backup-key.json": "{}",
  "examples/consumer/Pulumi.yaml": "",
  "ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA",
};

/** Folders of files that a reader has on a server, here in the folder of the commands. */
const SERVER_FOLDER = / \/etc\/(ssh|proxmox-backup)\//;

/** Writes a certificate of a server. */
export function makeCertificate(file: string): void {
  const subject = ["-subj", "/CN=pbs01", "-days", "1"];
  const key = ["-newkey", "ed25519", "-nodes", "-keyout", "/dev/null"];
  execFileSync("openssl", ["req", "-x509", ...key, ...subject, "-out", file], { stdio: "pipe" });
}

/** Placeholders such as `<uuid>` are what a reader replaces. */
const filledIn = (line: string): string => line.replace(/<[A-Za-z][^<>]*>/g, "value");

/** Runs the commands of one document. */
export class Reader {
  private readonly folder = makeScratch();

  /** @param roleScript what `doctor --print-role` prints */
  constructor(roleScript: string) {
    const bin = join(this.folder, "bin");
    mkdirSync(bin);
    for (const [name, body] of Object.entries(RECORDED)) {
      writeFileSync(join(bin, name), `${RECORD}${body}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    for (const name of REAL) symlinkSync(pathOf(name), join(bin, name));
    for (const [name, text] of Object.entries({ ...FILES, "printed.sh": roleScript })) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true });
      writeFileSync(join(this.folder, name), text);
    }
    makeCertificate(join(this.folder, "proxy.pem"));
    copyFileSync(
      join(ROOT, "commands/doctor/proxmox-role.sh"),
      join(this.folder, "proxmox-role.sh"),
    );
  }

  /**
   * Types the lines; what they called, in their order.
   * @throws Error with bash's own words at the first line that fails
   */
  type(commands: readonly Command[]): Call[] {
    const calls = join(this.folder, "calls");
    writeFileSync(calls, "");
    const lines = commands.map(({ line }) => filledIn(line).replace(SERVER_FOLDER, " "));
    const env = {
      HOME: this.folder,
      PATH: join(this.folder, "bin"),
      READER_CALLS: calls,
      READER_SCRIPT: join(this.folder, "printed.sh"),
    };
    const options = { cwd: this.folder, env, input: "typed\n", encoding: "utf8" } as const;
    const script = ["set -euo pipefail", ...lines].join("\n");
    const { status, stderr } = spawnSync(pathOf("bash"), ["-c", script], options);
    if (status !== 0) throw new Error(`status ${status ?? "none"}: ${stderr}`);
    const records = readFileSync(calls, "utf8").split("\n\0");
    return records
      .filter((record) => record !== "")
      .map((record) => record.split("\0").slice(0, -1));
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function pathOf(program: string): string {
  const found = ["/usr/bin", "/bin"].map((folder) => join(folder, program)).find(existsSync);
  return found ?? execFileSync("which", [program], { encoding: "utf8" }).trim();
}
