/** Which secrets settings need, of the table in config/secrets.ts, and which of them are missing or too short. */
import type { Settings } from "./load";
import { SECRETS, secretOf, type Secret, type SecretName } from "./secrets";

/** Whether these settings need a secret. */
export const isNeeded = (name: SecretName, settings: Settings): boolean =>
  secretOf(name).needed(settings).length > 0;

/**
 * Returns the secrets that these settings need but do not have, each by the name to set it by: the one for the whole stack
 * where there is one.
 */
export function missingSecrets(
  has: (name: string) => boolean,
  settings?: Settings,
): readonly Secret[] {
  return SECRETS.flatMap((secret: Secret) => {
    const unmet = secret.needed(settings).filter((names) => !names.some(has));
    const names = new Set(unmet.map((each) => each.at(-1) ?? secret.name));
    return [...names].map((name) => ({ ...secret, name }));
  });
}

/** Secrets that these settings need and that are too short, each by the name it is set by. */
export function findShortSecrets(
  textOf: (name: string) => string | undefined,
  settings?: Settings,
): readonly Secret[] {
  return SECRETS.flatMap((secret: Secret) => {
    const set = secret.needed(settings).map((names) => names.find((name) => textOf(name)));
    return set.flatMap((name) =>
      name !== undefined && (textOf(name) ?? "").length < secret.minLength
        ? [{ ...secret, name }]
        : [],
    );
  });
}
