import { isCidr, overlaps } from "../cidr";
import type { DaemonConfig } from ".";

/** The daemon every node gets unless its configuration says otherwise (docs/reference/specification.md, section 2). */
export const DEFAULT_DAEMON: DaemonConfig = {
  "storage-driver": "overlay2",
  "default-runtime": "runc",
  "exec-opts": ["native.cgroupdriver=systemd"],
  "log-driver": "json-file",
  "log-opts": { "max-size": "100m", "max-file": "3" },
  "live-restore": true,
  "default-ulimits": { nofile: { Name: "nofile", Soft: 65536, Hard: 65536 } },
  "max-concurrent-downloads": 6,
  "max-concurrent-uploads": 6,
  "userns-remap": "default",
  "no-new-privileges": true,
  // No container of the program talks to another one on docker0.
  icc: false,
  // Firewall rules do the same without a root process a port, and keep the client's address.
  "userland-proxy": false,
  bip: "172.18.0.1/24",
  "default-address-pools": [{ base: "172.18.0.0/16", size: 24 }],
};

type Tree = Readonly<Record<string, unknown>>;

/** The value that dockerd takes if the key is missing. */
const UNSET: Tree = { "log-driver": "json-file" };

/**
 * The keys of a daemon.json that stay when another one is laid over it. A key that makes sense only with a certain
 * value goes when the other file changes that value, and comes back when the other file names it. `userns-remap`
 * never goes by itself: whoever removes a protection has to say so.
 */
export function withoutDependents(base: Tree, over: Tree): Tree {
  const isChanged = (key: string): boolean =>
    key in over && (over[key] ?? UNSET[key]) !== (base[key] ?? UNSET[key]);
  const gone = [
    ...(isChanged("log-driver") ? ["log-opts"] : []),
    ...(isChanged("storage-driver") ? ["storage-opts"] : []),
    // Without rules nothing could keep containers apart, and dockerd would refuse the file; published ports need the proxy.
    ...(over.iptables === false ? ["icc", "userland-proxy"] : []),
    ...(over.bridge ? ["bip", "bip6", "fixed-cidr", "fixed-cidr-v6"] : []),
    ...(base.bip === DEFAULT_DAEMON.bip && !fitsPools(base.bip, over) ? ["bip"] : []),
  ];
  return Object.fromEntries(Object.entries(base).filter(([key]) => !gone.includes(key)));
}

/** Whether docker0 fills exactly one subnet of each pool, or lies outside it (checks/daemon/network.ts). */
function fitsPools(bip: unknown, over: Tree): boolean {
  const pools = over["default-address-pools"];
  if (!Array.isArray(pools) || typeof bip !== "string") return true;
  return pools.every((pool: unknown) => {
    const { base, size } = (pool ?? {}) as Tree;
    if (typeof base !== "string" || !isCidr(base)) return true;
    return !overlaps(base, bip) || Number(bip.split("/")[1]) === size;
  });
}
