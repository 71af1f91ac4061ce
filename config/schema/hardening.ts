import { z } from "zod";
import { userName } from "./fields";

const unit = (what: string) => z.boolean().default(true).describe(what);

/** The units of `node/hardening.sh`, in its order; each can be turned off. */
const units = {
  ssh: unit("sshd: keys of named users only, no root, nothing forwarded, modern algorithms."),
  sudo: unit("sudo gives each command a terminal of its own, and writes down what it ran."),
  sysctl: unit("Kernel settings that containers do not notice."),
  modules: unit("Filesystems, protocols and buses that no node needs are never loaded."),
  coredumps: unit("No process leaves its memory on the disk, of a container neither."),
  journal: unit("The journal outlives a boot, and has 1 GB at most."),
  updates: unit("Security updates by themselves; held packages stay; no reboot by itself."),
  time: unit(
    "The clock follows a time server: chrony or ntpsec if it is there, else systemd-timesyncd.",
  ),
  resolved: unit("systemd-resolved neither asks nor answers the segment (LLMNR, mDNS)."),
  services: unit("Services that no node needs (avahi, cups, rpcbind and the like) do not run."),
  modes: unit("Modes of the files that say who gets in, what runs by itself, and what Docker is."),
  apparmor: unit(
    "Docker's AppArmor profile is enforced, on a kernel that has AppArmor; only checked.",
  ),
  audit: unit("auditd watches what belongs to Docker, accounts, sudo and sshd."),
};

/** `hardening` of a node. */
export const hardeningSchema = z.strictObject({
  ...units,
  sshUsers: z
    .array(userName)
    .default([])
    .describe("Users whom sshd lets in beside the ssh user and the members of the group docker."),
  sshForwarding: z.boolean().default(false).describe("Let sshd forward ports and agents."),
});

type Unit = keyof typeof units;

/** Every unit, in the order they run. */
export const UNITS = Object.keys(units) as Unit[];

/** Units that are on, in the order they run. */
export const hardeningUnits = (hardening: z.infer<typeof hardeningSchema>): Unit[] =>
  UNITS.filter((name) => hardening[name]);
