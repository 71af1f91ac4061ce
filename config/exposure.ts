/* Of a container: which mounts and addresses give away more of the node than its own part. */

/** Folders of the system that no container gets whole. */
export const SYSTEM_FOLDERS: readonly string[] = [
  ...["/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"],
];

/** Docker's socket; whoever has it is root of the node. */
export const DOCKER_SOCKETS: readonly string[] = ["/var/run/docker.sock", "/run/docker.sock"];

/** What docker publishes on when it is told no address, or one of these. */
export const ALL_ADDRESSES: readonly string[] = ["", "0.0.0.0", "::"];

/** Whether only the node itself reaches an address of its own. */
export const isLoopback = (address: string): boolean =>
  address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");
