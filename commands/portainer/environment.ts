/** Makes, takes over, changes and removes a node's environment in Portainer. Each operation can run again. */
import { sameUrl, findMisfit, toldUrl, type Portainer } from "../../clients/portainer";
import type { Details, Edge } from "../../clients/portainer-body";
import { KINDS, type Environment } from "../../clients/portainer-answers";
import { withLabels } from "./labels";

/** What an environment is to be. */
export interface Wanted {
  readonly name: string;
  /** The agent's, `tcp://host:port`; with `edge` Portainer's, as the agent reaches it. */
  readonly url: string;
  /** Another URL, which Portainer is given first: it asks an agent before it makes an environment. */
  readonly through?: string;
  /** The agent reaches Portainer, and not the other way round. */
  readonly edge?: Edge;
  /** Default: as it is. */
  readonly group?: string;
  /** Default: as they are. */
  readonly tags?: readonly string[];
  /** Docker's release on the node, as declared. */
  readonly docker: string;
}

/**
 * Brings the environment in Portainer to the wanted state. It takes the one with `id`, else the one with the same
 * URL, else it makes one. Of agents that reach Portainer all have the same URL; there the name counts instead.
 *
 * @param id as of the last time
 * @throws Error before anything is made, where Portainer is too old for Docker or another environment is in the
 * way
 */
export async function ensure(
  portainer: Portainer,
  wanted: Wanted,
  id?: number,
): Promise<Environment> {
  const unfit = findMisfit(wanted.docker, await portainer.version());
  if (unfit) throw new Error(`${unfit}; nothing was changed`);
  const all = await portainer.environments();
  const made = all.find(({ Id }) => Id === id);
  const own = made ?? all.find((one) => isOf(wanted, one));
  refuseConflicts(all, wanted, own);
  if (own && !made) refuseOther(wanted, own);
  return withLabels(portainer, wanted, async (labels) => {
    const { name, url, edge } = wanted;
    const details = { name, url, edge, ...labels };
    if (!own) return createThrough(portainer, details, wanted.through);
    return isFit(wanted, own)
      ? portainer.update(own.Id, details)
      : replace(portainer, own, details);
  });
}

/** Portainer asks nobody when an environment gets another URL (portainer/api, endpoint_update.go). */
async function createThrough(
  portainer: Portainer,
  details: Details,
  through?: string,
): Promise<Environment> {
  if (through === undefined) return portainer.create(details);
  const { Id } = await portainer.create({ ...details, url: through });
  try {
    return await portainer.update(Id, details);
  } catch (error) {
    await portainer.remove(Id);
    throw error;
  }
}

const kindOf = ({ edge }: Wanted): number => (edge ? KINDS.edge : KINDS.agent);

const isOf = ({ name, url, edge }: Wanted, one: Environment): boolean =>
  edge ? one.Name === name && one.Type === KINDS.edge : sameUrl(one.URL, url);

/** Portainer changes neither the type of an environment nor the URL in its key. */
const isFit = (wanted: Wanted, one: Environment): boolean =>
  one.Type === kindOf(wanted) && (!wanted.edge || toldUrl(one.EdgeKey) === wanted.url);

/**
 * Puts another environment in the place of one that was made here. Names are unique, so the earlier one gives its name away, and
 * gets it back when the other cannot be made or the earlier one not be removed.
 */
async function replace(
  portainer: Portainer,
  earlier: Environment,
  details: Details,
): Promise<Environment> {
  const { Id, Name, GroupId: groupId, TagIds: tagIds } = earlier;
  const edge = earlier.Type === KINDS.edge ? {} : undefined;
  await portainer.update(Id, { name: `${Name} (replaced)`, edge });
  let made: Environment | undefined;
  try {
    made = await portainer.create(withDefaults(details, { groupId, tagIds }));
    await portainer.remove(Id);
    return made;
  } catch (error) {
    if (made) await portainer.remove(made.Id);
    await portainer.update(Id, { name: Name, edge });
    throw error;
  }
}

/** What is not declared is as it was. */
const withDefaults = (
  details: Details,
  { groupId, tagIds }: Pick<Details, "groupId" | "tagIds">,
) => ({
  ...details,
  groupId: details.groupId ?? groupId,
  tagIds: details.tagIds ?? tagIds,
});

function refuseConflicts(all: readonly Environment[], wanted: Wanted, own?: Environment): void {
  const others = all.filter(({ Id }) => Id !== own?.Id);
  const name = others.find((one) => one.Name === wanted.name);
  const url = wanted.edge ? undefined : others.find((one) => sameUrl(one.URL, wanted.url));
  if (name)
    throw new Error(
      `environment ${name.Id} of Portainer is called ${wanted.name} too, with URL ${name.URL} instead of ${wanted.url}; rename or remove it, or set portainer.environment.name`,
    );
  if (url)
    throw new Error(
      `environment ${url.Id} of Portainer, ${url.Name}, has URL ${wanted.url} too; remove it there`,
    );
}

/** Somebody else made it: it is taken over, and not replaced. */
function refuseOther(wanted: Wanted, { Id, Name, URL, Type, EdgeKey }: Environment): void {
  if (Type !== kindOf(wanted))
    throw new Error(
      `environment ${Id} of Portainer, ${Name}, has URL ${URL}, and is of type ${Type} instead of ${kindOf(wanted)}, a Docker behind an agent; remove it there`,
    );
  const told = toldUrl(EdgeKey);
  if (wanted.edge && told !== wanted.url)
    throw new Error(
      `environment ${Id} of Portainer, ${Name}, tells its agent to reach Portainer at ${told ?? "no URL"} instead of ${wanted.url}; remove it there, or set portainer.edge.url`,
    );
}

/**
 * Removes the environment that was made or taken over.
 *
 * @returns what became of it, in words
 */
export async function remove(
  portainer: Portainer,
  { id, url }: { readonly id: number; readonly url: string },
): Promise<string> {
  const found = (await portainer.environments()).find(({ Id }) => Id === id);
  if (!found) return `environment ${id} is gone already`;
  if (!sameUrl(found.URL, url))
    return `environment ${id} is left in Portainer: its URL is ${found.URL} by now, and it was ${url}`;
  await portainer.remove(id);
  return `environment ${id}, ${found.Name}, was removed from Portainer`;
}
