/** Trivy on the workstation: what is known against an image, and what the image is made of. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { ScanRequest, ScanSecrets } from "../config/image-scan";
import { DOCKER_HUB } from "../config/registries";
import { parseJson } from "./answer";
import { withLock } from "./lock";
import { ask, type Ran } from "./process";
import { parseImage } from "./registry";
import { withScratch } from "./scratch";
import { readReport, type Report } from "./trivy-report";

const version = z.looseObject({
  VulnerabilityDB: z.looseObject({ UpdatedAt: z.string() }).optional(),
});

/** What Trivy found. */
export interface Scanned extends Report {
  /** When the database was made, ISO 8601; undefined where a server has it. */
  readonly database?: string;
  /** What the image is made of, as CycloneDX's JSON. */
  readonly sbom: string;
}

/** Trivy did not get to a result. The message says why. */
class ScannerUnavailable extends Error {
  override readonly name = "ScannerUnavailable";
}

/** Milliseconds that a scan may take; Trivy's own limit is a minute less. */
const LIMIT_MS = 16 * 60_000;

/**
 * Scans an image in its registry, by its digest. What it finds depends on the digest and the database alone: neither files of
 * the current folder, nor variables of this process, nor other services are asked.
 * @throws ScannerUnavailable
 */
export async function scanImage(request: ScanRequest, secrets: ScanSecrets): Promise<Scanned> {
  const cache = cacheOf(request);
  // One process alone may use Trivy's cache.
  return withScratch("scan", (folder) =>
    withLock(join(cache, "lock"), () => scanIn({ folder, cache, request, secrets })),
  );
}

/** A folder for each source of vulnerabilities: one source's database counts for no other. */
function cacheOf({ scan: { server, database, javaDatabase } }: ScanRequest): string {
  const source = JSON.stringify([server?.url, database, javaDatabase]);
  const key = createHash("sha256").update(source).digest("hex").slice(0, 12);
  const root = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(root, "docker-node-scans", key);
}

interface Place {
  /** For this scan alone; removed after it. */
  readonly folder: string;
  /** Trivy's own; it stays. */
  readonly cache: string;
  readonly request: ScanRequest;
  readonly secrets: ScanSecrets;
}

async function scanIn(place: Place): Promise<Scanned> {
  const { folder, cache, request } = place;
  const [json, sbom] = [join(folder, "report.json"), join(folder, "sbom.json")];
  const authorities = writeAccess(place);
  await runTrivy(place, [...imageArgs(place, authorities), "--output", json, imageAt(request)]);
  await runTrivy(place, ["convert", "--format", "cyclonedx", "--output", sbom, json]);
  const told = await runTrivy(place, ["version", "--format", "json", "--cache-dir", cache]);
  return {
    ...readReport(readFileSync(json, "utf8")),
    database: request.scan.server
      ? undefined
      : parseJson(version, told.stdout, "trivy version").VulnerabilityDB?.UpdatedAt,
    sbom: readFileSync(sbom, "utf8"),
  };
}

function imageArgs({ cache, request: { scan, registries } }: Place, authorities: string[]) {
  return [
    ...["image", "--format", "json", "--list-all-pkgs", "--scanners", "vuln", "--no-progress"],
    ...["--image-src", "remote", "--platform", "linux/amd64", "--offline-scan"],
    ...["--skip-version-check", "--disable-telemetry", "--timeout", "15m", "--cache-dir", cache],
    ...authorities,
    ...(scan.server ? ["--server", scan.server.url] : []),
    ...(scan.database ? ["--db-repository", locateFor(scan.database, registries)] : []),
    ...(scan.javaDatabase
      ? ["--java-db-repository", locateFor(scan.javaDatabase, registries)]
      : []),
  ];
}

/** An image or a database, as the workstation reaches its registry. */
function locateFor(name: string, registries: ScanRequest["registries"]): string {
  const { host } = parseImage(name);
  const at = addressOf(host, registries);
  return at === host ? name : name.replace(host, at);
}

/** Where the workstation reaches a registry. */
function addressOf(host: string, registries: ScanRequest["registries"]): string {
  const { endpoint } = registries[host] ?? {};
  return endpoint ? `${endpoint.host}:${endpoint.port}` : host;
}

/** The image by its digest alone, which is what the node pulls. */
function imageAt({ image, registries }: ScanRequest): string {
  const { host, repository, digest } = parseImage(image);
  return locateFor(`${host}/${repository}@${digest}`, registries);
}

/** Name by which credentials for Docker Hub are looked up (docker/cli, config/configfile). */
const HUB_KEY = "https://index.docker.io/v1/";

/** Writes credentials, as docker has them, and authorities into files that this user alone reads; arguments for the latter. */
function writeAccess({ folder, request: { scan, registries }, secrets }: Place): string[] {
  const auths = Object.entries(registries).flatMap(([host, { username }]) => {
    const password = secrets.passwords[host];
    if (username === undefined || password === undefined) return [];
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    const at = addressOf(host, registries);
    return [[at === DOCKER_HUB ? HUB_KEY : at, { auth }] as const];
  });
  const config = JSON.stringify({ auths: Object.fromEntries(auths) });
  writeFileSync(join(folder, "config.json"), config, { mode: 0o600 });
  const all = [scan.server, ...Object.values(registries)];
  const trusted = all.flatMap((one) => one?.caCertificate?.trim() ?? []);
  if (trusted.length === 0) return [];
  const file = join(folder, "authorities.pem");
  writeFileSync(file, `${trusted.join("\n")}\n`);
  return ["--cacert", file];
}

async function runTrivy(place: Place, args: readonly string[]): Promise<Ran> {
  const { program } = place.request.scan;
  const command = { program, args, cwd: place.folder, env: variablesOf(place), limitMs: LIMIT_MS };
  const ran = await ask(command);
  if (ran.code === undefined) throw new ScannerUnavailable(`${program} is not installed here`);
  if (ran.code !== 0) throw new ScannerUnavailable(reasonOf(ran));
  return ran;
}

/** Trivy's own variables would change what it finds; an empty one counts as none. */
function variablesOf({ folder, secrets }: Place): Record<string, string> {
  const others = Object.keys(process.env).filter((name) => name.startsWith("TRIVY_"));
  return {
    ...Object.fromEntries(others.map((name) => [name, ""])),
    DOCKER_CONFIG: folder,
    ...(secrets.token === undefined ? {} : { TRIVY_TOKEN: secrets.token }),
  };
}

/** How much of an error is told. */
const TOLD = 600;

/** Trivy's last words, in one line. */
function reasonOf({ code, stderr }: Ran): string {
  const [, fatal] = /FATAL\s+(?:Fatal error\s+)?([^]*)$/.exec(stderr) ?? [];
  const said = (fatal ?? stderr.split("\n").slice(-3).join(" ")).replace(/\s+/g, " ").trim();
  return said ? said.slice(0, TOLD) : `trivy ended with status ${code ?? ""}`;
}
