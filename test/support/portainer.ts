/** A Portainer on loopback for tests: the lab's stand-in, or one that answers as a test says. */
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A self-signed certificate. */
export interface Identity {
  readonly key: string;
  readonly cert: string;
  readonly fingerprint: string;
}

export function selfSigned(addresses: readonly string[] = ["127.0.0.1"]): Identity {
  const folder = mkdtempSync(join(tmpdir(), "portainer-"));
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  const names = addresses.map((address) => `IP:${address}`).join(",");
  const subject = ["-subj", "/CN=portainer", "-addext", `subjectAltName=${names}`];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync(
    "openssl",
    ["req", "-x509", ...curve, "-days", "2", ...subject, "-keyout", key, "-out", cert],
    {
      stdio: "ignore",
    },
  );
  const pem = readFileSync(cert, "utf8");
  const identity = { key: readFileSync(key, "utf8"), cert: pem };
  rmSync(folder, { recursive: true });
  return { ...identity, fingerprint: new X509Certificate(pem).fingerprint256 };
}

/** Starts a server; its URL. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that answers everything in one way. */
export const answering = ({ key, cert }: Identity, answer: RequestListener): Server =>
  createServer({ key, cert }, answer);

export function close(server: Server): void {
  server.closeAllConnections();
  server.close();
}
