import { z } from "zod";
import { reloads, restarts } from "../key";
import { absolutePath, size } from "../values";

/** Limits that runc knows. With any other name no container starts. */
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
  // nvidia-ctk writes this key, always as an empty list.
  args: z
    .array(z.string())
    .refine((items) => items.length === 0, {
      error: "an empty list: dockerd ignores args and reads runtimeArgs",
    })
    .optional(),
  runtimeType: z.string().optional(),
  options: z.record(z.string(), z.unknown()).optional(),
});

/** Keys that set defaults for every container. */
export const CONTAINER_KEYS = {
  "cdi-spec-dirs": restarts(z.array(absolutePath), "Where CDI devices are described.", {
    since: "25.0",
  }),
  "cgroup-parent": restarts(z.string(), "Parent cgroup of all containers."),
  "default-cgroupns-mode": restarts(z.enum(["private", "host"]), "Cgroup namespace."),
  "default-ipc-mode": restarts(z.enum(["private", "shareable"]), "IPC namespace."),
  "default-runtime": reloads(z.string(), "Runtime; one of `runtimes` or runc."),
  "default-shm-size": restarts(size, "Size of /dev/shm."),
  "default-ulimits": restarts(
    z.record(limitName, ulimit).refine((limits) => Object.keys(limits).length > 0, {
      error: "at least one limit, such as nofile",
    }),
    "Limits by name; -1 means unlimited.",
  ),
  "exec-opts": restarts(
    z.array(z.enum(["native.cgroupdriver=systemd", "native.cgroupdriver=cgroupfs"])),
    "Driver of cgroups.",
  ),
  init: restarts(z.boolean(), "An init in every container."),
  "live-restore": reloads(z.boolean(), "Containers keep running while dockerd restarts."),
  "no-new-privileges": restarts(z.boolean(), "No process gains privileges by setuid."),
  runtimes: reloads(
    z.record(z.string().regex(/^[\w.-]+$/, { error: "letters, digits, _ . -" }), runtime),
    "Runtimes in addition to runc. Each `path` has to exist on the node. The program adds `docker-node`, which compares images before each start.",
  ),
  "seccomp-profile": restarts(z.string(), "builtin, unconfined, or a file that is on the node."),
  "selinux-enabled": restarts(z.boolean(), "SELinux labels."),
  "shutdown-timeout": reloads(
    z.int().min(-1),
    "Seconds that containers have to stop when dockerd stops; -1 means no limit.",
  ),
} as const;
