/** A container that is gone: a declared one by pulumi, any other from its backed-up definition. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  creationOf,
  networkBody,
  networksOf,
  sourceOf,
  volumesOf,
  type Creation,
} from "./definition";
import { targetsOf } from "../../clients/pulumi/stack";
import { ensureImage, withScratch } from "../site/image";
import { nameOf, takeInventory } from "../site/inventory";
import type { Container, ContainerState, Image, Inventory, Network } from "../site/inventory";
import { choose, pathOf, timeOf, type Snapshot } from "../../clients/backup-server";
import { poll } from "../../clients/poll";
import { docker, type Site } from "../site/site";
import { OBJECTIVES, done, type Recovery, type Step } from "./steps";
import { planVolume } from "./volume";

export interface ContainerOptions {
  /** `latest`, or the configuration snapshot's time. */
  readonly wanted?: string;
  /** From its definition even if the program declares it, as when its registry is gone. */
  readonly fromDefinition?: boolean;
  /** Replace the container that exists; it is kept under another name. */
  readonly force?: boolean;
  /** Seconds until it has to run, and be healthy where it has a health check. */
  readonly healthSeconds?: number;
}

const HEALTH_SECONDS = 180;

/** What a configuration snapshot knows of containers. */
interface Definitions {
  readonly snapshot: Snapshot;
  readonly containers: readonly Container[];
  readonly networks: readonly Network[];
  readonly images: readonly Image[];
}

/** Plans it; nothing is touched. */
export async function planContainer(
  site: Site,
  name: string,
  options: ContainerOptions = {},
): Promise<Recovery> {
  const [inventory, resources] = await Promise.all([
    takeInventory(site.shell),
    site.pulumi.resources(),
  ]);
  const targets = options.fromDefinition ? [] : targetsOf(name, site.name, resources);
  return targets.length > 0
    ? declared(site, name, targets, inventory, options)
    : undeclared(site, name, inventory, options);
}

async function declared(
  site: Site,
  name: string,
  targets: readonly string[],
  inventory: Inventory,
  { healthSeconds }: ContainerOptions,
): Promise<Recovery> {
  const { steps, unread } = await volumesOfDeclared(site, name, inventory);
  const upStep: Step = {
    title: `let pulumi make ${name} and what it needs`,
    command: site.pulumi.shown(targets),
    run: () => done(site.pulumi.up(targets)),
    commits: true,
  };
  return {
    title: `container ${name} on ${site.name}, declared`,
    objectives: OBJECTIVES.container,
    steps: [...steps, upStep, healthStep(site, name, healthSeconds)],
    afterwards: unread
      ? [`see that its volumes hold what they should: the backups could not be read (${unread})`]
      : [],
  };
}

/** A declared container comes back without any backup; whether its volumes do has to be asked. */
async function volumesOfDeclared(
  site: Site,
  name: string,
  inventory: Inventory,
): Promise<{ steps: Step[]; unread?: string }> {
  try {
    const { containers } = await readDefinitions(site, "latest");
    const known = containers.find(named(name));
    return { steps: known ? await missingVolumes(site, known, inventory) : [] };
  } catch (error) {
    return { steps: [], unread: (error as Error).message };
  }
}

async function undeclared(
  site: Site,
  name: string,
  inventory: Inventory,
  { wanted = "latest", force = false, healthSeconds }: ContainerOptions,
): Promise<Recovery> {
  const definitions = await readDefinitions(site, wanted);
  const { snapshot } = definitions;
  const container = find(definitions, name);
  const saved = savedName(site, name, inventory, force);
  const steps = [
    ...(await missingVolumes(site, container, inventory)),
    ...networkSteps(site, container, definitions, inventory),
    ...createSteps(site, container, definitions.images, saved),
    healthStep(site, name, healthSeconds),
  ];
  return {
    title: `container ${name} on ${site.name}, from its definition`,
    snapshot: pathOf(snapshot),
    takenAt: snapshot.takenAt,
    objectives: OBJECTIVES.container,
    steps,
    afterwards: saved ? [`the container before is ${saved}: docker rm ${saved}`] : [],
  };
}

/** Where a container that exists is kept; undefined when there is none. */
function savedName(
  site: Site,
  name: string,
  { containers }: Inventory,
  force: boolean,
): string | undefined {
  if (!containers.some(named(name))) return undefined;
  if (force) return `${name}.before-${timeOf(site.now()).replaceAll(":", "")}`;
  throw new Error(`container ${name} exists; --force replaces it and keeps it by another name`);
}

async function readDefinitions(site: Site, wanted: string): Promise<Definitions> {
  const all = await site.repository.snapshots("configuration");
  const snapshot = choose(all, "configuration", wanted, site.now());
  return withScratch(async (folder) => {
    const files = join(folder, "files");
    await site.repository.extract("configuration", snapshot, "files.pxar", files);
    const read = (name: string): unknown =>
      JSON.parse(readFileSync(join(files, "definitions", `${name}.json`), "utf8"));
    return {
      snapshot,
      containers: read("containers") as Container[],
      networks: read("networks") as Network[],
      images: read("images") as Image[],
    };
  });
}

const named =
  (name: string) =>
  (container: Container): boolean =>
    nameOf(container) === name;

function find({ containers, snapshot }: Definitions, name: string): Container {
  const found = containers.find(named(name));
  if (found) return found;
  const names = containers.map(nameOf).join(", ") || "none";
  throw new Error(`${pathOf(snapshot)} has no container ${name}; it has: ${names}`);
}

/** Started on an empty volume, a container would take the loss for a first start. */
async function missingVolumes(
  site: Site,
  container: Container,
  inventory: Inventory,
): Promise<Step[]> {
  const here = new Set(inventory.volumes.map(({ Name }) => Name));
  const missing = [...new Set(volumesOf(container))].filter((volume) => !here.has(volume));
  const plans = await Promise.all(
    missing.map((volume) => planVolume(site, volume, "latest", inventory)),
  );
  return plans.flatMap(({ steps }) => steps);
}

function networkSteps(
  site: Site,
  container: Container,
  { networks }: Definitions,
  inventory: Inventory,
): Step[] {
  const here = new Set(inventory.networks.map(({ Name }) => Name));
  const missing = networksOf(container).filter((name) => !here.has(name));
  return missing.map((name) => {
    const network = networks.find(({ Name }) => Name === name);
    if (!network) throw new Error(`network ${name}: neither on the node nor in the backup`);
    return {
      title: `make the network ${name}`,
      run: () => done(docker(site, "POST", "/networks/create", networkBody(network))),
      undo: {
        title: `remove the network ${name}`,
        run: () => docker(site, "DELETE", `/networks/${name}`),
      },
    };
  });
}

function createSteps(
  site: Site,
  container: Container,
  images: readonly Image[],
  saved: string | undefined,
): Step[] {
  const { Config, Image: id } = container;
  const [name, source] = [nameOf(container), sourceOf(container, images)];
  let image = Config.Image;
  const have: Step = {
    title: `have the image ${Config.Image}: pulled from ${source || "nowhere"}, or from the images' backup`,
    run: async () => (image = await ensureImage(site, { name: Config.Image, source, id })),
  };
  const create: Step = {
    title: `create and start ${name}`,
    run: () => done(make(site, name, creationOf(container, image))),
    undo: { title: `remove ${name}`, run: () => removeIfThere(site, name) },
    commits: true,
  };
  return [have, ...(saved ? [setAside(site, container, name, saved)] : []), create];
}

async function make(site: Site, name: string, { body, joins }: Creation): Promise<void> {
  const query = `?name=${encodeURIComponent(name)}`;
  const { Id } = await docker<{ Id: string }>(site, "POST", `/containers/create${query}`, body);
  for (const { network, endpoint } of joins)
    await docker(site, "POST", `/networks/${encodeURIComponent(network)}/connect`, {
      Container: Id,
      EndpointConfig: endpoint,
    });
  await docker(site, "POST", `/containers/${Id}/start`);
}

async function removeIfThere(site: Site, name: string): Promise<void> {
  const { containers } = await takeInventory(site.shell);
  if (containers.some(named(name))) await docker(site, "DELETE", `/containers/${name}?force=1`);
}

/** Not to be started by the daemon either, or two would want the same ports. */
function setAside(site: Site, { HostConfig }: Container, name: string, saved: string): Step {
  const post = (path: string, body?: unknown): Promise<unknown> =>
    docker(site, "POST", `/containers/${path}`, body);
  return {
    title: `stop ${name} and keep it as ${saved}`,
    run: async () => {
      await post(`${name}/stop?t=60`);
      await post(`${name}/update`, { RestartPolicy: { Name: "no" } });
      return done(post(`${name}/rename?name=${saved}`));
    },
    undo: {
      title: `bring ${name} back`,
      run: async () => {
        const { containers } = await takeInventory(site.shell);
        if (containers.some(named(saved))) await post(`${saved}/rename?name=${name}`);
        await post(`${name}/update`, { RestartPolicy: HostConfig["RestartPolicy"] });
        await post(`${name}/start`);
      },
    },
  };
}

function healthStep(site: Site, name: string, seconds = HEALTH_SECONDS): Step {
  return {
    title: `wait until ${name} runs, and is healthy if it can tell`,
    run: async () => {
      let state: ContainerState | undefined;
      const patience = { everyMs: 2_000, limitMs: seconds * 1000, now: site.now };
      const health = await poll(patience, async () => {
        const path = `/containers/${name}/json`;
        state = (await docker<{ State: ContainerState }>(site, "GET", path)).State;
        return isSettled(state) ? healthOf(state) : undefined;
      });
      if (health !== undefined) return `runs, ${health}`;
      const why = state?.Running ? `is ${healthOf(state)}` : "does not run";
      throw new Error(`${name} ${why}: docker logs ${name}`);
    },
  };
}

const healthOf = ({ Health }: ContainerState): string => Health?.Status ?? "without a health check";

const isSettled = (state: ContainerState): boolean =>
  state.Running && !["starting", "unhealthy"].includes(healthOf(state));
