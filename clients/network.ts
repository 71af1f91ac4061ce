/** Connections from the workstation. */
import { createSocket } from "node:dgram";
import { connect, isIP } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** Whether a port answers. `silent` means that no reply came at all. */
export type Answer = "open" | "refused" | "silent";

/** Whether an address answers. */
export type Probe = (host: string, port: number) => Promise<Answer>;

const PROBE_LIMIT_MS = 1_500;

/** Whether anything answers a TCP connection; a refusal is an answer too. */
export const probe: Probe = (host, port) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_LIMIT_MS });
    const end = (outcome: Answer): void => {
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

/** Connections at once: few enough for every router on the way, and enough for all ports in some minutes. */
const atOnce = (ports: number): number => (ports > 2048 ? 512 : 64);

/** Tries every port of an address, some at a time. */
export async function scanPorts(
  host: string,
  ports: readonly number[],
  ask: Probe = probe,
): Promise<ReadonlyMap<number, Answer>> {
  const answers = new Map<number, Answer>();
  const left = ports.values();
  const takeWork = async (): Promise<void> => {
    for (const port of left) answers.set(port, await ask(host, port));
  };
  await Promise.all(Array.from({ length: atOnce(ports.length) }, takeWork));
  return new Map([...answers].sort(([a], [b]) => a - b));
}

/** The address of this machine from which packets to another one would leave. It sends none. */
export function findSource(host: string): Promise<string> {
  const socket = createSocket(isIP(host.split("%")[0] ?? "") === 6 ? "udp6" : "udp4");
  return new Promise<string>((resolve, reject) => {
    socket.on("error", reject);
    socket.connect(9, host, () => {
      resolve(socket.address().address);
    });
  }).finally(() => {
    socket.close();
  });
}

/** SHA-256 of the certificate that is served at an address, `AA:BB:…`. @throws Error when none is */
export function readFingerprint(host: string, port: number, patience = 20_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host, port, rejectUnauthorized: false, timeout: patience };
    const socket = connectTls(options, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("timeout", () => socket.destroy(new Error("no answer in time")));
    socket.on("error", reject);
  });
}

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
