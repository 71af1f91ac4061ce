/** Connections from the workstation. */
import { connect } from "node:net";

/** What answers at an address: nothing at all is `silent`. */
export type Probe = (host: string, port: number) => Promise<"open" | "refused" | "silent">;

const PROBE_LIMIT_MS = 1_500;

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
