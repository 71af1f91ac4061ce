/** What the doctor does to the machine it runs on: run programs, open connections. */
import { execFile } from "node:child_process";
import { connect } from "node:net";
import type { Probe, Run } from "../commands/doctor/types";

const PROGRAM_LIMIT_MS = 60_000;
const PROBE_LIMIT_MS = 1_500;

/** Runs programs in a directory; never through a shell, never asking the user. */
export function runner(cwd: string): Run {
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true", PULUMI_NON_INTERACTIVE: "true" };
  return (command, args) =>
    new Promise((resolve) => {
      const options = { cwd, env, timeout: PROGRAM_LIMIT_MS, maxBuffer: 1 << 27 };
      const child = execFile(command, [...args], options, (error, stdout, stderr) => {
        const missing = error?.code === "ENOENT";
        const code = typeof error?.code === "number" ? error.code : 1;
        resolve({ code: missing ? undefined : error ? code : 0, stdout, stderr });
      });
      child.stdin?.end();
    });
}

/** Whether anything answers a TCP connection; a refusal is an answer too. */
export const probe: Probe = (host, port) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_LIMIT_MS });
    const end = (outcome: "open" | "refused" | "silent"): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.on("connect", () => {
      end("open");
    });
    socket.on("timeout", () => {
      end("silent");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      end(error.code === "ECONNREFUSED" ? "refused" : "silent");
    });
  });
