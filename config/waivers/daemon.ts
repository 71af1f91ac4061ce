import type { DaemonConfig } from "../daemon";
import type { NodeConfig } from "../schema";
import { weaknessIf, type Downgrade, type Weakness } from "./downgrade";

/*
 * Values of daemon.json that weaken a node. A key that the program sets by itself (daemon/defaults.ts) and that null removes
 * counts by what dockerd then does; a key that the program does not set is no downgrade as long as nobody sets it.
 */

type Row = Downgrade<NodeConfig>;

const PATH = "engine/daemon";

/** A key that is weak by its value; without one it is undefined. */
function downgradeOf<K extends keyof DaemonConfig>(
  id: string,
  name: K,
  weak: (value: DaemonConfig[K], daemon: DaemonConfig) => boolean,
  [allowed, meaning]: readonly [allowed: string, meaning: string],
): Row {
  const find = ({ engine: { daemon } }: NodeConfig): Weakness[] =>
    weaknessIf(weak(daemon[name], daemon), `${PATH}/${name}`, daemon[name]);
  return { id: `daemon-${id}`, allowed, meaning, find };
}

const isOff = (value?: boolean): boolean => value !== true;
const isTrue = (value?: boolean): boolean => value === true;
const isFalse = (value?: boolean): boolean => value === false;

/** dockerd's own default is true. Without its rules nothing keeps containers apart, and published ports need the proxy. */
const isOn = (value: boolean | undefined, { iptables }: DaemonConfig): boolean =>
  value !== false && iptables !== false;

/** Only json-file has no end by itself (docs.docker.com, json-file, max-size). */
const isEndless = (options: DaemonConfig["log-opts"], daemon: DaemonConfig): boolean =>
  (daemon["log-driver"] ?? "json-file") === "json-file" && options?.["max-size"] === undefined;

/** Options of bridges that let packets past the rules of published ports (docs.docker.com, packet filtering). */
function findOpenBridges({ engine: { daemon } }: NodeConfig): Weakness[] {
  const options = Object.entries(daemon["default-network-opts"]?.bridge ?? {});
  const isOpen = ([name, value]: [string, string]): boolean =>
    (/\.gateway_mode_ipv[46]$/.test(name) && value === "nat-unprotected") ||
    name.endsWith(".trusted_host_interfaces");
  return options
    .filter(isOpen)
    .map(([name, value]) => ({ path: `${PATH}/default-network-opts/bridge/${name}`, value }));
}

function findPlainMirrors({ engine: { daemon } }: NodeConfig): Weakness[] {
  return (daemon["registry-mirrors"] ?? []).flatMap((mirror, index) =>
    weaknessIf(/^http:/i.test(mirror), `${PATH}/registry-mirrors/${index}`, mirror),
  );
}

function findInsecureBuilds({ engine: { daemon } }: NodeConfig): Weakness[] {
  const value = daemon.builder?.entitlements?.["security-insecure"];
  return weaknessIf(value === true, `${PATH}/builder/entitlements/security-insecure`, value);
}

/** At the level debug dockerd logs the bodies of API calls (moby daemon/server/middleware/debug.go). */
function findLogLevels({ engine: { daemon } }: NodeConfig): Weakness[] {
  const { debug, "log-level": level = "info" } = daemon;
  return [
    ...weaknessIf(level !== "info", `${PATH}/log-level`, level),
    ...weaknessIf(debug === true, `${PATH}/debug`, debug),
  ];
}

/** The rows, in the order of the page. */
export const DAEMON_DOWNGRADES: readonly Row[] = [
  downgradeOf("userns-off", "userns-remap", (user) => user === undefined, [
    '"default", or another user',
    "Root of a container is root of the node.",
  ]),
  downgradeOf("new-privileges", "no-new-privileges", isOff, [
    "true",
    "A process gains privileges by setuid.",
  ]),
  downgradeOf("seccomp-unconfined", "seccomp-profile", (profile) => profile === "unconfined", [
    '"builtin", or a file',
    "Containers may make every system call.",
  ]),
  downgradeOf("live-restore-off", "live-restore", isOff, [
    "true",
    "Containers end when dockerd restarts.",
  ]),
  downgradeOf("cgroupns-host", "default-cgroupns-mode", (mode) => mode === "host", [
    '"private" or unset',
    "Containers see the cgroups of the node.",
  ]),
  downgradeOf("ipc-shareable", "default-ipc-mode", (mode) => mode === "shareable", [
    '"private" or unset',
    "Containers may join one another's IPC.",
  ]),
  downgradeOf("iptables-off", "iptables", isFalse, [
    "true or unset",
    "Nothing filters published ports.",
  ]),
  downgradeOf("ip6tables-off", "ip6tables", isFalse, ["true or unset", "The same over IPv6."]),
  downgradeOf("icc", "icc", (icc, daemon) => isOn(icc, daemon) && daemon.bridge !== "none", [
    "false",
    "Containers on docker0 reach one another.",
  ]),
  downgradeOf("direct-routing", "allow-direct-routing", isTrue, [
    "false or unset",
    "Other machines reach containers at their own addresses.",
  ]),
  downgradeOf("forward-open", "ip-forward-no-drop", isTrue, [
    "false or unset",
    "The node forwards what no rule is about.",
  ]),
  downgradeOf("fwmark", "bridge-accept-fwmark", (mark) => mark !== undefined, [
    "unset",
    "Marked packets pass the rules of bridges.",
  ]),
  {
    id: "daemon-open-bridges",
    allowed: "another gateway mode, and no trusted interfaces",
    meaning: "Packets reach ports of containers that are not published.",
    find: findOpenBridges,
  },
  downgradeOf("userland-proxy", "userland-proxy", isOn, [
    "false",
    "A process of root's for every published port, which hides who comes.",
  ]),
  downgradeOf("metrics-open", "metrics-addr", (at) => /^(0\.0\.0\.0|\[::0?\])?:/.test(at ?? ""), [
    "one address with a port, such as 127.0.0.1:9323",
    "Metrics on every address, without authentication.",
  ]),
  downgradeOf("insecure-registries", "insecure-registries", (all) => (all ?? []).length > 0, [
    "leave it out, or an empty list",
    "Images from a registry that nobody vouches for, or over HTTP.",
  ]),
  {
    id: "daemon-plain-mirrors",
    allowed: "an https URL",
    meaning: "Images over HTTP; a tag is whatever somebody on the way says.",
    find: findPlainMirrors,
  },
  {
    id: "daemon-insecure-builds",
    allowed: "false or unset",
    meaning: "A build may run as root of the node.",
    find: findInsecureBuilds,
  },
  downgradeOf("experimental", "experimental", isTrue, [
    "false or unset",
    "Features that nobody supports yet.",
  ]),
  downgradeOf("logs-none", "log-driver", (driver) => driver === "none", [
    "another log driver",
    "No container leaves a log.",
  ]),
  {
    id: "daemon-log-level",
    allowed: "info or unset, and no debug",
    meaning:
      "dockerd's log leaves out what happened, or tells with which variables a container is made.",
    find: findLogLevels,
  },
  downgradeOf("logs-endless", "log-opts", isEndless, [
    "max-size, such as 100m, or a log driver other than json-file",
    "The log of one container may fill the disk of all.",
  ]),
  downgradeOf("ulimits-none", "default-ulimits", (limits) => !limits?.nofile, [
    "limits, with nofile among them",
    "A container may have as many open files as dockerd.",
  ]),
  downgradeOf("cgroup-parent", "cgroup-parent", (parent) => parent !== undefined, [
    "unset",
    "Containers are in a cgroup that is not Docker's own, and share its limits.",
  ]),
];
