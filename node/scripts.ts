import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The scripts that can run on a node, named without `.sh`: those of the graph, of recoveries and of validation. */
export const SCRIPTS = [
  "access",
  "agent-authority",
  "agent-certificate",
  "backup-secrets",
  "boot",
  "container-limits",
  "daemon",
  "firewall",
  "firewall/confirm",
  "hardening",
  "image-sbom",
  "image-seal",
  "install",
  "monitoring",
  "nics",
  "reachability",
  "ready",
  "registries",
  "storage",
  "workload",
  "workload-secrets",
  "benchmark/facts",
  "benchmark/official",
  "monitoring/drift",
  "monitoring/health",
  "recovery/api",
  "recovery/docker",
  "recovery/image",
  "recovery/inventory",
  "recovery/platform",
  "recovery/rehearsal",
  "recovery/volume",
  "validation/addresses",
  "validation/container",
  "validation/discovery",
  "validation/disk",
  "validation/latency",
  "validation/load",
  "validation/reach",
  "validation/scan",
  "validation/space",
] as const;

/** Name of a script that can be run on a node. */
export type ScriptName = (typeof SCRIPTS)[number];

/** Values a node script is given. Undefined ones are left out, so that the script's own default holds. */
export type ShellVariables = Readonly<Record<string, string | number | undefined>>;

/** Quotes a text so that the shell takes it literally. */
export function shellQuote(value: string): string {
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * What `bash -s` reads from standard input: variables, the shared functions, then the script. Standard
 * input keeps values out of the process list and away from sshd's AcceptEnv (pulumi-command#48).
 */
export function renderScript(script: ScriptName, variables: ShellVariables): string {
  return [...assignVariables(variables), ...partsOf(script).map(readPart)].join("\n");
}

/** A line for each variable. */
export function assignVariables(variables: ShellVariables): string[] {
  return Object.entries(variables)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${shellQuote(String(value))}`);
}

/** How layers are sealed and compared. */
const SEAL = [
  "seal/close",
  "seal/archive",
  "seal/compare",
  "seal/handles",
  "container-seal",
] as const;

/** Files with functions that a script needs beside the common ones. */
const LIBRARIES: Readonly<Partial<Record<ScriptName, readonly string[]>>> = {
  "agent-authority": ["check"],
  "backup-secrets": ["check"],
  storage: ["check", "apt", "apt-sources"],
  install: ["check", "apt", "apt-sources", "docker-repository", "packages", "sockets"],
  daemon: [
    "check",
    "daemon/config",
    "daemon/validate",
    "daemon/service",
    "daemon/forwarding",
    "daemon/metrics",
    "daemon/runtime",
    "daemon/checks",
    "daemon/differences",
  ],
  nics: ["check"],
  registries: ["check"],
  access: ["check"],
  firewall: ["check", "apt", "firewall/guard", "firewall/connection", "firewall/units"],
  "firewall/confirm": ["firewall/guard", "firewall/connection", "firewall/units"],
  "container-limits": ["check", ...SEAL],
  "image-sbom": ["check"],
  "image-seal": ["check", ...SEAL],
  workload: ["check", "workload/volumes"],
  "workload-secrets": ["check"],
  monitoring: ["check", "apt", "monitoring/exporter", "monitoring/job", "monitoring/proxy"],
  hardening: [
    "check",
    "apt",
    "hardening/kept",
    "hardening/ssh",
    "hardening/ssh-others",
    "hardening/sudo",
    "hardening/sysctl",
    "hardening/modules",
    "hardening/coredumps",
    "hardening/journal",
    "hardening/updates",
    "hardening/time",
    "hardening/resolved",
    "hardening/services",
    "hardening/modes",
    "hardening/apparmor",
    "hardening/audit-rules",
    "hardening/audit",
  ],
  "benchmark/facts": ["hardening/audit-rules"],
  "recovery/platform": ["daemon/validate"],
  "recovery/volume": ["backup/digest"],
  "recovery/rehearsal": ["backup/digest"],
  "validation/container": ["validation/tools"],
  "validation/discovery": ["validation/tools"],
  "validation/disk": ["validation/tools"],
  "validation/latency": ["validation/tools"],
  "validation/load": ["validation/tools"],
};

/** The files of `node/` that make up the runtime of containers outside the user namespace, in their order. */
export const RUNTIME_PARTS = [
  "seal/close",
  "seal/archive",
  "seal/compare",
  "runtime/start",
] as const;

/** The program that compares the layers of a container outside the user namespace before it starts. */
export const renderRuntime = (): string =>
  ["#!/bin/bash", ...RUNTIME_PARTS.map(readPart)].join("\n");

/** The files of `node/` that make up a script, in their order. */
export function partsOf(script: ScriptName): string[] {
  return ["lib", ...(LIBRARIES[script] ?? []), script];
}

/** Text of a file of `node/`, named without `.sh`. */
export function readPart(name: string): string {
  return readFileSync(join(__dirname, `${name}.sh`), "utf8");
}
