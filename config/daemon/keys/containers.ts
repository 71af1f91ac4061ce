import { z } from "zod";
import { reloads, restarts } from "../key";
import { absolutePath, size } from "../values";

/** Limits that runc knows; another name keeps every container from starting. */
const LIMITS = [
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

const limit = z.int().min(-1);
const ulimit = z.strictObject({ Name: z.string(), Soft: limit, Hard: limit });
const limitName = z
  .string()
  .refine((name) => LIMITS.includes(name), { error: `one of ${LIMITS.join(", ")}` });

const runtime = z.strictObject({
  path: z
    .string()
    .regex(/^(\/[\w.@-]+)+$|^[\w.-]+$/, {
      error: "an absolute path or a command, such as nvidia-container-runtime",
    })
    .optional(),
  runtimeArgs: z.array(z.string()).optional(),
  // nvidia-ctk writes it, always empty.
  args: z
    .array(z.string())
    .refine((items) => items.length === 0, {
      error: "an empty list: dockerd passes over args, runtimeArgs is its name",
    })
    .optional(),
  runtimeType: z.string().optional(),
  options: z.record(z.string(), z.unknown()).optional(),
});

/** What every container gets unless it says otherwise. */
export const CONTAINER_KEYS = {
  "cdi-spec-dirs": restarts(z.array(absolutePath), "Where CDI devices are described.", {
    since: "25.0",
  }),
  "cgroup-parent": restarts(z.string(), "Parent cgroup of all containers."),
  "default-cgroupns-mode": restarts(z.enum(["private", "host"]), "Cgroup namespace."),
  "default-ipc-mode": restarts(z.enum(["private", "shareable"]), "IPC namespace."),
  "default-runtime": reloads(z.string(), "Runtime; one of `runtimes` or runc."),
  "default-shm-size": restarts(size, "Size of /dev/shm."),
  "default-ulimits": restarts(z.record(limitName, ulimit), "Limits by name; -1 is none."),
  "exec-opts": restarts(
    z.array(z.enum(["native.cgroupdriver=systemd", "native.cgroupdriver=cgroupfs"])),
    "Driver of cgroups.",
  ),
  init: restarts(z.boolean(), "An init in every container."),
  "live-restore": reloads(z.boolean(), "Containers go on while dockerd restarts."),
  "no-new-privileges": restarts(z.boolean(), "No process gains privileges by setuid."),
  runtimes: reloads(
    z.record(z.string().regex(/^[\w.-]+$/, { error: "letters, digits, _ . -" }), runtime),
    "Runtimes beside runc. Each `path` has to be there on the node.",
  ),
  "seccomp-profile": restarts(z.string(), "builtin, unconfined, or a file that is on the node."),
  "selinux-enabled": restarts(z.boolean(), "SELinux labels."),
  "shutdown-timeout": reloads(
    z.int().min(-1),
    "Seconds containers have to stop when dockerd does; -1 is for ever.",
  ),
} as const;
