/** Section 2: dockerd, as it says it runs, and else as it was told to. */
import { setting, type Facts } from "../facts";
import { holds, type Judge, type Judges } from "../check";

const said = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

/** A setting that has to be one of these; not set counts as what dockerd then does. */
const oneOf =
  (key: string, unset: string, allowed: readonly string[]): Judge =>
  (facts) => {
    const value = said(setting(facts, key) ?? unset);
    return holds(allowed.includes(value), `${key} is ${value}`);
  };

const hasOption = ({ info }: Facts, name: string): boolean =>
  info.SecurityOptions.some((option) => option.split(",").includes(`name=${name}`));

const iccOff: Judge = ({ bridge }) =>
  holds(
    bridge.every(({ Options }) => Options?.["com.docker.network.bridge.enable_icc"] === "false"),
    "icc is on",
  );

const securedRegistries: Judge = ({ info: { RegistryConfig: config } }) => {
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

const securedPort: Judge = (facts) => {
  const open = listensOn(facts).filter((host) => host.startsWith("tcp://"));
  const verified = setting(facts, "tlsverify") === true;
  return holds(open.length === 0 || verified, `${open.join(", ")} without tlsverify`);
};

const LOCAL_LOGS = ["json-file", "local", "none"];

export const DAEMON: Judges = {
  "2.2": iccOff,
  "2.3": oneOf("log-level", "info", ["info"]),
  "2.4": oneOf("iptables", "true", ["true"]),
  "2.5": securedRegistries,
  "2.6": ({ info: { Driver } }) => holds(Driver !== "aufs", "the storage driver is aufs"),
  "2.7": securedPort,
  "2.8": (facts) => holds(setting(facts, "default-ulimits") !== undefined, "no default-ulimits"),
  "2.9": (facts) =>
    holds(hasOption(facts, "userns") || hasOption(facts, "rootless"), "no userns-remap"),
  "2.10": oneOf("cgroup-parent", "", [""]),
  "2.11": (facts) =>
    holds(
      !said(setting(facts, "storage-opts") ?? "").includes("dm.basesize"),
      "dm.basesize is set",
    ),
  "2.12": ({ info: { Plugins } }) =>
    holds((Plugins.Authorization ?? []).length > 0, "no authorisation plugin"),
  "2.13": ({ info: { LoggingDriver: driver } }) =>
    holds(!LOCAL_LOGS.includes(driver), `the log driver is ${driver}`),
  "2.14": (facts) => holds(hasOption(facts, "no-new-privileges"), "no-new-privileges is off"),
  "2.15": ({ info }) => holds(info.LiveRestoreEnabled, "live-restore is off"),
  "2.16": oneOf("userland-proxy", "true", ["false"]),
  "2.18": ({ info }) => holds(!info.ExperimentalBuild, "experimental is on"),
};
