/* What only the policies can tell (policies/), because it is about resources and not about the configuration. */

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

/** Whether a waiver's id is a policy's. */
export const isPolicyId = (wanted: string): boolean => POLICIES.some(({ id }) => id === wanted);
