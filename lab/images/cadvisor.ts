/** cAdvisor as an image: upstream's packages, built here. */
import * as fs from "node:fs";
import * as path from "node:path";

import { withScratch } from "../../clients/scratch";
import { buildGo } from "../lib/run";
import { unpackBusybox } from "./busybox";
import { writeLayout, type ImageSpec } from "./layout";

/** The program's Go module; the image's cache key is its content. */
const CADVISOR_SOURCE = path.join(__dirname, "cadvisor");

/** The module's version of cAdvisor, which the tag repeats. */
function readVersion(): string {
  const text = fs.readFileSync(path.join(CADVISOR_SOURCE, "go.mod"), "utf8");
  const [, version] = /^\tgithub\.com\/google\/cadvisor (v\S+)$/m.exec(text) ?? [];
  if (!version) throw new Error(`${CADVISOR_SOURCE}/go.mod names no version of cAdvisor`);
  return version;
}

const SECOND = 1_000_000_000;

/** The runtime part. An emulated node takes its time. */
const configOf = (version: string): ImageSpec["config"] => ({
  Entrypoint: ["/usr/bin/cadvisor"],
  Env: ["PATH=/usr/bin:/bin"],
  ExposedPorts: { "8080/tcp": {} },
  Healthcheck: {
    Test: ["CMD", "/usr/bin/cadvisor", "--check"],
    Interval: 30 * SECOND,
    Timeout: 30 * SECOND,
    StartPeriod: 120 * SECOND,
    Retries: 3,
  },
  Labels: {
    "org.opencontainers.image.description":
      "cAdvisor's packages under a command of docker-node's lab. Not the image that Google publishes.",
    "org.opencontainers.image.version": version,
  },
});

/** Writes the image: the program, and a shell as in Google's image. */
export async function buildCadvisorImage(layout: string): Promise<void> {
  await withScratch("cadvisor", async (temporary) => {
    const program = path.join(temporary, "cadvisor");
    await buildGo(CADVISOR_SOURCE, ".", program);
    const busybox = await unpackBusybox(temporary);
    const shell = [
      { path: "bin/busybox", mode: 0o755, content: fs.readFileSync(busybox) },
      ...["sh", "sleep"].map((name) => ({ path: `bin/${name}`, target: "busybox" })),
    ];
    await writeLayout(layout, {
      repository: "google/cadvisor",
      tag: readVersion(),
      files: [
        { path: "usr/bin/cadvisor", mode: 0o755, content: fs.readFileSync(program) },
        ...shell,
      ],
      config: configOf(readVersion()),
    });
  });
}
