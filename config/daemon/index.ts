import { z } from "zod";
import { isCidr } from "../cidr";

const cidr = (example: string): z.ZodString =>
  z.string().refine(isCidr, { error: `an IPv4 address with prefix length, such as ${example}` });

/**
 * Values of log-opts and storage-opts are strings for dockerd, even numbers: `"max-file": 3` does not
 * decode (moby daemon/config/config.go, `map[string]string`).
 */
const stringMap = z.record(z.string(), z.string());

const ulimit = z.strictObject({
  Name: z.string(),
  Soft: z.int().min(0),
  Hard: z.int().min(0),
});

const addressPool = z.strictObject({
  base: cidr("172.18.0.0/16"),
  size: z.int().min(8).max(30),
});

/**
 * Keys of daemon.json this program knows, by their own names (moby daemon/config/config.go at v29).
 * Strict: dockerd refuses to start on a key it does not know, so an unknown one is refused here.
 * `hosts` and the `tls*` keys are left out on purpose: a node has no TCP listener, and `hosts` clashes
 * with the `-H fd://` of the packaged unit.
 */
export const daemonSchema = z.strictObject({
  bip: cidr("172.18.0.1/24").optional(),
  "cgroup-parent": z.string().optional(),
  "data-root": z
    .string()
    .regex(/^(\/(?!\.{1,2}(\/|$))[\w.-]+)+$/, {
      error: "an absolute path without . and .., such as /var/lib/docker",
    })
    .optional(),
  debug: z.boolean().optional(),
  "default-address-pools": z.array(addressPool).min(1).optional(),
  "default-cgroupns-mode": z.enum(["private", "host"]).optional(),
  "default-network-opts": z.record(z.string(), stringMap).optional(),
  "default-runtime": z.string().optional(),
  "default-shm-size": z.union([z.string(), z.int()]).optional(),
  "default-ulimits": z.record(z.string(), ulimit).optional(),
  dns: z.array(z.ipv4()).optional(),
  "dns-search": z.array(z.string()).optional(),
  "exec-opts": z.array(z.string().regex(/^native\.cgroupdriver=(systemd|cgroupfs)$/)).optional(),
  experimental: z.boolean().optional(),
  features: z.record(z.string(), z.boolean()).optional(),
  "firewall-backend": z.enum(["iptables", "nftables"]).optional(),
  icc: z.boolean().optional(),
  init: z.boolean().optional(),
  "insecure-registries": z.array(z.string()).optional(),
  ip: z.ipv4().optional(),
  "ip-forward": z.boolean().optional(),
  ip6tables: z.boolean().optional(),
  iptables: z.boolean().optional(),
  ipv6: z.boolean().optional(),
  labels: z.array(z.string().regex(/^[^=\s]+=.*$/)).optional(),
  "live-restore": z.boolean().optional(),
  "log-driver": z.enum(["json-file", "local", "journald", "syslog", "none"]).optional(),
  "log-level": z.enum(["debug", "info", "warn", "error", "fatal"]).optional(),
  "log-opts": stringMap.optional(),
  "max-concurrent-downloads": z.int().min(1).optional(),
  "max-concurrent-uploads": z.int().min(1).optional(),
  "max-download-attempts": z.int().min(1).optional(),
  "metrics-addr": z.string().optional(),
  mtu: z.int().min(576).max(65535).optional(),
  "no-new-privileges": z.boolean().optional(),
  "registry-mirrors": z.array(z.url()).optional(),
  "seccomp-profile": z.string().optional(),
  "selinux-enabled": z.boolean().optional(),
  "shutdown-timeout": z.int().min(0).optional(),
  "storage-driver": z.enum(["overlay2", "btrfs", "zfs", "vfs"]).optional(),
  "storage-opts": z.array(z.string().regex(/^[\w.]+=.+$/)).optional(),
  "userland-proxy": z.boolean().optional(),
  "userns-remap": z.string().optional(),
});

/** A daemon.json, keys as dockerd spells them. */
export type DaemonConfig = z.infer<typeof daemonSchema>;

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
  bip: "172.18.0.1/24",
  "default-address-pools": [{ base: "172.18.0.0/16", size: 24 }],
};

/** The first Docker release whose daemon knows a key; the older one would refuse to start. */
export const KEY_SINCE: Partial<Record<keyof DaemonConfig, number>> = {
  "default-network-opts": 24,
  "firewall-backend": 29,
};

/** Text of daemon.json: sorted keys, so that the order of the configuration never makes a diff. */
export function renderDaemonJson(daemon: DaemonConfig): string {
  return `${JSON.stringify(sortKeys(daemon), null, 2)}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortKeys(item)]));
}
