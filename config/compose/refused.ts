/* Keys of compose files that a workload does not take, each with the way around. */

const OWN_NAMESPACE = "a workload has its own; no way around, it is what keeps it apart";
const DAEMON_LOGS = "logs are kept as engine.daemon says (log-driver, log-opts); take it out";
const BUILT = "images are built elsewhere; name one by version and digest as image";
const OTHER_STACK =
  "take it out, or write a program that builds on the node (docs/how-to/build-on-a-node.md)";

/** What to write instead. A key that is not here has no words of its own. */
export const REASONS: Readonly<Record<string, string>> = {
  build: BUILT,
  cgroup: OWN_NAMESPACE,
  configs: "put the file on the node and mount it under volumes, or name it under secrets",
  container_name:
    "Docker names each container anew; the service's name leads to it on its networks",
  cpu_shares: "every workload has half of what the node itself has; cpus limits it",
  cpuset: "cpus limits it",
  develop: BUILT,
  device_cgroup_rules: OTHER_STACK,
  devices: OTHER_STACK,
  dns: "engine.daemon.dns says it for all containers",
  dns_opt: "engine.daemon.dns-opts says it for all containers",
  dns_search: "engine.daemon.dns-search says it for all containers",
  env_file:
    "write what anybody may see under environment, and the rest as secrets (pulumi config set --secret workloadSecret-<name>)",
  external_links: "networks with aliases; the other one's name leads to it",
  gpus: OTHER_STACK,
  hostname: "a workload's host name is its own, <project>-<service>",
  init: "engine.daemon.init: true gives one to every container",
  ipc: OWN_NAMESPACE,
  links: "networks with aliases; the other one's name leads to it",
  logging: DAEMON_LOGS,
  mac_address: "Docker chooses it; take it out",
  memswap_limit: "there is no swap for workloads; mem_limit says all",
  pid: OWN_NAMESPACE,
  platform: "the image's digest says it",
  privileged: "leave it out: cap_add names what it needs",
  pull_policy: "an image is pulled once, by its digest; take it out",
  scale: "compose.<project>.place.replicas says on how many nodes the project runs",
  security_opt:
    "no-new-privileges:true alone; engine.daemon says which seccomp profile all containers have",
  shm_size: "64 MiB; a tmpfs at /dev/shm with another size",
  stop_signal: "SIGTERM, or the image's STOPSIGNAL",
  sysctls: OTHER_STACK,
  ulimits: "engine.daemon.default-ulimits says it for all containers",
  userns_mode: OWN_NAMESPACE,
  uts: OWN_NAMESPACE,
  working_dir: "the image's WORKDIR",
};

/** Why a service cannot have a key, and what to write instead. */
export const reasonForKey = (key: string): string =>
  REASONS[key] ?? `take it out; docs/how-to/use-compose-files.md lists what a service may have`;
