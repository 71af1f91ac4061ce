/* The steps of a node that can be compared with what they were given, and those of a node as the configuration has it. */
import { declaredImages } from "../config/images";
import { nameResource, PART, workloadPart } from "../config/names";
import type { NodeConfig } from "../config/schema";
import { monitoringCheck } from "./monitoring-check";
import { sbomCheck } from "./sbom";
import { assignVariables, type ScriptName } from "./scripts";
import { dockerSteps, firewallStep } from "./steps";

/** The steps of every node that can be checked, in their order. Each is named as its script. */
export const CHECKED_STEPS = [
  "nics",
  "storage",
  "install",
  "daemon",
  "registries",
  "access",
  "firewall",
  "hardening",
] as const;

/** Name of a step that every node may have. */
export type CheckedStep = (typeof CHECKED_STEPS)[number] & ScriptName;

/** A step that can be checked: the end of its resource's name, after the node's, and the script that it runs. */
export interface Checkable {
  readonly step: string;
  readonly script: ScriptName;
  /** The variables of its check mode, by the step's standard input. Default: those that are in it. */
  readonly variablesFor?: (stdin: unknown) => string;
  /** Its check mode finds the files without their contents, where the state's secrets are sealed. */
  readonly checksSealed?: true;
}

/** A step with what it is given: the lines `NAME='value'` before its script. */
export interface Check extends Checkable {
  readonly variables: string;
}

/** The steps of every node as the configuration has them. Those that a node does not have are left out. */
export function declaredChecks(node: NodeConfig): Check[] {
  const steps = [...dockerSteps(node), firewallStep(node)];
  return CHECKED_STEPS.flatMap((step) => {
    const given = steps.find(({ script }) => script === step);
    return given
      ? [{ step, script: step, variables: assignVariables(given.variables).join("\n") }]
      : [];
  });
}

/** Containers of the program that have a limit of processes, if the node has them. */
const LIMITED = [
  ...[PART.agent, nameResource(PART.next, PART.agent), PART.backups],
  ...[PART.monitoring, nameResource(PART.monitoring, PART.proxy)],
];

/** Steps of what not every node has, each named as the end of its resource's name. */
const MONITORING: Checkable = {
  ...{ step: nameResource(PART.monitoring, PART.node), script: "monitoring" },
  variablesFor: monitoringCheck,
};
const BACKUPS: Checkable = {
  ...{ step: nameResource(PART.backups, PART.secrets), script: "backup-secrets" },
  checksSealed: true,
};

const AUTHORITY: Checkable = {
  step: nameResource(PART.agent, PART.authority),
  script: "agent-authority",
};

/**
 * All steps of a node that can be checked. Of the others, `ready`, `boot` and `agent-certificate` change nothing on it, what
 * `firewall-confirm` keeps is checked with the firewall, and what `image-seal` does with the container (`container-limits`).
 */
export function checkableSteps(node: NodeConfig): Checkable[] {
  const { workloads, monitoring, backups } = node;
  const ofWorkloads = Object.keys(workloads)
    .map(workloadPart)
    .flatMap((part): Checkable[] => [
      { step: nameResource(part, PART.secrets), script: "workload-secrets" },
      toLimit(part),
      { step: nameResource(part, PART.run), script: "workload" },
    ]);
  const parts = [...(monitoring ? [MONITORING] : []), ...(backups ? [BACKUPS] : []), AUTHORITY];
  const ofEvery = CHECKED_STEPS.map((step) => ({ step, script: step }));
  const ofImages = declaredImages(node).map(({ container }) => toSbom(container));
  return [...ofEvery, ...parts, ...LIMITED.map(toLimit), ...ofWorkloads, ...ofImages];
}

const toSbom = (container: string): Checkable => ({
  ...{ step: nameResource(PART.sbom, container), script: "image-sbom" },
  variablesFor: sbomCheck,
});

const toLimit = (part: string): Checkable => ({
  step: nameResource(part, PART.limits),
  script: "container-limits",
});
