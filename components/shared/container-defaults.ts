/*
 * Set explicitly, because otherwise the daemon's defaults come back as differences that replace the container
 * (terraform-provider-docker#473).
 */

export const LOGGING = {
  logDriver: "json-file",
  logOpts: { "max-size": "100m", "max-file": "3" },
} as const;

/** Limits memory and swap. Without a swap limit, Docker sets one of twice the memory, which comes back as a difference. */
export function memoryLimit(mebibytes: number): { memory: number; memorySwap: number } {
  return { memory: mebibytes, memorySwap: mebibytes };
}
