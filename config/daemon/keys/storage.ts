import { z } from "zod";
import { reloads, restarts } from "../key";
import { absolutePath } from "../values";

/** What dockerd takes for root, by name or number: it warns, and remaps nobody (setupRemappedRoot in moby daemon/daemon_unix.go). */
const ROOT = /^(root|-?0+)(:|$)/;

/** Keys about where and how images, containers and volumes are stored. */
export const STORAGE_KEYS = {
  "data-root": restarts(absolutePath, "Where dockerd keeps everything.", { hides: true }),
  features: reloads(
    z.record(z.string(), z.boolean()),
    "Features by name. A change of `containerd-snapshotter` is a restart and hides existing data.",
  ),
  "storage-driver": restarts(
    z.enum(["overlay2", "btrfs", "zfs", "vfs"]),
    "How layers are kept; since Docker 29 it opts out of the containerd image store.",
    { hides: true },
  ),
  "storage-opts": restarts(
    z.array(z.string().regex(/^[\w.]+=.+$/, { error: "option=value, such as overlay2.size=50G" })),
    "Options of the storage driver.",
  ),
  "userns-remap": restarts(
    z
      .string()
      .regex(/^[\w.-]+(:[\w.-]+)?$/, {
        error: 'a user, or user:group; "default" lets dockerd make one',
      })
      .refine((user) => !ROOT.test(user), {
        error: 'another user than root, which dockerd maps to itself; "default" lets it make one',
      }),
    "Maps root in containers to an unprivileged user of the node.",
    { hides: true },
  ),
} as const;
