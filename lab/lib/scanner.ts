/**
 * The lab's scanner of images: Trivy itself, built from its Go module, a small database of vulnerabilities that are made up
 * (`lab/scanner/database.json`), and three images, one of which has some of them.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { writeArtifact, writeLayout, type ImageReference } from "../images/layout";
import { buildOnce, cacheDir, contentHash } from "./cache";
import { pushLayout } from "./registry";
import { buildGo, run } from "./run";
import type { Log, Service } from "./service";

const MODULE = path.join(__dirname, "../scanner");
const PROGRAMS = { trivy: "github.com/aquasecurity/trivy/cmd/trivy", database: "./cmd/database" };

/** Trivy asks for it (pkg/x/json). */
export const SCANNER_OPTIONS = { experiments: ["jsonv2"] };

/** The folder of `trivy` and `database`, built once: a quarter of an hour of two processors the first time. */
export async function buildScanner(log: Log): Promise<string> {
  const sources = ["cmd", "go.mod", "go.sum"].map((name) => path.join(MODULE, name));
  return buildOnce(cacheDir("scanner", contentHash(sources)), async (into) => {
    log("scanner: building Trivy from its Go module, once (about 15 min)");
    for (const [name, pkg] of Object.entries(PROGRAMS))
      await buildGo(MODULE, pkg, path.join(into, name), SCANNER_OPTIONS);
  });
}

/** What the lab's registry has for scans. */
export interface Scannable {
  readonly database: ImageReference;
  /** An image with vulnerabilities of each severity in the database. */
  readonly vulnerable: ImageReference;
  /** One without. */
  readonly sound: ImageReference;
  /** One of a release past its end of life: nothing is known against it. */
  readonly outdated: ImageReference;
}

/** Puts database and images into a registry. The database is made anew, since Trivy refuses one that is too old. */
export async function seedScannable(
  registry: Service,
  folder: string,
  log: Log,
): Promise<Scannable> {
  const layoutAt = (name: string): string => path.join(folder, name);
  fs.mkdirSync(folder, { recursive: true });
  await writeDatabase(layoutAt("database"), log);
  await writeLayout(layoutAt("vulnerable"), alpineImage("vulnerable", "1.0.0-r0"));
  await writeLayout(layoutAt("sound"), alpineImage("sound", "1.0.1-r1", { name: "lab-program" }));
  await writeLayout(layoutAt("outdated"), alpineImage("outdated", "1.0.0-r0", { release: "3.14" }));
  return {
    database: await pushLayout(registry, layoutAt("database"), log),
    vulnerable: await pushLayout(registry, layoutAt("vulnerable"), log),
    sound: await pushLayout(registry, layoutAt("sound"), log),
    outdated: await pushLayout(registry, layoutAt("outdated"), log),
  };
}

/** Media types of Trivy's databases (trivy, pkg/db/db.go, and the workflow that publishes trivy-db). */
const MEDIA = {
  config: "application/vnd.aquasec.trivy.config.v1+json",
  layer: "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
  title: "db.tar.gz",
};

async function writeDatabase(layout: string, log: Log): Promise<void> {
  const program = path.join(await buildScanner(log), "database");
  const folder = `${layout}.files`;
  fs.rmSync(folder, { recursive: true, force: true });
  await run(program, [path.join(MODULE, "database.json"), folder]);
  const files = ["trivy.db", "metadata.json"].map((name) => ({
    path: name,
    content: fs.readFileSync(path.join(folder, name)),
  }));
  await writeArtifact(layout, { repository: "scanner/trivy-db", tag: "2", files }, MEDIA);
}

/** An image of which Trivy sees a distribution and one package. Its release `edge` is never past its end of life. */
function alpineImage(
  repository: string,
  version: string,
  { name = "lab-library", release = "edge" } = {},
) {
  const entry = `P:${name}\nV:${version}\nA:x86_64\nL:MIT\no:${name}\n\n`;
  const files = {
    "etc/alpine-release": `${release}\n`,
    "etc/os-release": `ID=alpine\nVERSION_ID=${release}\nPRETTY_NAME="Alpine Linux ${release}"\n`,
    "lib/apk/db/installed": entry,
  };
  return {
    repository: `scanner/${repository}`,
    tag: version,
    files: Object.entries(files).map(([file, text]) => ({
      path: file,
      content: Buffer.from(text),
    })),
    config: {},
  };
}
