/** Loopback ports for the lab's services. */
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

/**
 * The port a service listens on, or shall: a free one on loopback, the same as last time if it can be
 * had again, so that whoever was told it need not be told anew.
 */
export async function servicePort(stateDir: string, name: string): Promise<number> {
  const running = runningService(stateDir, name);
  if (running) return running.port;
  const file = path.join(stateDir, `${name}.port`);
  const last = fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : 0;
  const port = (last > 0 ? await tryAgain(last) : undefined) ?? (await tryPort(0));
  if (port === undefined) throw new Error(`${name}: no free port on loopback`);
  fs.mkdirSync(stateDir, { recursive: true });
  fs.writeFileSync(file, `${port}\n`);
  return port;
}
