/** The disk image guests start from: Ubuntu's, or one like it built from Debian packages. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { findUpstreams } from "../services/mirror/sources";
import { buildOnce, cacheDir, contentHash } from "./cache";
import { run } from "./run";
import type { Log } from "./service";

export interface GuestImage {
  /** A qcow2 disk that boots by BIOS and reads a NoCloud seed. */
  path: string;
  sha256: string;
  os: "debian-13" | "ubuntu-24.04";
  origin: "built" | "downloaded";
}

const SOURCES = path.join(__dirname, "../image");
const UBUNTU = "https://cloud-images.ubuntu.com/noble/current";
const UBUNTU_FILE = "noble-server-cloudimg-amd64.img";

/**
 * Returns the guest image, from the cache if it is there.
 *
 * `DOCKER_NODE_LAB_IMAGE` chooses: `ubuntu` downloads, `debian` builds. By default it is Ubuntu's image if Ubuntu's site
 * answers, else Debian's. In CI it is always Debian's, so that the result does not depend on the site.
 */
export async function ensureImage(log: Log): Promise<GuestImage> {
  const choice = process.env["DOCKER_NODE_LAB_IMAGE"] || (process.env["CI"] ? "debian" : "any");
  if (!["ubuntu", "debian", "any"].includes(choice)) {
    throw new Error(`DOCKER_NODE_LAB_IMAGE is "${choice}": it can be "ubuntu" or "debian"`);
  }
  const checksum = choice === "debian" ? undefined : await readUbuntuChecksum();
  if (checksum) return downloadImage(checksum, log);
  if (choice !== "ubuntu") return buildGuestImage(log);
  throw new Error(`no checksum of ${UBUNTU_FILE} at ${ubuntuUrl()}`);
}

/** `DOCKER_NODE_LAB_UBUNTU` names a mirror of the directory with the image and its `SHA256SUMS`. */
const ubuntuUrl = (): string => process.env["DOCKER_NODE_LAB_UBUNTU"] || UBUNTU;

/** Reads the checksum of Ubuntu's current image. Undefined if the site does not answer within 5 s. */
async function readUbuntuChecksum(): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(5000);
    const response = await fetch(`${ubuntuUrl()}/SHA256SUMS`, { signal });
    const lines = response.ok ? (await response.text()).split("\n") : [];
    const line = lines.find((text) => text.endsWith(`*${UBUNTU_FILE}`));
    return line && /^[0-9a-f]{64}(?= )/.exec(line)?.[0];
  } catch {
    return undefined;
  }
}

async function downloadImage(sha256: string, log: Log): Promise<GuestImage> {
  const dir = cacheDir("image", `ubuntu-${sha256.slice(0, 20)}`);
  await buildOnce(dir, async (into) => {
    log("downloading Ubuntu's cloud image (about 600 MB, cached afterwards)");
    const response = await fetch(`${ubuntuUrl()}/${UBUNTU_FILE}`);
    if (!response.ok || !response.body) throw new Error(`${response.url}: ${response.statusText}`);
    const file = path.join(into, "guest.qcow2");
    await pipeline(Readable.fromWeb(response.body), fs.createWriteStream(file));
    const received = await hashFile(file);
    if (received !== sha256) throw new Error(`${response.url}: its hash is ${received}`);
  });
  return { path: path.join(dir, "guest.qcow2"), sha256, os: "ubuntu-24.04", origin: "downloaded" };
}

async function buildGuestImage(log: Log): Promise<GuestImage> {
  const dir = cacheDir("image", `debian-${contentHash([SOURCES])}`);
  await buildOnce(dir, async (into) => {
    log("building the guest image from Debian packages (about 1 min, cached afterwards)");
    const output = path.join(into, "guest.qcow2");
    const from = findUpstreams();
    await run(path.join(SOURCES, "build.sh"), [output, from.debian, from["debian-security"]]);
    const sidecar = JSON.stringify({ sha256: await hashFile(output) });
    fs.writeFileSync(path.join(into, "guest.json"), sidecar);
  });
  const sidecar = fs.readFileSync(path.join(dir, "guest.json"), "utf8");
  const { sha256 } = JSON.parse(sidecar) as { sha256: string };
  return { path: path.join(dir, "guest.qcow2"), sha256, os: "debian-13", origin: "built" };
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(fs.createReadStream(file), hash);
  return hash.digest("hex");
}
