import type {
  ResourceValidationArgs,
  ResourceValidationPolicy,
  StackValidationPolicy,
} from "@pulumi/policy";
import { nameResource, PART } from "../config/names";
import { CONTAINER, VM, VOLUME } from "../config/resource-types";
import { knownInputs } from "./known";
import {
  checkEnvironment,
  checkImage,
  checkMounts,
  checkPorts,
  checkPrivileged,
  checkVolume,
} from "./rules/container";
import type { ContainerInputs, VolumeInputs } from "./rules/container";
import type { Finding } from "./rules/finding";
import { checkBackup, checkProtection, type JobInputs, type MachineInputs } from "./rules/machine";
import { findPlainSecrets } from "./rules/secrets";
import { readNodeNames, readSecretValues, readWaivers, withoutWaiver } from "./stack";

/** Types of resources, as Pulumi names them. */
export const TYPES = {
  container: CONTAINER,
  image: "docker:index/remoteImage:RemoteImage",
  volume: VOLUME,
  machine: VM,
  job: "proxmoxve:backup/job:Job",
} as const;

type Args = Omit<ResourceValidationArgs, "getConfig" | "notApplicable" | "stackTags">;

/** A policy of one type of resources. */
function makePolicy(
  name: string,
  description: string,
  judge: (args: Args) => readonly string[],
): ResourceValidationPolicy {
  return {
    name,
    description,
    validateResource: (args, report) => {
      for (const found of judge(args)) report(found);
    },
  };
}

/**
 * The node whose Docker a resource is on. The program names the provider of a node as its part; a stack that builds on a node has
 * no nodes, and names the provider after the node (docs/reference/outputs.md).
 */
const nodeOf = ({ provider }: Args): string | undefined =>
  readNodeNames().find((node) => nameResource(node, PART.docker) === provider?.name) ??
  provider?.name;

/** What is left of findings about something on a node's Docker, which has a name of its own there. */
function withoutWaiverOf(
  findings: readonly Finding[],
  args: Args,
  own: string | null | undefined,
): string[] {
  const about = { node: nodeOf(args), container: own ?? args.name };
  return withoutWaiver(findings, about, readWaivers());
}

const ofContainers =
  (check: (inputs: ContainerInputs) => readonly Finding[]) =>
  (args: Args): string[] => {
    if (args.type !== TYPES.container) return [];
    const inputs: ContainerInputs = knownInputs(args.props);
    return withoutWaiverOf(check(inputs), args, inputs.name);
  };

/** A waiver names a volume where it names a container otherwise. */
function judgeVolume(args: Args): string[] {
  if (args.type !== TYPES.volume) return [];
  const inputs: VolumeInputs = knownInputs(args.props);
  return withoutWaiverOf(checkVolume(inputs), args, inputs.name);
}

const judgeMounts = ofContainers(checkMounts);

function judgeImage({ type, props }: Args): string[] {
  const { name, image }: { name?: string; image?: string | null } = knownInputs(props);
  if (type === TYPES.image) return checkImage(name).map(({ what }) => what);
  return type === TYPES.container ? checkImage(image).map(({ what }) => what) : [];
}

function judgeMachine({ type, props, name, opts }: Args): string[] {
  if (type !== TYPES.machine) return [];
  const inputs: MachineInputs = knownInputs(props);
  const about = { node: inputs.name ?? name };
  return withoutWaiver(checkProtection(inputs, opts.protect), about, readWaivers());
}

/** Where texts of the stack's secrets are not typed as secrets, by resource. */
const plainSecrets = new Map<string, readonly string[]>();

/** Property of the proxies that a policy gets, behind which inputs are as they came (@pulumi/policy, proxy.ts). */
const TARGET = "__getSpecialProxyTarget";

const lookBehind = (proxy: unknown): unknown => (proxy as Record<string, unknown>)[TARGET];

/**
 * Only a remediation is shown which inputs are secrets, and only a validation can refuse. Pulumi asks the remediations of a
 * resource first (step_generator.go); this one changes nothing.
 */
const secretsAreSecret: ResourceValidationPolicy = {
  name: "secrets-are-secret",
  description: "An input that holds a secret of the stack is typed as one.",
  enforcementLevel: "remediate",
  remediateResource: ({ urn, props }) => {
    plainSecrets.set(urn, findPlainSecrets(lookBehind(lookBehind(props)), readSecretValues()));
  },
  validateResource: ({ urn }, report) => {
    for (const path of plainSecrets.get(urn) ?? []) report(`${path} holds a secret in clear text`);
  },
};

const vmsAreBackedUp: StackValidationPolicy = {
  name: "vms-are-backed-up",
  description: "Every VM has a backup job.",
  validateStack: ({ resources }, report) => {
    const jobs = resources
      .filter(({ type }) => type === TYPES.job)
      .map(({ props }) => knownInputs(props) as JobInputs);
    for (const { urn, name, props } of resources.filter(({ type }) => type === TYPES.machine)) {
      const inputs: MachineInputs = knownInputs(props);
      const about = { node: inputs.name ?? name };
      for (const found of withoutWaiver(checkBackup(inputs, jobs), about, readWaivers()))
        report(found, urn);
    }
  },
};

/** The policies of the pack, in the order in which Pulumi lists them. */
export const POLICIES = [
  makePolicy("images-are-pinned", "An image has a digest, and is never latest.", judgeImage),
  makePolicy("no-privileged", "No container is privileged.", ofContainers(checkPrivileged)),
  makePolicy(
    "ports-have-an-address",
    "No port is published on all addresses.",
    ofContainers(checkPorts),
  ),
  makePolicy(
    "no-mounts-of-the-node",
    "No container has a socket of Docker's or the system's folders, nor by a volume.",
    (args) => [...judgeMounts(args), ...judgeVolume(args)],
  ),
  makePolicy(
    "no-secret-environment",
    "No secret is in a container's environment.",
    ofContainers((inputs) => checkEnvironment(inputs, readSecretValues())),
  ),
  makePolicy("vms-are-protected", "A VM cannot be deleted by mistake.", judgeMachine),
  secretsAreSecret,
  vmsAreBackedUp,
] as const;
