/** The volumes of a container that is restored: what is gone comes back from its backup, or is empty where the user says so. */
import { messageOf } from "../../clients/failure";
import { resourcesOnDocker, type Deployed } from "../../clients/pulumi/stack";
import { CONTAINER, VOLUME } from "../../config/resource-types";
import type { Inventory, Volume } from "../site/inventory";
import { callDocker, type Site } from "../site/site";
import { Refusal, forget, type Recovery, type Step } from "./steps";
import { planVolume } from "./volume";

/** What is planned for volumes; it grows with every container of the plan. */
export interface VolumePlan {
  readonly site: Site;
  readonly inventory: Inventory;
  /** Names of what is there, or will be. */
  readonly volumes: Set<string>;
  /** What comes back from backups. */
  readonly restored: Recovery[];
  /** What is gone for good, and why. */
  readonly empty: { readonly volume: string; readonly why: string }[];
}

/**
 * Steps for the volumes that are gone, each decided by itself. They come first: on an empty volume, a container would believe that
 * this is its first start.
 * @param known descriptions of volumes, as far as there are any
 * @param makeEmpty steps that make a volume which cannot be restored; default: whoever makes the container makes it too
 */
export async function planVolumes(
  plan: VolumePlan,
  names: readonly string[],
  known: readonly Volume[],
  makeEmpty: (volume: Volume) => Step[] = () => [],
): Promise<Step[]> {
  const missing = [...new Set(names)].filter((name) => !plan.volumes.has(name));
  for (const name of missing) plan.volumes.add(name);
  const volumeOf = (name: string): Volume =>
    known.find(({ Name }) => Name === name) ?? { Name: name };
  const all = missing.map(volumeOf).filter((volume) => !isInMemory(volume));
  const steps = all.map(async (volume) => {
    const recovery = await planOne(plan, volume);
    return recovery?.steps ?? makeEmpty(volume);
  });
  return (await Promise.all(steps)).flat();
}

/** Whether a volume is in memory: its content goes with the last container that has it. */
const isInMemory = ({ Options }: Volume): boolean => Options?.["type"] === "tmpfs";

async function planOne(
  { site, inventory, restored, empty }: VolumePlan,
  { Name, Labels }: Volume,
): Promise<Recovery | undefined> {
  try {
    const recovery = await planVolume(site, Name, "latest", inventory);
    restored.push(recovery);
    return recovery;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const excluded = Labels?.["docker-node.backup"] === "false";
    const why = excluded ? "excluded from backups (docker-node.backup=false)" : messageOf(error);
    empty.push({ volume: Name, why: why.replace(`${Name}: `, "") });
    return undefined;
  }
}

/** Makes a volume as it was defined: one with options may have its content elsewhere, as on a server of NFS. */
export const makeVolume = (site: Site, { Name, Driver, Labels, Options }: Volume): Step => ({
  title: `make the volume ${Name} as it was defined, without content from a backup`,
  run: () => {
    const body = {
      Name,
      Driver: Driver ?? "local",
      Labels: Labels ?? {},
      DriverOpts: Options ?? {},
    };
    return forget(callDocker(site, "POST", "/volumes/create", body));
  },
  undo: { title: `remove ${Name}`, run: () => callDocker(site, "DELETE", `/volumes/${Name}`) },
});

/** @throws Error naming the volumes that would come up empty, unless that is allowed */
export function refuseEmpty({ empty }: VolumePlan, name: string, allowed = false): void {
  if (allowed || empty.length === 0) return;
  const lines = empty.map(({ volume, why }) => `\n  ${volume}: ${why}`);
  throw new Error(
    `container ${name} would start with empty volumes, which are gone and cannot be restored:${lines.join("")}\n` +
      "--empty-volumes starts it with these empty",
  );
}

/** The volumes of a declared container as the state has them: by name, and described where the program makes them. */
export function declaredVolumes(
  container: string,
  node: string,
  resources: readonly Deployed[],
): { names: string[]; known: Volume[] } {
  const mine = resourcesOnDocker(node, resources);
  const found = mine.find(
    ({ type, outputs }) => type === CONTAINER && outputs?.["name"] === container,
  );
  const { volumes, mounts } = (found?.outputs ?? {}) as ContainerOutputs;
  const named = (volumes ?? []).flatMap(({ volumeName }) => (volumeName ? [volumeName] : []));
  const mounted = (mounts ?? []).flatMap(({ type, source }) =>
    type === "volume" && source ? [source] : [],
  );
  const known = mine.filter(({ type }) => type === VOLUME).map(({ outputs }) => toVolume(outputs));
  return { names: [...named, ...mounted], known };
}

/** Outputs of `docker.Container`. */
interface ContainerOutputs {
  readonly volumes?: readonly { readonly volumeName?: string }[] | null;
  readonly mounts?: readonly { readonly type: string; readonly source?: string }[] | null;
}

/** Outputs of `docker.Volume`. */
interface VolumeOutputs {
  readonly name?: string;
  readonly driverOpts?: Readonly<Record<string, string>> | null;
  readonly labels?: readonly { readonly label: string; readonly value: string }[] | null;
}

function toVolume({ name = "", driverOpts, labels }: VolumeOutputs = {}): Volume {
  const pairs = (labels ?? []).map(({ label, value }) => [label, value]);
  return { Name: name, Options: driverOpts, Labels: Object.fromEntries(pairs) as Volume["Labels"] };
}
