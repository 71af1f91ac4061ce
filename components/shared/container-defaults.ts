/*
 * What a container is given explicitly: the daemon's own defaults come back as a replacement
 * (terraform-provider-docker#473).
 */

export const LOGGING = {
  logDriver: "json-file",
  logOpts: { "max-size": "100m", "max-file": "3" },
} as const;

/** Memory limit. Docker would set swap to twice as much by itself, and that comes back as a difference. */
export function memoryLimit(mebibytes: number): { memory: number; memorySwap: number } {
  return { memory: mebibytes, memorySwap: mebibytes };
}
