import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ShellVariables } from "../../node/scripts";
import type { Deployed, Pulumi } from "../../clients/pulumi/stack";
import type { Inventory } from "../../commands/site/inventory";
import type { Command } from "../../clients/process";
import type { Guest, Proxmox } from "../../clients/proxmox-backups";
import type { VmBackup } from "../../clients/proxmox-storage";
import type { Repository, Section } from "../../clients/backup-server";
import type { Snapshot } from "../../clients/snapshots";
import type { Owner, Owners } from "../../clients/pxar";
import type { PruneJob } from "../../clients/prune-jobs";
import type { BackupsConfig } from "../../config/schema";
import type { NodeShell } from "../../clients/ssh";
import { backupsOf, type Site } from "../../commands/site/site";
import { prodNode } from "./settings";

/** Prune jobs as `commands/backups/pbs-server` makes them for a node. */
export function pruneJobsOf(node: string, backups: BackupsConfig): PruneJob[] {
  const { server, volumes, configuration, images } = backups;
  const job = (kind: string): Pick<PruneJob, "id" | "store" | "ns" | "max-depth"> => ({
    id: `${node}-${kind}`,
    store: server.datastore,
    ns: `${node}/${kind}`,
    "max-depth": 0,
  });
  return [
    { ...job("volumes"), "keep-daily": volumes.keepDays },
    { ...job("configuration"), "keep-daily": configuration.keepDays },
    { ...job("images"), "keep-weekly": images.keepWeeks },
  ];
}

/** A node, its backups and its cluster as a test wants them; every order is written down. */
export class FakeSite implements Site {
  readonly name = "proj-docker02";
  node = prodNode();
  readonly backups = backupsOf(this.name, this.node);
  /** What was ordered, in its order. */
  readonly log: string[] = [];
  /** An order that begins so fails. */
  failing: string | undefined;
  /** Told of every order, to change what the next ones find. */
  onOrder: (what: string) => void = () => undefined;
  inventory: Inventory = {
    root: "/var/lib/docker",
    containers: [],
    volumes: [],
    images: [],
    networks: [],
    status: null,
  };
  readonly archives: Partial<
    Record<Section, { snapshot: Snapshot; files: Record<string, string> }[]>
  > = {};
  pruneJobs: PruneJob[] = pruneJobsOf(this.name, this.backups);
  deployed: Deployed[] = [];
  vmBackups: VmBackup[] = [];
  vm: Guest | undefined;
  /** What tasks of Proxmox VE warn of. */
  warnings: string | undefined;
  /** Answers of scripts by name, or by name and request of the Docker API. */
  readonly answers: Record<string, string> = {};
  time = new Date("2026-01-31T10:00:00Z");
  readonly now = (): Date => this.time;

  private order<T>(what: string, answer: T): Promise<T> {
    this.log.push(what);
    this.onOrder(what);
    return this.failing !== undefined && what.startsWith(this.failing)
      ? Promise.reject(new Error(`${this.failing} failed`))
      : Promise.resolve(answer);
  }

  readonly shell: NodeShell = {
    script: (name, variables) => {
      if (name === "recovery/inventory") return Promise.resolve(JSON.stringify(this.inventory));
      const what = FakeSite.label(name, variables);
      return this.order(what, this.answers[what] ?? this.answers[name] ?? "");
    },
    feed: (command, from: Command) =>
      this.order(`feed ${command.slice(0, 2).join(" ")} < ${from.program}`, ""),
    shown: (command) => command.join(" "),
  };

  private static label(name: string, v: ShellVariables): string {
    if (name === "recovery/api")
      return `api ${v.METHOD ?? ""} ${v.REQUEST_PATH ?? ""} ${v.BODY ?? ""}`.trim();
    if (name === "recovery/image") return `image ${v.IMAGE ?? ""} from ${v.SOURCE ?? ""}`;
    const words = [v.ACTION, v.VOLUME].filter((word) => word !== undefined);
    return [name, ...words].join(" ");
  }

  readonly repository: Repository = {
    snapshots: (section) =>
      Promise.resolve((this.archives[section] ?? []).map(({ snapshot }) => snapshot)),
    read: (section, snapshot, archive) =>
      Promise.resolve(this.files(section, snapshot)[archive] ?? ""),
    stream: (section, snapshot) => ({ program: `${section}/${snapshot.id}`, args: [] }),
    extract: (section, snapshot, _archive, directory) => {
      for (const [path, text] of Object.entries(this.files(section, snapshot))) {
        mkdirSync(dirname(join(directory, path)), { recursive: true });
        writeFileSync(join(directory, path), text);
      }
      return this.order(`extract ${section}`, undefined);
    },
    owners: (section, snapshot) => Promise.resolve(this.owners(section, snapshot)),
    shown: (section, { id }, archive) => `restore ${section} ${id} ${archive}`,
    pruneJobs: () => Promise.resolve(this.pruneJobs),
  };

  /** Owners other than who runs the test, by path. */
  readonly owned: Record<string, Owner> = {};

  private owners(section: Section, wanted: Snapshot): Owners {
    const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o644 };
    const paths = Object.keys(this.files(section, wanted)).flatMap((file) =>
      file.split("/").map((_, at, names) => names.slice(0, at + 1).join("/")),
    );
    return new Map(paths.map((path) => [path, this.owned[path] ?? own]));
  }

  private files(section: Section, wanted: Snapshot): Record<string, string> {
    const found = this.archives[section]?.find(({ snapshot }) => snapshot === wanted);
    return found?.files ?? {};
  }

  readonly proxmox: Proxmox = {
    backups: () => Promise.resolve(this.vmBackups),
    protectedLimit: () => Promise.resolve(5),
    guest: () => Promise.resolve(this.vm),
    backUp: async (vmId, storage) => {
      const volume = `${storage}:backup/vm/${vmId}/safety`;
      const warnings = await this.order(`vzdump ${vmId} ${storage}`, this.warnings);
      this.vmBackups = [{ volume, takenAt: this.time }, ...this.vmBackups];
      return warnings;
    },
    restore: (vmId, volume, force) =>
      this.order(`qmrestore ${volume} ${vmId}${force ? " --force" : ""}`, this.warnings),
    start: (vmId) => this.order(`qm start ${vmId}`, this.warnings),
    shutDown: (vmId) => this.order(`qm shutdown ${vmId}`, this.warnings),
    remove: (vmId) => this.order(`qm destroy ${vmId}`, this.warnings),
  };

  readonly pulumi: Pulumi = {
    configuration: () => Promise.resolve({ problems: [], secrets: [] }),
    readPublished: () => Promise.resolve({}),
    resources: () => Promise.resolve(this.deployed),
    up: (targets) =>
      this.order(`up ${targets.map((urn) => urn.split("::").at(-1)).join(" ")}`, undefined),
    shown: (targets) => `pulumi up of ${targets.length}`,
  };

  /** Adds a snapshot; give the newest first. */
  backedUp(section: Section, id: string, time: string, files: Record<string, unknown> = {}): void {
    const texts = Object.entries(files).map(([name, content]) => [
      name,
      typeof content === "string" ? content : JSON.stringify(content),
    ]);
    const snapshot = { id, takenAt: new Date(time) };
    const entry = { snapshot, files: Object.fromEntries(texts) as Record<string, string> };
    this.archives[section] = [...(this.archives[section] ?? []), entry];
  }
}
