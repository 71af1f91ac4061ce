/** Restores a container: pulumi makes a declared one, any other comes from its backed-up definition. */
import { pathOf, timeOf, type Snapshot } from "../../clients/snapshots";
import { targetsOf, type Deployed } from "../../clients/pulumi/stack";
import { nameOf, takeInventory, type Container, type Volume } from "../site/inventory";
import type { Site } from "../site/site";
import {
  declaredVolumes,
  makeVolume,
  refuseEmpty,
  planVolumes,
  type VolumePlan,
} from "./container-volumes";
import { createSteps, healthStep, networkSteps, startStep } from "./container-steps";
import { volumesOf } from "./definition";
import { find, hasName, readDefinitions, type Definitions } from "./definitions";
import { referencesOf } from "./references";
import { OBJECTIVES, forget, type Recovery, type Step } from "./steps";

export interface ContainerOptions {
  /** `latest`, or the configuration snapshot's time. */
  readonly wanted?: string;
  /** Use its definition even if the program declares it, for instance when its registry is gone. */
  readonly fromDefinition?: boolean;
  /** Replace the existing container, and keep it under another name. */
  readonly force?: boolean;
  /** Start it on empty volumes where a volume is gone and cannot be restored. */
  readonly emptyVolumes?: boolean;
  /** Seconds within which it has to run, and be healthy if it has a health check. Default: 180. */
  readonly healthSeconds?: number;
}

/** What a plan knows about the node, and what it has planned so far. */
interface Plan extends VolumePlan {
  readonly options: ContainerOptions;
  readonly deployed: readonly Deployed[];
  /** Names of what is there, or will be. */
  readonly containers: Set<string>;
  readonly networks: Set<string>;
}

/**
 * Plans the recovery, and touches nothing.
 * @throws Error when a volume would come up empty, unless the options allow it
 */
export async function planContainer(
  site: Site,
  name: string,
  options: ContainerOptions = {},
): Promise<Recovery> {
  const [inventory, deployed] = await Promise.all([
    takeInventory(site.shell),
    site.pulumi.resources(),
  ]);
  const plan: Plan = {
    ...{ site, options, inventory, deployed, restored: [], empty: [] },
    containers: new Set(inventory.containers.map(nameOf)),
    networks: new Set(inventory.networks.map(({ Name }) => Name)),
    volumes: new Set(inventory.volumes.map(({ Name }) => Name)),
  };
  const isDeclared = targetsFor(plan, name).length > 0;
  const recovery = await (isDeclared ? planDeclared(plan, name) : planFromDefinition(plan, name));
  refuseEmpty(plan, name, options.emptyVolumes);
  return withVolumes(plan, recovery);
}

/** Age and limits of the recovery: the age is that of the oldest thing it restores; with volumes, the limits of volumes apply. */
function withVolumes({ restored, empty }: Plan, recovery: Recovery): Recovery {
  const [oldest] = [recovery, ...restored]
    .filter(({ takenAt }) => takenAt)
    .sort((a, b) => (a.takenAt?.getTime() ?? 0) - (b.takenAt?.getTime() ?? 0));
  return {
    ...recovery,
    ...(oldest && { snapshot: oldest.snapshot, takenAt: oldest.takenAt }),
    ...(restored.length > 0 && { objectives: OBJECTIVES.volume }),
    ...(empty.length > 0 && { lost: empty.map(({ volume }) => volume) }),
    cautions: restored.flatMap(({ cautions = [] }) => cautions),
    afterwards: [
      ...[recovery, ...restored].flatMap(({ afterwards }) => afterwards),
      ...empty.map(({ volume, why }) => `${volume} comes up empty: ${why}`),
    ],
  };
}

const targetsFor = ({ site, options, deployed }: Plan, name: string): readonly string[] =>
  options.fromDefinition ? [] : targetsOf(name, site.name, deployed);

async function planDeclared(plan: Plan, name: string): Promise<Recovery> {
  const { site, options } = plan;
  const wanted = options.wanted ?? "latest";
  if (wanted !== "latest")
    throw new Error(
      `--snapshot ${wanted}: ${name} is declared, and pulumi makes it as the program says; allowed: latest, or --from-definition beside it`,
    );
  return {
    title: `container ${name} on ${site.name}, declared`,
    objectives: OBJECTIVES.container,
    steps: await planDeclaredSteps(plan, name),
    afterwards: [],
  };
}

async function planDeclaredSteps(plan: Plan, name: string): Promise<Step[]> {
  const { site, deployed } = plan;
  const { names, known } = declaredVolumes(name, site.name, deployed);
  const targets = targetsFor(plan, name);
  const make: Step = {
    title: `let pulumi make ${name} and what it needs`,
    command: site.pulumi.shown(targets),
    run: () => forget(site.pulumi.up(targets)),
    commits: true,
  };
  return [...(await planVolumes(plan, names, known)), make, healthOf(plan, name)];
}

async function planFromDefinition(plan: Plan, name: string): Promise<Recovery> {
  const { site, options, inventory } = plan;
  const definitions = await readDefinitions(site, options.wanted ?? "latest");
  const container = find(definitions, name);
  const there = inventory.containers.find(hasName(name));
  const saved = there ? savedName(site, name, options.force ?? false) : undefined;
  return {
    title: `container ${name} on ${site.name}, from its definition`,
    ...sourceFields(definitions.snapshot),
    objectives: OBJECTIVES.container,
    steps: await planSteps(plan, container, definitions, saved),
    afterwards: [
      ...(saved
        ? [`the replaced container is kept as ${saved}; when all is well: docker rm ${saved}`]
        : []),
      ...(there ? dependentsOf(plan, there) : []),
    ],
  };
}

const sourceFields = (snapshot: Snapshot): Pick<Recovery, "snapshot" | "takenAt"> => ({
  snapshot: pathOf(snapshot),
  takenAt: snapshot.takenAt,
});

/** Steps for one container and what it needs; containers that it refers to come first. */
async function planSteps(
  plan: Plan,
  container: Container,
  definitions: Definitions,
  saved?: string,
): Promise<Step[]> {
  const { site } = plan;
  const name = nameOf(container);
  plan.containers.add(name);
  const makeEmpty = (volume: Volume): Step[] => [makeVolume(site, volume)];
  const referred: Step[] = [];
  for (const other of referencesOf(container, definitions.containers))
    referred.push(...(await planReferred(plan, other, name, definitions)));
  return [
    ...referred,
    ...(await planVolumes(plan, volumesOf(container), definitions.volumes, makeEmpty)),
    ...networkSteps(site, container, definitions, plan.networks),
    ...createSteps(site, container, definitions, saved),
    healthOf(plan, name),
  ];
}

async function planReferred(
  plan: Plan,
  name: string,
  user: string,
  definitions: Definitions,
): Promise<Step[]> {
  const isIt = (one: Container): boolean => nameOf(one) === name || one.Id === name;
  const there = plan.inventory.containers.find(isIt);
  if (there) return there.State?.Running === false ? [startStep(plan.site, name, user)] : [];
  if (plan.containers.has(name)) return [];
  if (targetsFor(plan, name).length > 0) return planDeclaredSteps(plan, name);
  const known = definitions.containers.find(isIt);
  if (known) return planSteps(plan, known, definitions);
  throw new Error(`${user} refers to the container ${name}, which neither node nor backup has`);
}

/** Containers that refer to the replaced one by its id, which is gone then. */
function dependentsOf({ site, inventory }: Plan, replaced: Container): string[] {
  const others = inventory.containers.filter((one) =>
    referencesOf(one, [replaced]).includes(nameOf(replaced)),
  );
  return others.map(
    (one) =>
      `${nameOf(one)} refers to the replaced container by its id; recreate it: npx docker-node restore container ${site.name} ${nameOf(one)} --force`,
  );
}

/** The name under which the existing container is kept. */
function savedName(site: Site, name: string, force: boolean): string {
  if (force) return `${name}.before-${timeOf(site.now()).replaceAll(":", "")}`;
  throw new Error(`container ${name} exists; --force replaces it and keeps it by another name`);
}

const HEALTH_SECONDS = 180;

const healthOf = ({ site, options }: Plan, name: string): Step =>
  healthStep(site, name, options.healthSeconds ?? HEALTH_SECONDS);
