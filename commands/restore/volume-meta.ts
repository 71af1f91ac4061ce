/** What a backup says of its volume. */
import { z } from "zod";

const texts = z.record(z.string(), z.string()).nullish();

/** `meta.conf` beside a volume's archive. */
export const metaSchema = z.object({
  driver: z.string().optional(),
  labels: texts,
  options: texts,
  /** How the volume was held still while it was read: stop, pause or none. */
  consistency: z.string().optional(),
  /** Digest of the tree at that time, by `tree_digest` of node/recovery/volume.sh. */
  digest: z.string().nullish(),
});
export type Meta = z.output<typeof metaSchema>;

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
