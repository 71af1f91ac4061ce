/** Rules about workloads: containers that a node runs for its users. */
import { nameResource, PART, workloadPart } from "../../../config/names";
import { COMMAND, CONTAINER } from "../../../config/resource-types";
import { variablesOf } from "../../../node/stdin";
import type { Change, Properties, Value } from "../model";
import type { Details, Rule } from "./rule";

const isOfWorkload = ({ urn }: Change): boolean => urn.includes("docker-node:components:Workload$");
const isContainer = (change: Change): boolean => change.type === CONTAINER && isOfWorkload(change);

const asText = (value: Value | undefined): string => (typeof value === "string" ? value : "");

/** The name of a container's workload is also its host name. */
const nameOf = ({ hostname }: Properties): string => asText(hostname);

export const WORKLOAD_RULES: readonly Rule[] = [
  {
    label: "places-workload",
    severity: "info",
    explanation: "A workload comes to a node.",
    applies: (change: Change): Details =>
      isContainer(change) && change.action === "create"
        ? [`${nameOf(change.new)} on ${change.node}`]
        : undefined,
  },
  {
    label: "removes-workload",
    severity: "caution",
    explanation: "A workload is stopped and removed; its volumes stay.",
    applies: (change: Change): Details =>
      isContainer(change) && change.action === "delete" ? [nameOf(change.old)] : undefined,
  },
  {
    label: "detaches-data",
    severity: "caution",
    explanation: "A workload no longer has data of the node that it had; the data stays.",
    applies: (change: Change): Details => {
      if (!isContainer(change) || change.action !== "replace") return undefined;
      const kept = sourcesOf(change.new);
      const gone = sourcesOf(change.old).filter((source) => !kept.includes(source));
      return gone.length > 0 ? gone.map((source) => `${nameOf(change.old)}: ${source}`) : undefined;
    },
  },
  {
    label: "restarts-workload",
    severity: "caution",
    explanation:
      "A workload is away for one restart; if it does not get healthy, the earlier one runs again.",
    applies: (change: Change): Details =>
      isContainer(change) && change.action === "replace" ? [nameOf(change.new)] : undefined,
  },
  {
    label: "restarts-workload",
    severity: "caution",
    explanation: "A workload starts again to read its new secrets; the earlier ones are gone.",
    applies: (change: Change): Details => {
      const { type, node, name, action, old } = change;
      if (type !== COMMAND || action !== "update") return undefined;
      const { WORKLOAD = "" } = variablesOf(old.stdin);
      const step = nameResource(nameResource(node, workloadPart(WORKLOAD)), PART.secrets);
      return name === step ? [WORKLOAD] : undefined;
    },
  },
];

/** What of the node is mounted, and where. */
function sourcesOf({ volumes, mounts }: Properties): string[] {
  const all = [volumes, mounts].flatMap((list) => (Array.isArray(list) ? list : []));
  return all.flatMap((one) => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) return [];
    const [source, path] = [one.volumeName ?? one.source, one.containerPath ?? one.target];
    return [`${asText(source)} on ${asText(path)}`];
  });
}
