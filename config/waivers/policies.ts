/* What the policies ask for (policies/). It is about resources, and a stack may have its own; the configuration tells the program's. */
import { attempt } from "../partial";
import { AGENT_CONTAINER, NEXT_AGENT_CONTAINER } from "../portainer";
import type { NodeConfig } from "../schema";
import type { Waiver } from "../schema/waivers";

/** What a waiver names a VM without a backup job by. */
export const NO_VM_BACKUP = "policy-vm-backup";

/** What a waiver names a container by that has a secret in its environment. */
export const SECRET_IN_ENVIRONMENT = "policy-secret-in-environment";

/** What a waiver may name here. */
export const POLICIES: readonly {
  readonly id: string;
  /** What is lost by it; Markdown. */
  readonly meaning: string;
  /** What needs no waiver. */
  readonly allowed: string;
  /** Whether a waiver may name a container. */
  readonly ofContainers?: true;
}[] = [
  {
    id: NO_VM_BACKUP,
    meaning: "No backup job of the stack covers the VM. The policies ask, not the configuration.",
    allowed: "`backups.vm`",
  },
  {
    id: SECRET_IN_ENVIRONMENT,
    meaning:
      "`docker inspect` and the container's processes show a secret of the stack. The policies ask, not the configuration.",
    allowed: "a file that the container mounts",
    ofContainers: true,
  },
];

type Need = Pick<Waiver, "id" | "node" | "container">;

const AGENTS: readonly string[] = [AGENT_CONTAINER, NEXT_AGENT_CONTAINER];

/** Whether a waiver's id is a policy's. */
export const isPolicyId = (wanted: string): boolean => POLICIES.some(({ id }) => id === wanted);

/** What of the nodes' own resources a policy does not let pass without a waiver. Only the policies refuse it. */
export function findPolicyNeeds(nodes: Readonly<Record<string, NodeConfig>>): Need[] {
  const needs: Need[] = [];
  for (const [node, settings] of Object.entries(nodes))
    attempt(() => {
      const { backups, portainer } = settings;
      if (!backups?.vm) needs.push({ id: NO_VM_BACKUP, node });
      const agents = portainer ? AGENTS.slice(0, portainer.agent.next ? 2 : 1) : [];
      needs.push(...agents.map((container) => ({ id: SECRET_IN_ENVIRONMENT, node, container })));
    });
  return needs;
}

/** Whether only the policies can tell that a waiver is needed: containers may be the stack's own. */
export const isOfOtherContainers = ({ id, container = "" }: Waiver): boolean =>
  id === SECRET_IN_ENVIRONMENT && !AGENTS.includes(container);
