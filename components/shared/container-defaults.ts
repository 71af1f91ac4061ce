import { USUAL_CAPABILITIES } from "../../config/capabilities";

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

/** A capability as Docker's client writes it when it creates a container: in another form it comes back as a difference. */
export const nameCapability = (name: string): string => `CAP_${name}`;

/**
 * Leaves a container `kept` of what Docker gives it, and nothing else. The rest is dropped by name: whatever is added again
 * after ALL is a finding (CIS Docker 5.4), and what the container may do is the same.
 */
export function keepCapabilities(kept: readonly string[]): { drops: string[] } {
  const dropped = USUAL_CAPABILITIES.filter((name) => !kept.includes(name));
  return { drops: dropped.map(nameCapability) };
}
