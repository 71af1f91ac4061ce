/** Sections 4 and 5: the containers that run, and the images they run. */
import { ALL_ADDRESSES, holdsSystem, socketIn } from "../../../config/exposure";
import { judgeEach, holds, type Judge, type Judges } from "../check";
import { nameOf, type BenchContainer, type Facts } from "../facts";

const ROOT_USERS = ["", "0", "root", "0:0", "root:root"];
const MOST_RETRIES = 5;

/** Paths of the node that a container has; of a volume that is a folder by another name, that folder. */
const sourcesOf = ({ Mounts = [] }: BenchContainer, volumes: Facts["volumes"]): string[] =>
  Mounts.flatMap(({ Name, Source }) => {
    const bound = volumes.find((one) => one.name === Name)?.device;
    return bound ?? Source ?? [];
  });

const judgeMounts =
  (isWrong: (path: string) => boolean): Judge =>
  (facts) =>
    judgeEach((one) => listOf("mounts", sourcesOf(one, facts.volumes).filter(isWrong)))(facts);

/** Ports of the host that lead to a container. */
function publishedPorts({
  NetworkSettings: { Ports },
}: BenchContainer): { ip: string; port: number }[] {
  const all = Object.values(Ports ?? {}).flatMap((bound) => bound ?? []);
  return all.map(({ HostIp = "", HostPort = "" }) => ({ ip: HostIp, port: Number(HostPort) }));
}

const listOf = (what: string, all: readonly (string | number)[]): string | false =>
  all.length > 0 && `${what} ${[...new Set(all)].join(", ")}`;

const judgeHostMode =
  (key: "NetworkMode" | "PidMode" | "IpcMode" | "UTSMode" | "UsernsMode", what: string): Judge =>
  (facts) =>
    judgeEach(({ HostConfig }) => HostConfig[key] === "host" && what)(facts);

/** docker may confine a container by an option of its own, or all of them by daemon.json. */
const judgeNewPrivileges: Judge = (facts) => {
  const everywhere = facts.info.SecurityOptions.some((option) =>
    option.split(",").includes("name=no-new-privileges"),
  );
  const own = judgeEach(
    ({ HostConfig: { SecurityOpt } }) =>
      !SecurityOpt?.some((option) => /^no-new-privileges(?:[:=]true)?$/.test(option)) &&
      "no-new-privileges is off",
  );
  return everywhere ? [] : own(facts);
};

/** Counts retries alone, as the benchmark's own script does: `always` and `unless-stopped` pass. */
function judgeRestarts({ HostConfig: { RestartPolicy: policy } }: BenchContainer): string | false {
  const { MaximumRetryCount: most = 0 } = policy;
  return most > MOST_RETRIES && `restarted ${most} times`;
}

/** A finding names the container that runs the image, because a waiver names containers. */
const judgeImageHealth: Judge = (facts) =>
  judgeEach(({ Image }) => {
    const image = facts.images.find(({ Id }) => Id === Image);
    const what = image?.RepoTags?.[0] ?? Image.slice(0, 19);
    return !image?.Config?.Healthcheck && `no health check in ${what}`;
  })(facts);

/** The stack file says which ports are needed (../ports.ts). */
const judgePorts: Judge = ({ containers }) =>
  containers.flatMap((one) => {
    const ports = [...new Set(publishedPorts(one).map(({ port }) => port))];
    return ports.map((port) => ({ what: `publishes ${port}`, container: nameOf(one), port }));
  });

const IMAGES: Judges = {
  "4.1": judgeEach(({ Config: { User = "" } }) => ROOT_USERS.includes(User) && "runs as root"),
  "4.5": ({ contentTrust }) => holds(contentTrust, "DOCKER_CONTENT_TRUST is not 1"),
  "4.6": judgeImageHealth,
};

export const CONTAINERS: Judges = {
  ...IMAGES,
  "5.1": ({ info: { Swarm } }) =>
    holds(Swarm.LocalNodeState === "inactive", `swarm is ${Swarm.LocalNodeState}`),
  "5.2": judgeEach(
    ({ AppArmorProfile: profile = "" }) =>
      ["", "unconfined"].includes(profile) && `AppArmor: ${profile || "no profile"}`,
  ),
  "5.3": judgeEach(
    ({ HostConfig: { SecurityOpt } }) => !SecurityOpt?.length && "no security options",
  ),
  "5.4": judgeEach(({ HostConfig: { CapAdd } }) => listOf("added:", CapAdd ?? [])),
  "5.5": judgeEach(({ HostConfig: { Privileged } }) => Privileged && "privileged"),
  "5.6": judgeMounts((path) => holdsSystem(path) && socketIn(path) === undefined),
  "5.8": judgeEach((one) =>
    listOf(
      "publishes",
      publishedPorts(one).flatMap(({ port }) => (port > 0 && port < 1024 ? port : [])),
    ),
  ),
  "5.9": judgePorts,
  "5.10": judgeHostMode("NetworkMode", "has the host's network"),
  "5.11": judgeEach(({ HostConfig: { Memory = 0 } }) => Memory <= 0 && "no memory limit"),
  "5.12": judgeEach(
    ({ HostConfig: { CpuShares = 0, NanoCpus = 0 } }) =>
      CpuShares === 0 && NanoCpus === 0 && "neither CPU shares nor limit",
  ),
  "5.13": judgeEach(
    ({ HostConfig: { ReadonlyRootfs } }) => !ReadonlyRootfs && "its root is writable",
  ),
  "5.14": judgeEach((one) =>
    listOf(
      "publishes on all addresses:",
      publishedPorts(one).flatMap(({ ip, port }) => (ALL_ADDRESSES.includes(ip) ? port : [])),
    ),
  ),
  "5.15": judgeEach(judgeRestarts),
  "5.16": judgeHostMode("PidMode", "sees the host's processes"),
  "5.17": judgeHostMode("IpcMode", "has the host's IPC"),
  "5.18": judgeEach(
    ({ HostConfig: { Devices } }) => !!Devices?.length && "has devices of the host",
  ),
  "5.20": judgeEach(
    ({ Mounts = [] }) =>
      Mounts.some(({ Propagation = "" }) => Propagation.includes("shared")) && "a mount is shared",
  ),
  "5.21": judgeHostMode("UTSMode", "has the host's name"),
  "5.22": judgeEach(
    ({ HostConfig: { SecurityOpt } }) =>
      SecurityOpt?.some((option) => /^seccomp[:=]unconfined$/.test(option)) && "seccomp is off",
  ),
  "5.25": judgeEach(
    ({ HostConfig: { CgroupParent = "" } }) => CgroupParent && `in ${CgroupParent}`,
  ),
  "5.26": judgeNewPrivileges,
  "5.27": judgeEach(({ State: { Health } }) => !Health && "no health check"),
  "5.29": judgeEach(
    ({ HostConfig: { PidsLimit } }) => (PidsLimit ?? 0) <= 0 && "no limit of processes",
  ),
  // The mode says "bridge" too of one that has left docker0 for networks of its own.
  "5.30": judgeEach(
    ({ NetworkSettings: { Networks } }) => "bridge" in (Networks ?? {}) && "on docker0",
  ),
  "5.31": judgeHostMode("UsernsMode", "root in it is root of the host"),
  "5.32": judgeMounts((path) => socketIn(path) !== undefined),
};
