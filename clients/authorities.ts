/** The certificate authorities that this machine trusts. */
import { existsSync, readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";

/** Where distributions keep the certificates they trust; the provider, a Go program, reads the same (crypto/x509). */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/** Reads the certificates that this machine trusts, so that the doctor and the provider agree. */
export function readTrusted(environment: NodeJS.ProcessEnv = process.env): string[] {
  const file = [environment["SSL_CERT_FILE"] ?? "", ...BUNDLES].find((name) => existsSync(name));
  return file ? [...rootCertificates, readFileSync(file, "utf8")] : [...rootCertificates];
}

/** Reads these certificates, and those of NODE_EXTRA_CA_CERTS: Node ignores that variable if a request names its authorities. */
export function readAuthorities(): string[] {
  const extra = process.env["NODE_EXTRA_CA_CERTS"];
  return [...readTrusted(), ...(extra ? [readFileSync(extra, "utf8")] : [])];
}
