import { z } from "zod";
import { userName } from "./fields";

const unitField = (what: string) => z.boolean().default(true).describe(what);

/** The units of `node/hardening.sh`, in its order; each can be turned off. */
const units = {
  ssh: unitField(
    "sshd accepts only keys, of named users, never root, with modern algorithms. It forwards nothing.",
  ),
  sudo: unitField("sudo gives each command a terminal of its own, and logs every command."),
  sysctl: unitField("Kernel settings that containers do not notice."),
  modules: unitField("Filesystems, protocols and buses that no node needs are never loaded."),
  coredumps: unitField(
    "No process writes its memory to disk when it crashes, in containers neither.",
  ),
  journal: unitField("The journal survives reboots, and takes 1 GB at most."),
  updates: unitField(
    "Installs security updates automatically, and what they need of the release. Held and excluded packages stay, and the node never reboots by itself.",
  ),
  time: unitField(
    "The clock follows a time server, by chrony or ntpsec if installed, else by systemd-timesyncd.",
  ),
  resolved: unitField("systemd-resolved uses neither LLMNR nor mDNS on the local network."),
  services: unitField(
    "Services that no node needs (avahi, cups, rpcbind and the like) do not run.",
  ),
  modes: unitField("Safe modes of the files that control logins, scheduled jobs and Docker."),
  apparmor: unitField(
    "Checks that the kernel has AppArmor and enforces Docker's profile. It changes nothing.",
  ),
  audit: unitField("auditd watches the files of Docker, accounts, sudo and sshd."),
};

/** `hardening` of a node. */
export const hardeningSchema = z.strictObject({
  ...units,
  sshUsers: z
    .array(userName)
    .default([])
    .describe(
      "Users that sshd lets in, in addition to the ssh user and the members of the group docker.",
    ),
  sshForwarding: z.boolean().default(false).describe("Let sshd forward ports and agents."),
});

type Unit = keyof typeof units;

/** Every unit, in the order they run. */
export const UNITS = Object.keys(units) as Unit[];

/** Returns the units that are on, in the order they run. */
export const hardeningUnits = (hardening: z.infer<typeof hardeningSchema>): Unit[] =>
  UNITS.filter((name) => hardening[name]);
