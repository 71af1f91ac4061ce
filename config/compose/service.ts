import { isTree, type Tree } from "../tree";
import { combineParts, entriesOf, itemsOf, textOf, treeIn, type Refuse } from "./model";
import { readDependencies, readHosts, readNetworkMode, readNetworks, readPorts } from "./network";
import { reasonForKey } from "./refused";
import { readSecretFiles, readTmpfs, readVolumes } from "./storage";
import { toMebibytes, toNumber, toSeconds } from "./units";

/* A service of a compose file as a workload. What the file does not say has the workload's own default. */

/** What converting a part of a service may look at. */
export interface Service {
  readonly project: string;
  readonly name: string;
  /** The model of the whole project. */
  readonly model: unknown;
  /** Refuses a key below the service. */
  readonly refuse: Refuse;
}

/** Turns the value of a key into a part of a workload. */
export type Convert = (value: unknown, service: Service) => Tree;

const NOTHING: Convert = () => ({});

const readEnvironment: Convert = (value, { refuse }) => {
  const all = Object.entries(isTree(value) ? value : {});
  for (const [name] of all.filter(([, text]) => text === null))
    refuse(["environment", name], "a value; none comes from the workstation's environment");
  const set = all.filter(([, text]) => text !== null).map(([name, text]) => [name, textOf(text)]);
  return { env: Object.fromEntries(set) };
};

const HEALTH_KEYS: Readonly<Record<string, string>> = {
  interval: "intervalSeconds",
  timeout: "timeoutSeconds",
  start_period: "startPeriodSeconds",
  retries: "retries",
};

const readHealthCheck: Convert = (value, { refuse }) => {
  const { test, ...rest } = value as Tree;
  const [kind, ...words] = itemsOf(test);
  if (kind !== "CMD" && kind !== "CMD-SHELL")
    refuse(["healthcheck"], "a test, or no healthcheck at all: then the image's holds");
  const times = entriesOf(rest).flatMap(([key, time]) => {
    const own = HEALTH_KEYS[key];
    if (!own) refuse(["healthcheck", key], Object.keys(HEALTH_KEYS).join(", "));
    return own ? [[own, toSeconds(time)] as const] : [];
  });
  const command = kind === "CMD-SHELL" ? ["/bin/sh", "-c", ...words] : words;
  return { healthCheck: { command, ...Object.fromEntries(times) } };
};

const LIMITS: Readonly<Record<string, Convert>> = {
  cpus: (value) => ({ limits: { cpus: toNumber(value) } }),
  memory: (value) => ({ limits: { memoryMiB: toMebibytes(value) } }),
  pids: (value) => ({ limits: { processes: toNumber(value) } }),
};

const readDeploy: Convert = (value, service) => {
  const limits = treeIn(treeIn(value, "resources"), "limits");
  const others = [
    ...entriesOf(value).flatMap(([key]) => (key === "resources" ? [] : [[key]])),
    ...entriesOf(treeIn(value, "resources")).flatMap(([key]) =>
      key === "limits" ? [] : [["resources", key]],
    ),
    ...entriesOf(limits).flatMap(([key]) => (key in LIMITS ? [] : [["resources", "limits", key]])),
  ];
  for (const path of others)
    service.refuse(
      ["deploy", ...path],
      path[0] === "replicas" ? reasonForKey("scale") : "deploy.resources.limits alone",
    );
  return entriesOf(limits).reduce<Tree>(
    (all, [key, limit]) => combineParts(all, LIMITS[key]?.(limit, service) ?? {}),
    {},
  );
};

const readRestart: Convert = (value, { refuse }) => {
  const [policy, tries = "5"] = textOf(value).split(":");
  if (tries !== "5") refuse(["restart"], "on-failure, which tries five times");
  return { restart: policy };
};

const readSecurity: Convert = (value, { refuse }) => {
  itemsOf(value).forEach((option, index) => {
    if (!/^no-new-privileges([:=]true)?$/.test(textOf(option)))
      refuse(["security_opt", index], reasonForKey("security_opt"));
  });
  return {};
};

const renameKey =
  (key: string): Convert =>
  (value) => ({ [key]: value });

/** Every key that a service may have. */
export const SERVICE_KEYS: Readonly<Record<string, Convert>> = {
  image: renameKey("image"),
  command: renameKey("command"),
  entrypoint: renameKey("entrypoint"),
  environment: readEnvironment,
  networks: readNetworks,
  network_mode: readNetworkMode,
  ports: readPorts,
  extra_hosts: readHosts,
  depends_on: readDependencies,
  volumes: readVolumes,
  tmpfs: readTmpfs,
  secrets: readSecretFiles,
  user: renameKey("user"),
  read_only: renameKey("readOnlyRoot"),
  cap_add: renameKey("capabilities"),
  security_opt: readSecurity,
  mem_limit: (value, service) => LIMITS.memory?.(value, service) ?? {},
  cpus: (value, service) => LIMITS.cpus?.(value, service) ?? {},
  pids_limit: (value, service) => LIMITS.pids?.(value, service) ?? {},
  deploy: readDeploy,
  healthcheck: readHealthCheck,
  restart: readRestart,
  stop_grace_period: (value) => ({ stopSeconds: toSeconds(value) }),
  labels: renameKey("labels"),
  // Every capability is dropped anyway, no port is open to others by itself, and the parser has chosen by profile.
  cap_drop: NOTHING,
  expose: NOTHING,
  profiles: NOTHING,
};

/** The workload that a service of the model is. */
export function convertService(declared: unknown, service: Service): Tree {
  return entriesOf(declared).reduce<Tree>((workload, [key, value]) => {
    const convert = SERVICE_KEYS[key];
    if (convert) return combineParts(workload, convert(value, service));
    service.refuse([key], reasonForKey(key));
    return workload;
  }, {});
}
