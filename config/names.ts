/*
 * Logical names of resources. They are made here, and only here are they taken apart. They are recorded in states, so they
 * never change.
 */

/** Parts that one file makes and others look for, in a state or a plan. */
export const PART = {
  vm: "vm",
  ready: "ready",
  docker: "docker",
  /** The agent of Portainer. */
  agent: "agent",
  /** The step that writes the authority which an agent trusts. */
  authority: "authority",
  /** Before the agent that has Portainer's next secret. */
  next: "next",
  backups: "backups",
  monitoring: "monitoring",
  /** The step on the node, of the monitoring. */
  node: "node",
  /** The socket proxy, of the monitoring. */
  proxy: "proxy",
  container: "container",
  /** The step that limits the processes of a container. */
  limits: "limits",
  /** Before the name of a container: the step that keeps the list of what its image is made of. */
  sbom: "sbom",
  /** The step that writes secrets. */
  secrets: "secrets",
  /** The step that starts a workload. */
  run: "run",
} as const;

/** The name of a part of a node, such as `proj-docker02-vm`, or of a part of another part, such as `agent-container`. */
export const nameResource = (owner: string, part: string): string => `${owner}-${part}`;

/** Names the parts of one owner. */
export const namesOf =
  (owner: string) =>
  (part: string): string =>
    nameResource(owner, part);

/** The part of a node that is a workload. */
export const workloadPart = (workload: string): string => nameResource("workload", workload);

/** The node of a resource, whose name ends with the part. */
export const nodeOfResource = (name: string, part: string): string =>
  name.slice(0, -nameResource("", part).length);

/**
 * Whether a resource may be the owner itself or a part of it. It may also be another's, whose own name begins like this one:
 * `web-2-vm` may be a part of `web` and of `web-2`.
 */
export const mayBelongTo = (name: string, owner: string): boolean =>
  nameResource(name, "").startsWith(nameResource(owner, ""));
