import type * as docker from "@pulumi/docker";
import { USUAL_CAPABILITIES } from "../../config/capabilities";
import type { NodeConfig } from "../../config/schema";

/*
 * Set explicitly, because otherwise the daemon's defaults come back as differences that replace the container
 * (terraform-provider-docker#473).
 */

/**
 * What the node's daemon.json has for each container. The provider always says whether there is an init, so the daemon's own word
 * never counts (resource_docker_container_funcs.go, resourceDockerContainerCreate).
 */
export function daemonDefaults({
  engine,
}: NodeConfig): Pick<docker.ContainerArgs, "logDriver" | "logOpts" | "init"> {
  const { "log-driver": logDriver = "json-file", "log-opts": logOpts = {}, init } = engine.daemon;
  return {
    logDriver,
    ...(Object.keys(logOpts).length > 0 && { logOpts }),
    ...(init && { init }),
  };
}

/** The provider would say that it has changed the init, and do nothing. */
export const REPLACED_FOR = ["init"];

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
