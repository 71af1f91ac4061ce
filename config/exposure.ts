import { isWithin } from "./checks/workloads/mounts";
import { DATA_ROOT } from "./node-paths";

/* Of a container: which mounts and addresses give away more of the node than its own part. */

/** Folders of the system (CIS Docker 5.6), Docker's own, and those of its sockets: no container gets one whole. */
const SYSTEM_FOLDERS: readonly string[] = [
  ...["/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin"],
  ...["/sys", "/usr", "/var/lib/containerd", DATA_ROOT, "/var/run"],
];

/** Whether a path is one of these folders, or holds one. */
export const holdsSystem = (path: string): boolean =>
  SYSTEM_FOLDERS.some((folder) => isWithin(folder, path));

/** Whether a path is, holds or lies in one of these folders. All lie in the root, which does not count for that. */
export const isSystem = (path: string): boolean =>
  holdsSystem(path) || SYSTEM_FOLDERS.some((folder) => folder !== "/" && isWithin(path, folder));

/** Sockets whose holder is root of the node, below /run, which is /var/run too. */
const SOCKETS = [
  ["Docker's socket", "/docker.sock"],
  ["containerd's socket", "/containerd/containerd.sock"],
] as const;

/** The socket that a path is, or that lies in it as in a folder of its own; undefined if there is none. */
export function socketIn(path: string): (typeof SOCKETS)[number][0] | undefined {
  const isAt = (file: string): boolean =>
    path === file || `${path}/` === file.replace(/[^/]+$/, "");
  return SOCKETS.find(([, file]) => ["/run", "/var/run"].some((root) => isAt(root + file)))?.[0];
}

/** What docker publishes on when it is told no address, or one of these. */
export const ALL_ADDRESSES: readonly string[] = ["", "0.0.0.0", "::"];

/** Whether only the node itself reaches an address of its own. */
export const isLoopback = (address: string): boolean =>
  address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");
