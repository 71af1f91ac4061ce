/** Connections from the workstation. */
import { connect, isIP } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** Whether an address answers. `silent` means that no reply came at all. */
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

/** A server, identified by its certificate. */
export interface Pinned {
  readonly host: string;
  readonly port: number;
  /** SHA-256 of its certificate, `AA:BB:…`. */
  readonly fingerprint: string;
}

/** Connects to a server and checks its certificate before anything is sent. */
export function connectPinned(
  { host, port, fingerprint }: Pinned,
  patience: number,
): Promise<TLSSocket> {
  const name = isIP(host) ? {} : { servername: host };
  return new Promise((resolve, reject) => {
    const options = { host, port, ...name, rejectUnauthorized: false, timeout: patience };
    const socket = connectTls(options, () => {
      if (socket.getPeerCertificate().fingerprint256 === fingerprint.toUpperCase()) resolve(socket);
      else socket.destroy(new Error("its certificate does not have the declared fingerprint"));
    });
    socket.on("timeout", () => socket.destroy(new Error("no answer in time")));
    socket.on("error", reject);
  });
}
