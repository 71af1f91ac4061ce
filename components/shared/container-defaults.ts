/*
 * Set explicitly: otherwise the daemon's defaults come back as a replacement
 * (terraform-provider-docker#473).
 */

export const LOGGING = {
  logDriver: "json-file",
  logOpts: { "max-size": "100m", "max-file": "3" },
} as const;

/** Memory limit, with swap set too: otherwise Docker sets swap to twice as much, which comes back as a difference. */
export function memoryLimit(mebibytes: number): { memory: number; memorySwap: number } {
  return { memory: mebibytes, memorySwap: mebibytes };
}
