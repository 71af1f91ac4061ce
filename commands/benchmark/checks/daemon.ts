/** Section 2: what dockerd reports, or else its configuration. */
import { settingOf, type Facts } from "../facts";
import { holds, type Judge, type Judges } from "../check";

const asText = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

/** A setting that has to be one of these; not set counts as what dockerd then does. */
const judgeOneOf =
  (key: string, unset: string, allowed: readonly string[]): Judge =>
  (facts) => {
    const value = asText(settingOf(facts, key) ?? unset);
    return holds(allowed.includes(value), `${key} is ${value}`);
  };

const hasOption = ({ info }: Facts, name: string): boolean =>
  info.SecurityOptions.some((option) => option.split(",").includes(`name=${name}`));

const judgeIcc: Judge = ({ bridge }) =>
  holds(
    bridge.every(({ Options }) => Options?.["com.docker.network.bridge.enable_icc"] === "false"),
    "icc is on",
  );

const judgeRegistries: Judge = ({ info: { RegistryConfig: config } }) => {
  const named = Object.entries(config.IndexConfigs ?? {}).filter(([, { Secure }]) => !Secure);
  const ranges = (config.InsecureRegistryCIDRs ?? []).filter(
    (range) => !["127.0.0.0/8", "::1/128"].includes(range),
  );
  const all = [...named.map(([name]) => name), ...ranges];
  return holds(all.length === 0, `insecure: ${all.join(", ")}`);
};

/** Where dockerd listens: `-H`, `--host` and `hosts`. */
function listensOn({ command, config }: Facts): string[] {
  const flags = command.flatMap((word, at) => {
    if (word === "-H" || word === "--host") return [command[at + 1] ?? ""];
    return /^(?:-H=?|--host=)(.+)$/.exec(word)?.slice(1) ?? [];
  });
  const { hosts } = config;
  return [...flags, ...(Array.isArray(hosts) ? hosts.map(String) : [])];
}

const judgePort: Judge = (facts) => {
  const open = listensOn(facts).filter((host) => host.startsWith("tcp://"));
  const verified = settingOf(facts, "tlsverify") === true;
  return holds(open.length === 0 || verified, `${open.join(", ")} without tlsverify`);
};

/** As a map of daemon.json, or as what a flag says. An empty one limits nothing. */
const hasLimits = (limits: unknown): boolean =>
  typeof limits === "object" ? Object.keys(limits ?? {}).length > 0 : Boolean(limits);

const LOCAL_LOGS = ["json-file", "local", "none"];

export const DAEMON: Judges = {
  "2.2": judgeIcc,
  "2.3": judgeOneOf("log-level", "info", ["info"]),
  "2.4": judgeOneOf("iptables", "true", ["true"]),
  "2.5": judgeRegistries,
  "2.6": ({ info: { Driver } }) => holds(Driver !== "aufs", "the storage driver is aufs"),
  "2.7": judgePort,
  "2.8": (facts) => holds(hasLimits(settingOf(facts, "default-ulimits")), "no default-ulimits"),
  "2.9": (facts) =>
    holds(hasOption(facts, "userns") || hasOption(facts, "rootless"), "no userns-remap"),
  "2.10": judgeOneOf("cgroup-parent", "", [""]),
  "2.11": (facts) =>
    holds(
      !asText(settingOf(facts, "storage-opts") ?? "").includes("dm.basesize"),
      "dm.basesize is set",
    ),
  "2.12": ({ info: { Plugins } }) =>
    holds((Plugins.Authorization ?? []).length > 0, "no authorisation plugin"),
  "2.13": ({ info: { LoggingDriver: driver } }) =>
    holds(!LOCAL_LOGS.includes(driver), `the log driver is ${driver}`),
  "2.14": (facts) => holds(hasOption(facts, "no-new-privileges"), "no-new-privileges is off"),
  "2.15": ({ info }) => holds(info.LiveRestoreEnabled, "live-restore is off"),
  "2.16": judgeOneOf("userland-proxy", "true", ["false"]),
  "2.18": ({ info }) => holds(!info.ExperimentalBuild, "experimental is on"),
};
