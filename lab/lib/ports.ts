/** Loopback ports for the lab's services. */
import { randomInt } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { runningService } from "./service";

/** Tries to listen on a loopback port; 0 means any. Returns the port, or undefined if it is taken. */
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

/** Tries twice, because a process that has just ended may hold its sockets a moment longer. */
async function tryAgain(port: number): Promise<number | undefined> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const free = await tryPort(port);
    if (free !== undefined) return free;
    await sleep(50);
  }
  return undefined;
}

/** The first port that the kernel gives to programs that ask for any (ip(7), ip_local_port_range). */
function firstEphemeral(): number {
  const [first] = fs.readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/);
  return Number(first);
}

/** Ports that labs of this folder have been given, even if nobody listens there yet. */
function readReserved(stateDir: string): Set<number> {
  const folder = path.dirname(stateDir);
  const labs = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const files = labs.flatMap((lab) =>
    listEntries(path.join(folder, lab)).map((name) => path.join(folder, lab, name)),
  );
  return new Set(files.map((file) => Number(contentOf(file))));
}

/** Port files of a lab; none of one that is being removed just now. */
function listEntries(lab: string): string[] {
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
 * Finds a port that stays free until its service starts, which for a VM's service may take minutes. So it is outside the
 * range that the kernel gives to other programs (such as pulumi's plugins), and no other lab has it.
 */
async function findPort(stateDir: string): Promise<number | undefined> {
  const end = firstEphemeral();
  const taken = readReserved(stateDir);
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(Math.min(10_000, end - 1), end);
    if (!taken.has(port) && (await tryPort(port)) !== undefined) return port;
  }
  return tryPort(0);
}

/**
 * Returns the loopback port of a service. It is the same as last time if that one is free, so that addresses which were
 * given out stay valid.
 */
export async function getPort(stateDir: string, name: string): Promise<number> {
  const running = runningService(stateDir, name);
  if (running) return running.port;
  const file = path.join(stateDir, `${name}.port`);
  const last = fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : 0;
  const port = (last > 0 ? await tryAgain(last) : undefined) ?? (await findPort(stateDir));
  if (port === undefined) throw new Error(`${name}: no free port on loopback`);
  fs.mkdirSync(stateDir, { recursive: true });
  fs.writeFileSync(file, `${port}\n`);
  return port;
}
