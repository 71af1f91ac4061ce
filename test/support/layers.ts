/** An image of two layers on a node of ./node, as overlay2 has it under userns-remap. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fixtures, home, write } from "./node";

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];

/** Docker's root folder: its name says who the remapped root is, here whoever runs the test. */
export const DOCKER = `/var/lib/docker/${uid}.${gid}`;
export const LAYERS = `${DOCKER}/overlay2`;

/** Only real root may mark a folder as opaque. */
export const isRoot = uid === 0;

/** What is in each file. */
const TEXT = "a program";

type Entry = readonly [name: string, kind: string, mode?: number, target?: string];

/** Without some folders above, with a path through a link, and with names that are no text. */
const ENTRIES: Readonly<Record<string, readonly Entry[]>> = {
  base: [
    ["./", "folder", 0o700],
    ["./usr/bin/", "folder", 0o755],
    ["usr/bin/sh", "file", 0o755],
    ["lib", "link", 0o777, "usr/lib"],
    ["lib/x86/libc.so", "file", 0o644],
    ["usr/bin/su", "file", 0o4755],
    ["usr/bin/bash", "name", 0o755, "usr/bin/sh"],
    ["run/pipe", "pipe", 0o600],
    ["etc/ld.so.preload", "empty", 0o644],
    ["etc/new\nline", "file", 0o644],
    ["etc/caf\udce9", "file", 0o644],
  ],
  image: [
    ["usr", "folder", 0o755],
    ["usr/bin", "folder", 0o1777],
    ["/app/agent", "file", 0o755],
    [".wh.gone", "file", 0o600],
    ...(isRoot ? [["opt/.wh..wh..opq", "file", 0o600] as const] : []),
  ],
};

/** A path of the node's disk in a layer. */
export const onDisk = (layer: string, path = ""): string =>
  join(home, "root", LAYERS, layer, "diff", path);

/** Where dockerd keeps what it knows of its layers and images. */
const RECORDS = join("root", DOCKER, "image/overlay2");

/** Writes the files of a layer; returns its digest. */
function unpackLayer(layer: string): string {
  const kept = join(home, `${layer}.json.gz`);
  const given = [onDisk(layer), kept, TEXT, JSON.stringify(ENTRIES[layer])];
  const made = spawnSync("python3", [join(fixtures, "layers.py"), ...given], { encoding: "utf8" });
  expect(made.stderr).toBe("");
  return made.stdout.trim();
}

/** The folder around a layer, with the name that containers find it by. */
function makeLayer(name: string): void {
  mkdirSync(onDisk(name), { recursive: true });
  chmodSync(join(home, "root", LAYERS, name), 0o710);
  const short = name.toUpperCase();
  write(join("root", LAYERS, name, "link"), short);
  mkdirSync(join(home, "root", LAYERS, "l"), { recursive: true });
  symlinkSync(`../${name}/diff`, join(home, "root", LAYERS, "l", short));
}

/** Where the record of the image's last layer is, by the digests up to it (moby, layer.CreateChainID). */
const placeOf = ([base = "", image = ""]: readonly string[]): string =>
  `sha256/${createHash("sha256").update(`${base} ${image}`).digest("hex")}`;

/**
 * Writes what dockerd knows of the image and its layers; returns the image's id.
 *
 * @param last the layer whose archive the last one has
 */
export function recordImage(digests: readonly string[], last = "image"): string {
  const [base = ""] = digests;
  const layers = { base: [base.replace(":", "/"), "base"], image: [placeOf(digests), last] };
  for (const [layer, [place = "", source = ""]] of Object.entries(layers)) {
    write(join(RECORDS, "layerdb", place, "cache-id"), layer);
    const kept = join(home, RECORDS, "layerdb", place, "tar-split.json.gz");
    copyFileSync(join(home, `${source}.json.gz`), kept);
  }
  const configuration = JSON.stringify({ rootfs: { diff_ids: digests } });
  const digest = createHash("sha256").update(configuration).digest("hex");
  write(join(RECORDS, "imagedb/content/sha256", digest), configuration);
  return `sha256:${digest}`;
}

/** The processes of the node, and its kernel. */
export function makeKernel(): void {
  write("root/sys/module/overlay/parameters/redirect_dir", "N\n");
  for (const file of ["subuid", "subgid"]) {
    const start = file === "subuid" ? uid : gid;
    write(`root/etc/${file}`, `dockremap:${start}:65536\n`);
  }
  write("root/proc/self/mountinfo", "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
  mkdirSync(join(home, "root/proc/self/ns"), { recursive: true });
  symlinkSync("user:[1]", join(home, "root/proc/self/ns/user"));
}

/** Writes all of it, and of a container that runs on the image; returns the image's id and the digests of its layers. */
export function makeImage(): { id: string; digests: string[] } {
  for (const layer of ["one-init", "base", "image", "one"]) makeLayer(layer);
  makeKernel();
  const digests = ["base", "image"].map(unpackLayer);
  return { id: recordImage(digests), digests };
}

/** What a process has: its user, what is open, its user namespace and its mounts. */
interface Process {
  readonly user?: number;
  readonly links?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly mounts?: string;
}

/** Process 4242, with a thread 4243 that is as given. */
export function startProcess({ user = 165536, links = {}, namespace, mounts = "" }: Process): void {
  const threads = { 4242: 0, 4243: user };
  for (const [thread, id] of Object.entries(threads)) {
    const folder = `root/proc/${thread}`;
    write(`${folder}/status`, `Name:\tsleep\nUid:\t${id}\t${id}\t0\t0\n`);
    write(`${folder}/comm`, "sleep\n");
    write(`${folder}/mountinfo`, mounts);
    for (const name of ["fd", "map_files", "ns"])
      mkdirSync(join(home, folder, name), { recursive: true });
    symlinkSync(namespace ?? "user:[1]", join(home, folder, "ns/user"));
  }
  for (const [name, target] of Object.entries(links))
    symlinkSync(target, join(home, "root/proc/4243", name));
  for (const thread of Object.keys(threads))
    mkdirSync(join(home, `root/proc/4242/task/${thread}`), { recursive: true });
}
