/** What sshd of a node forwards to whoever may log in. */
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { ask } from "../../clients/process";
import { sshOptions } from "../../config/node";
import type { Forwards } from "../../lab/lib/forwards";
import type { Lab } from "../../lab/lib/services";
import { waitFor } from "./support";

/** What came of each way through sshd. */
export interface Forwarded {
  /** Of a port of the node (`ssh -W`): what it said, or what ssh said. */
  readonly port: string;
  /** Of a port that the node would listen to (`ssh -R`): `bound`, or what ssh said. */
  readonly back: string;
  /** Of Docker's socket (`ssh -L`): the status of its answer, or the error. */
  readonly socket: string;
}

/** Tries every way from outside. The connections are their own: one that is open keeps the settings it began with. */
export async function tryForwarding(
  { credentials, instance }: Lab,
  { ssh }: Forwards,
  hostKey: string,
): Promise<Forwarded> {
  const own = ["ControlPath=none", "ExitOnForwardFailure=yes"].flatMap((o) => ["-o", o]);
  const target = [...sshOptions({ ssh: credentials }, hostKey), ...own, "-p", String(ssh)];
  const say = async (options: string[], command: string[] = []): Promise<string> => {
    const args = [...target, ...options, "ubuntu@127.0.0.1", ...command];
    const { stdout, stderr } = await ask({ program: "ssh", args, limitMs: 120_000 });
    return (stdout + stderr).trim();
  };
  return {
    port: await say(["-W", "127.0.0.1:22"]),
    back: await say(["-R", "127.0.0.1:2222:127.0.0.1:22"], ["echo", "bound"]),
    socket: await askDocker(join(instance.runDir, "forwarded.sock"), target),
  };
}

/** Asks the node's Docker through a local socket, as `npm run lab` offers it. */
async function askDocker(socketPath: string, target: string[]): Promise<string> {
  const forward = ["-N", "-L", `${socketPath}:/var/run/docker.sock`, "ubuntu@127.0.0.1"];
  const ssh = spawn("ssh", [...target, ...forward], { stdio: "ignore" });
  try {
    await waitFor(() => Promise.resolve(existsSync(socketPath)), 120);
    return await new Promise((resolve) => {
      const asked = request({ socketPath, path: "/_ping", timeout: 60_000 }, (answer) => {
        answer.resume();
        resolve(String(answer.statusCode));
      });
      asked.on("error", ({ code }: NodeJS.ErrnoException) => {
        resolve(String(code));
      });
      asked.end();
    });
  } finally {
    ssh.kill();
    rmSync(socketPath, { force: true });
  }
}
