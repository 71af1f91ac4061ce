/** Starts the lab's package mirror (`lab/services/mirror.ts`). */
import * as fs from "node:fs";
import * as http from "node:http";
import * as path from "node:path";

import { findUpstreams } from "../services/mirror/sources";
import { cacheDir } from "./cache";
import type { GuestImage } from "./image";
import { getPort } from "./ports";
import { startService, type Log, type Service } from "./service";

const SCRIPT = path.join(__dirname, "../services/mirror.ts");

/** Whether an HTTP server answers on this loopback port. */
export async function answersHttp(port: number, target = "/"): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get(
      { host: "127.0.0.1", port, path: target, timeout: 2000 },
      (response) => {
        response.resume();
        resolve(true);
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", () => {
      resolve(false);
    });
  });
}

/**
 * Starts the mirror for a lab instance, or finds it running.
 *
 * @param o.stateDir the instance's state: `mirror.log` is the access log
 * @param o.files directory whose files are served below `/files/`
 * @param o.docker directory that is served below `/docker/`; may not be there
 */
export async function startMirror(
  o: { stateDir: string; files: string; docker: string },
  log: Log,
): Promise<Service> {
  const port = await getPort(o.stateDir, "mirror");
  const from = findUpstreams();
  const cache = cacheDir("mirror");
  fs.mkdirSync(o.files, { recursive: true });
  fs.mkdirSync(cache, { recursive: true });
  log(`mirror: packages from ${from.debian} and ${from["debian-security"]}`);
  const args = ["--require", require.resolve("tsx/cjs"), SCRIPT, "--port", String(port)];
  args.push("--files", path.resolve(o.files), "--docker", path.resolve(o.docker));
  args.push("--cache", cache);
  args.push("--debian", from.debian, "--debian-security", from["debian-security"]);
  const isReady = (): Promise<boolean> => answersHttp(port);
  const { stateDir } = o;
  return startService(
    { name: "mirror", command: process.execPath, args, stateDir, port, ready: isReady },
    log,
  );
}

/** Links the image into the directory that the mirror serves. A copy would take some hundred megabytes. */
export function publishImage(
  stateDir: string,
  image: GuestImage,
): { directory: string; name: string } {
  const directory = path.join(stateDir, "files");
  const name = `${image.os}-${image.sha256.slice(0, 12)}.qcow2`;
  fs.mkdirSync(directory, { recursive: true });
  if (!fs.existsSync(path.join(directory, name)))
    linkOrCopy(image.path, path.join(directory, name));
  return { directory, name };
}

function linkOrCopy(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch {
    fs.copyFileSync(from, to);
  }
}
