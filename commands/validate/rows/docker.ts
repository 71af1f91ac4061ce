/** Rows about Docker itself: the daemon, a test container, and what is declared in it. */
import { z } from "zod";
import { parseAnswer } from "../../../clients/answer";
import { isInRange } from "../../../clients/versions";
import { declaredImages } from "../../../config/images";
import { ICC, MTU } from "../../../config/node";
import { WORKLOAD_LABEL } from "../../../config/workloads";
import { poolsOf } from "../../../config/pools";
import type { NodeConfig, NetworkConfig } from "../../../config/schema";
import { nameOf, type Container, type Inventory } from "../../site/inventory";
import { judgeAll, type Judgement, type Row } from "../row";
import type { DockerInfo } from "../subject";

type Info = Pick<DockerInfo, "ServerVersion" | "Driver" | "LoggingDriver" | "LiveRestoreEnabled">;

/** What the daemon is declared to be, beside what it says it is. */
function daemonPairs({ engine }: NodeConfig, found?: Info): [string, unknown, unknown][] {
  const { daemon } = engine;
  const fits = found && isInRange(found.ServerVersion, engine.version);
  const pairs: [string, unknown, unknown][] = [
    ["Docker", engine.version, fits ? engine.version : found?.ServerVersion],
    ["storage-driver", daemon["storage-driver"], found?.Driver],
    ["log-driver", daemon["log-driver"], found?.LoggingDriver],
    ["live-restore", daemon["live-restore"], found?.LiveRestoreEnabled],
  ];
  return pairs.filter(([, declared]) => declared !== undefined);
}

/** `docker info` against what the configuration says of the daemon. */
export function judgeDaemon(node: NodeConfig, found: Info): Judgement {
  const pairs = daemonPairs(node, found);
  const figure = pairs.map(([what, , value]) => `${what} ${String(value)}`).join(", ");
  return { holds: pairs.every(([, declared, value]) => declared === value), figure };
}

/** Release and main settings of dockerd. */
export const daemon: Row = {
  id: "docker",
  title: "Docker",
  how: "docker info",
  threshold: ({ node }) =>
    daemonPairs(node)
      .map(([what, declared]) => `${what} ${String(declared)}`)
      .join(", "),
  measure: async ({ node, info }) => judgeDaemon(node, await info()),
};

const confined = z.object({
  milliseconds: z.number(),
  uid: z.number(),
  noNewPrivileges: z.boolean(),
  seccomp: z.boolean(),
  apparmor: z.string(),
});

/** What confines every container of the node. */
function confinementOf({ engine: { daemon: declared } }: NodeConfig): string[] {
  return [
    ...(declared["userns-remap"] ? ["remapped root"] : []),
    ...(declared["no-new-privileges"] ? ["no new privileges"] : []),
    ...(declared["seccomp-profile"] === "unconfined" ? [] : ["seccomp"]),
    "AppArmor docker-default",
  ];
}

/** How a new container is confined, against what daemon.json promises. */
export function judgeContainer(node: NodeConfig, found: z.output<typeof confined>): Judgement {
  const has = [
    ...(found.uid > 0 ? ["remapped root"] : []),
    ...(found.noNewPrivileges ? ["no new privileges"] : []),
    ...(found.seccomp ? ["seccomp"] : []),
    ...(found.apparmor === "docker-default (enforce)" ? ["AppArmor docker-default"] : []),
  ];
  const missing = confinementOf(node).filter((one) => !has.includes(one));
  const lack = missing.length > 0 ? `; missing: ${missing.join(", ")}` : "";
  const figure = `ran in ${found.milliseconds} ms; ${has.join(", ") || "not confined"}${lack}`;
  return { holds: missing.length === 0, figure };
}

/** A container that is made for this, and looks at its own confinement. */
export const testContainer: Row = {
  id: "container",
  title: "Test container",
  how: "docker run --rm of the node's own python3, which looks at its /proc/self",
  threshold: ({ node }) => `runs; ${confinementOf(node).join(", ")}`,
  measure: async ({ node, script }) =>
    judgeContainer(node, await script(confined, "validation/container")),
};

/** Containers that the program makes, with their images; workloads by their names. */
const declaredContainers = (node: NodeConfig): [string, string][] =>
  declaredImages(node).map(({ container, image }) => [container, image]);

/** A workload's container that runs goes before one that an update has left behind. */
function findContainer(name: string, { containers }: Inventory): Container | undefined {
  const labelled = containers.filter(({ Config }) => Config.Labels?.[WORKLOAD_LABEL] === name);
  const own = containers.filter((one) => nameOf(one) === name);
  const all = [...labelled, ...own];
  return all.find(({ State }) => State?.Running) ?? all[0];
}

function wrongOf(name: string, image: string, inventory: Inventory): string[] {
  const { images } = inventory;
  const found = findContainer(name, inventory);
  if (!found) return [`${name} is missing`];
  const [, digest = ""] = image.split("@");
  const own = images.find(({ Id }) => Id === found.Image);
  const health = found.State?.Health?.Status;
  return [
    ...(found.State?.Running ? [] : [`${name} does not run`]),
    ...(health === "unhealthy" ? [`${name} is unhealthy`] : []),
    ...(own?.RepoDigests?.some((one) => one.endsWith(digest)) ? [] : [`${name} has another image`]),
  ];
}

/** What runs against the declared containers. Others do not count. */
export function judgeContainers(node: NodeConfig, inventory: Inventory): Judgement {
  const declared = declaredContainers(node);
  const wrong = declared.flatMap(([name, image]) => wrongOf(name, image, inventory));
  return judgeAll("containers", declared.length, wrong);
}

const joinNames = (all: readonly string[]): string | undefined => all.join(", ") || undefined;

export const containers: Row = {
  id: "containers",
  title: "Declared containers",
  how: "docker inspect: it runs, is not unhealthy, and has the declared digest",
  threshold: ({ node }) => joinNames(declaredContainers(node).map(([name]) => name)),
  measure: async ({ node, inventory }) => judgeContainers(node, await inventory()),
};

export const volumes: Row = {
  id: "volumes",
  title: "Declared volumes",
  how: "docker volume inspect",
  threshold: ({ node }) => joinNames(Object.keys(node.volumes)),
  measure: async ({ node, inventory }) => judgeVolumes(node, await inventory()),
};

/** Whether each declared volume exists. Its content is not looked at. */
export function judgeVolumes({ volumes: declared }: NodeConfig, found: Inventory): Judgement {
  const there = new Set(found.volumes.map(({ Name }) => Name));
  const all = Object.keys(declared);
  const missing = all.filter((name) => !there.has(name)).map((name) => `${name} is missing`);
  return judgeAll("volumes", all.length, missing);
}

const network = z.looseObject({
  Name: z.string(),
  Driver: z.string(),
  Internal: z.boolean(),
  IPAM: z.looseObject({ Config: z.array(z.looseObject({ Subnet: z.string() })).nullable() }),
  Options: z.record(z.string(), z.string()).nullable(),
});
type Network = z.output<typeof network>;

function findDifferences(name: string, declared: NetworkConfig, found?: Network): string[] {
  if (!found) return [`${name} is missing`];
  const subnets = (found.IPAM.Config ?? []).map(({ Subnet }) => Subnet).join(", ");
  const wanted = poolsOf(declared).map(({ subnet }) => subnet);
  const bridge = declared.driver === "bridge" ? declared : undefined;
  const isolated = found.Options?.[ICC] === "false";
  return [
    ...(found.Driver === declared.driver ? [] : [`${name} is a ${found.Driver}`]),
    ...(subnets === wanted.join(", ") ? [] : [`${name} is ${subnets || "without a subnet"}`]),
    ...(bridge && bridge.isolated !== isolated ? [`${name}: isolated is ${isolated}`] : []),
    ...(bridge && bridge.internal !== found.Internal ? [`${name}: internal is not so`] : []),
    ...findMtu(name, bridge?.mtu, found.Options?.[MTU]),
  ];
}

const findMtu = (name: string, declared: number | undefined, found = "not set"): string[] =>
  declared === undefined || String(declared) === found ? [] : [`${name}: its MTU is ${found}`];

/** The networks of a node. @throws AnswerError */
export const networksIn = ({ networks: found }: Inventory): Network[] =>
  parseAnswer(z.array(network), found, "docker network inspect");

/** Driver, subnets and options of each declared network. */
export function judgeNetworks({ networks: declared }: NodeConfig, found: Inventory): Judgement {
  const there = networksIn(found);
  const all = Object.entries(declared);
  const wrong = all.flatMap(([name, one]) =>
    findDifferences(
      name,
      one,
      there.find(({ Name }) => Name === name),
    ),
  );
  return judgeAll("networks", all.length, wrong);
}

export const networks: Row = {
  id: "networks",
  title: "Declared networks",
  how: "docker network inspect: driver, subnet, isolation",
  threshold: ({ node }) => joinNames(Object.keys(node.networks)),
  measure: async ({ node, inventory }) => judgeNetworks(node, await inventory()),
};
