/* Secrets, wherever they are in a resource's inputs. */
import { Secret } from "@pulumi/policy";

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/**
 * Paths of texts that hold a secret and are not typed as one, so that the state and every plan would show them.
 *
 * @param inputs with their secrets still wrapped
 * @param secrets values of the stack's secrets
 */
export function findPlainSecrets(inputs: unknown, secrets: readonly string[]): string[] {
  return findSecrets(
    inputs,
    "",
    (text) => PRIVATE_KEY.test(text) || secrets.some((one) => text.includes(one)),
  );
}

function findSecrets(value: unknown, path: string, isSecret: (text: string) => boolean): string[] {
  if (value instanceof Secret) return [];
  if (typeof value === "string") return isSecret(value) ? [path] : [];
  if (typeof value !== "object" || value === null) return [];
  const isList = Array.isArray(value);
  return Object.entries(value).flatMap(([key, one]) =>
    findSecrets(one, isList ? `${path}[${key}]` : [path, key].filter(Boolean).join("."), isSecret),
  );
}
