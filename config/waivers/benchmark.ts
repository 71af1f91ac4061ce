/*
 * The checks of the CIS Docker Benchmark 1.6, sections 1 to 5, by their ids and in our own words. `docker-node benchmark` judges
 * them on a node (commands/benchmark/), so that only it can tell whether a waiver of one is needed.
 */

/** What a check is about: the node and its Docker, every running container, every image that one runs, or a person's judgement. */
type Subject = "host" | "container" | "image" | "person";

/** Id without a prefix, what is asked, and of what. */
type Row = readonly [id: string, title: string, of: Subject];

const HOST = [
  ["1.1.1", "Docker's data lies on a file system of its own", "host"],
  ["1.1.2", "only trusted users control Docker", "person"],
  ["1.1.3", "dockerd is audited", "host"],
  ["1.1.4", "/run/containerd is audited", "host"],
  ["1.1.5", "Docker's data folder is audited", "host"],
  ["1.1.6", "/etc/docker is audited", "host"],
  ["1.1.7", "docker.service is audited", "host"],
  ["1.1.8", "containerd's socket is audited", "host"],
  ["1.1.9", "docker.socket is audited", "host"],
  ["1.1.10", "/etc/default/docker is audited", "host"],
  ["1.1.11", "daemon.json is audited", "host"],
  ["1.1.12", "containerd's configuration is audited", "host"],
  ["1.1.13", "/etc/sysconfig/docker is audited", "host"],
  ["1.1.14", "containerd is audited", "host"],
  ["1.1.15", "containerd-shim is audited", "host"],
  ["1.1.16", "containerd-shim-runc-v1 is audited", "host"],
  ["1.1.17", "containerd-shim-runc-v2 is audited", "host"],
  ["1.1.18", "runc is audited", "host"],
  ["1.2.1", "the host is hardened", "person"],
  ["1.2.2", "Docker is up to date", "person"],
] as const satisfies readonly Row[];

const DAEMON = [
  ["2.1", "Docker runs without root", "person"],
  ["2.2", "containers on docker0 do not reach one another", "host"],
  ["2.3", "dockerd logs at info", "host"],
  ["2.4", "dockerd makes its own firewall rules", "host"],
  ["2.5", "no registry without TLS", "host"],
  ["2.6", "no aufs", "host"],
  ["2.7", "dockerd's API is on no port without client certificates", "host"],
  ["2.8", "containers have default limits (ulimit)", "host"],
  ["2.9", "root of a container is not root of the host", "host"],
  ["2.10", "containers are below Docker's own cgroup", "host"],
  ["2.11", "the base device has its default size", "host"],
  ["2.12", "a plugin authorises each call of the API", "host"],
  ["2.13", "logs leave the node", "host"],
  ["2.14", "no process of a container gets new privileges", "host"],
  ["2.15", "containers outlive dockerd", "host"],
  ["2.16", "no userland proxy", "host"],
  ["2.17", "a seccomp profile of one's own, where needed", "person"],
  ["2.18", "no experimental features", "host"],
] as const satisfies readonly Row[];

const FILES = [
  ["3.1", "docker.service belongs to root", "host"],
  ["3.2", "docker.service is 644 or stricter", "host"],
  ["3.3", "docker.socket belongs to root", "host"],
  ["3.4", "docker.socket is 644 or stricter", "host"],
  ["3.5", "/etc/docker belongs to root", "host"],
  ["3.6", "/etc/docker is 755 or stricter", "host"],
  ["3.7", "certificates of registries belong to root", "host"],
  ["3.8", "certificates of registries are 444 or stricter", "host"],
  ["3.9", "the CA's certificate belongs to root", "host"],
  ["3.10", "the CA's certificate is 444 or stricter", "host"],
  ["3.11", "dockerd's certificate belongs to root", "host"],
  ["3.12", "dockerd's certificate is 444 or stricter", "host"],
  ["3.13", "dockerd's key belongs to root", "host"],
  ["3.14", "dockerd's key is 400", "host"],
  ["3.15", "Docker's socket belongs to root and docker", "host"],
  ["3.16", "Docker's socket is 660 or stricter", "host"],
  ["3.17", "daemon.json belongs to root", "host"],
  ["3.18", "daemon.json is 644 or stricter", "host"],
  ["3.19", "/etc/default/docker belongs to root", "host"],
  ["3.20", "/etc/default/docker is 644 or stricter", "host"],
  ["3.21", "/etc/sysconfig/docker is 644 or stricter", "host"],
  ["3.22", "/etc/sysconfig/docker belongs to root", "host"],
  ["3.23", "containerd's socket belongs to root", "host"],
  ["3.24", "containerd's socket is 660 or stricter", "host"],
] as const satisfies readonly Row[];

const IMAGES = [
  ["4.1", "a container runs as a user of its own", "container"],
  ["4.2", "base images are trusted", "person"],
  ["4.3", "images hold nothing that is not needed", "person"],
  ["4.4", "images are scanned and rebuilt", "person"],
  ["4.5", "Docker takes signed images alone (content trust)", "host"],
  ["4.6", "an image has a health check", "image"],
  ["4.7", "no update alone in a layer", "person"],
  ["4.8", "no setuid programs in images", "person"],
  ["4.9", "COPY instead of ADD", "person"],
  ["4.10", "no secrets in image builds", "person"],
  ["4.11", "only verified packages", "person"],
  ["4.12", "signatures are checked", "person"],
] as const satisfies readonly Row[];

const CONTAINERS = [
  ["5.1", "no swarm", "host"],
  ["5.2", "AppArmor confines it", "container"],
  ["5.3", "it has security options", "container"],
  ["5.4", "it has no added capability", "container"],
  ["5.5", "it is not privileged", "container"],
  ["5.6", "no folder of the system is mounted", "container"],
  ["5.7", "no sshd runs in it", "person"],
  ["5.8", "it publishes no port below 1024", "container"],
  ["5.9", "it publishes declared ports alone", "container"],
  ["5.10", "it has its own network", "container"],
  ["5.11", "its memory is limited", "container"],
  ["5.12", "its share of the processors is set", "container"],
  ["5.13", "its root is read-only", "container"],
  ["5.14", "it publishes on one address", "container"],
  ["5.15", "it is restarted five times at most, where a number is set", "container"],
  ["5.16", "it has its own processes", "container"],
  ["5.17", "it has its own IPC", "container"],
  ["5.18", "it has no device of the host", "container"],
  ["5.19", "its limits are its own where needed", "person"],
  ["5.20", "its mounts do not reach the host", "container"],
  ["5.21", "it has its own host name", "container"],
  ["5.22", "seccomp confines it", "container"],
  ["5.23", "nobody runs privileged commands in it", "person"],
  ["5.24", "nobody runs commands in it as root", "person"],
  ["5.25", "it is below Docker's own cgroup", "container"],
  ["5.26", "none of its processes gets new privileges", "container"],
  ["5.27", "its health is checked", "container"],
  ["5.28", "its image is the newest", "person"],
  ["5.29", "its processes are limited", "container"],
  ["5.30", "it is not on docker0", "container"],
  ["5.31", "it has a user namespace of its own", "container"],
  ["5.32", "Docker's socket is not mounted", "container"],
] as const satisfies readonly Row[];

/** All checks, in the benchmark's order. */
export const BENCHMARK = [...HOST, ...DAEMON, ...FILES, ...IMAGES, ...CONTAINERS] as const;

type Listed = (typeof BENCHMARK)[number];

/** Id of a check that is judged by a program. */
export type JudgedId = Exclude<Listed, readonly [string, string, "person"]>[0];

const PREFIX = "cis-docker-";

/** What a waiver names a check by. */
export const waiverIdOf = (id: string): string => `${PREFIX}${id}`;

/** Whether a waiver's id is a check's. */
export const isBenchmarkId = (id: string): boolean => id.startsWith(PREFIX);

/** What a waiver may name here, and whether for one container. */
export const BENCHMARK_IDS: readonly { readonly id: string; readonly ofContainers?: true }[] =
  BENCHMARK.filter(([, , of]) => of !== "person").map(([id, , of]) =>
    of === "host" ? { id: waiverIdOf(id) } : { id: waiverIdOf(id), ofContainers: true },
  );
