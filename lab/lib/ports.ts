/** Loopback ports for the lab's services. */
import { randomInt } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { runningService } from "./service";

/** Can a listener be had on this loopback port? 0 asks for any; the answer is the port, or nothing. */
async function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => {
      resolve(undefined);
    });
    server.listen(port, "127.0.0.1", () => {
      const { port: free } = server.address() as net.AddressInfo;
      server.close(() => {
        resolve(free);
      });
    });
  });
}

/** A process that has just ended can hold its sockets a moment longer, while its last threads go. */
async function tryAgain(port: number): Promise<number | undefined> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const free = await tryPort(port);
    if (free !== undefined) return free;
    await sleep(50);
  }
  return undefined;
}

/** First of the ports that the kernel gives to whoever asks for any (ip(7), ip_local_port_range). */
function firstEphemeral(): number {
  const [first] = fs.readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/);
  return Number(first);
}

/** Ports that were given to labs of this folder, whether anybody listens there yet or not. */
function readReserved(stateDir: string): Set<number> {
  const folder = path.dirname(stateDir);
  const labs = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const files = labs.flatMap((lab) =>
    entries(path.join(folder, lab)).map((name) => path.join(folder, lab, name)),
  );
  return new Set(files.map((file) => Number(contentOf(file))));
}

/** Port files of a lab; none of one that is being removed just now. */
function entries(lab: string): string[] {
  try {
    return fs.readdirSync(lab).filter((name) => name.endsWith(".port"));
  } catch {
    return [];
  }
}

function contentOf(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/**
 * A port that stays free until its service starts. A VM's service starts minutes later. So it is no port that the
 * kernel could give to another program meanwhile (pulumi's plugins ask for some), and none of another lab.
 */
async function freePort(stateDir: string): Promise<number | undefined> {
  const end = firstEphemeral();
  const taken = readReserved(stateDir);
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(Math.min(10_000, end - 1), end);
    if (!taken.has(port) && (await tryPort(port)) !== undefined) return port;
  }
  return tryPort(0);
}

/**
 * The port a service listens on or will listen on: a free one on loopback, the same as last time if it can be
 * had again, so that whoever was told it need not be told anew.
 */
export async function servicePort(stateDir: string, name: string): Promise<number> {
  const running = runningService(stateDir, name);
  if (running) return running.port;
  const file = path.join(stateDir, `${name}.port`);
  const last = fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : 0;
  const port = (last > 0 ? await tryAgain(last) : undefined) ?? (await freePort(stateDir));
  if (port === undefined) throw new Error(`${name}: no free port on loopback`);
  fs.mkdirSync(stateDir, { recursive: true });
  fs.writeFileSync(file, `${port}\n`);
  return port;
}
