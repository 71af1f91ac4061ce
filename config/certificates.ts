import { X509Certificate } from "node:crypto";

const BLOCK = /-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----/g;

/**
 * The certificates in a PEM text.
 * @throws Error if one of them cannot be parsed
 */
export function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
}

/** Whether a text holds certificates and nothing else. */
export function isPem(text: string): boolean {
  try {
    return certificatesIn(text).length > 0 && text.replace(BLOCK, "").trim() === "";
  } catch {
    return false;
  }
}
