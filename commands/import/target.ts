/** Which node the VM becomes, and where it is reached. */
import { nodeName } from "../../config/schema";
import type { Target } from "../../clients/ssh";
import type { Hardware } from "./hardware";
import { parseTarget } from "./inspect";
import { addressIn } from "./machine";
import { sshOf, type StackSoFar } from "./stack";

/**
 * The name of the node: the one wanted, or the VM's own.
 * @throws Error when a node cannot be called so
 */
export function chooseName(wanted: string | undefined, { name: own, vmId }: Hardware): string {
  const name = wanted ?? own;
  const { success, error } = nodeName.safeParse(name);
  if (success) return name;
  const allowed = error.issues[0]?.message ?? "";
  throw new Error(`name of VM ${vmId}: "${name}"; allowed: ${allowed}; --name gives it another`);
}

/**
 * Where the VM is reached: the place wanted, or the address Proxmox gave it.
 * @throws Error when neither is known
 */
export function chooseTarget(
  wanted: string | undefined,
  hardware: Hardware,
  { raw }: StackSoFar,
): Target {
  const { user } = sshOf(raw);
  const address = wanted ?? addressIn(hardware);
  if (address) return parseTarget(address, user);
  throw new Error(
    "Proxmox does not know the VM's address (no static ipconfig0): --ssh user@address",
  );
}
