/** What a backup says of its volume. */

/** `meta.conf` beside a volume's archive. */
export interface Meta {
  readonly driver?: string;
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly options?: Readonly<Record<string, string>> | null;
  /** How the volume was held still while it was read: stop, pause or none. */
  readonly consistency?: string;
  /** Digest of the tree at that time, by `tree_digest` of node/recovery/volume.sh. */
  readonly digest?: string | null;
}

/** Whether nothing wrote to the volume while it was read. */
export const isHeldStill = ({ consistency }: Meta): boolean =>
  ["stop", "pause"].includes(consistency ?? "");

/**
 * Where a volume with options `type` or `device` has its data: Docker mounts it from there (moby, volume/local). The option `o` is
 * left out, because it may hold a password.
 */
export function placeOf({ options }: Meta): string | undefined {
  const { type, device } = options ?? {};
  const named = Object.entries({ type, device }).filter(([, value]) => value);
  return named.map(([name, value]) => `${name}=${value ?? ""}`).join(", ") || undefined;
}
