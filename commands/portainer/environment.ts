/** Makes, takes over, changes and removes a node's environment in Portainer. Each operation can run again. */
import {
  sameUrl,
  findMisfit,
  type Kind,
  type Label,
  type Portainer,
} from "../../clients/portainer";
import type { Environment } from "../../clients/portainer-answers";
import { PortainerError } from "../../clients/portainer-call";

/** What an environment is to be. */
export interface Wanted {
  readonly name: string;
  /** The agent's, `tcp://host:port`. */
  readonly url: string;
  /** Default: as it is. */
  readonly group?: string;
  /** Default: as they are. */
  readonly tags?: readonly string[];
  /** Docker's release on the node, as declared. */
  readonly docker: string;
}

/** `AgentOnDockerEnvironment` (portainer/api, portainer.go). */
const AGENT_ON_DOCKER = 2;

/**
 * Brings the environment in Portainer to the wanted state. It takes the one with `id`, else the one with the same
 * URL, else it makes one.
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
  const own = all.find(({ Id }) => Id === id) ?? all.find(({ URL }) => sameUrl(URL, wanted.url));
  refuseConflicts(all, wanted, own);
  return withLabels(portainer, wanted, async (labels) => {
    const details = { name: wanted.name, url: wanted.url, ...labels };
    return own ? portainer.update(own.Id, details) : portainer.create(details);
  });
}

function refuseConflicts(all: readonly Environment[], wanted: Wanted, own?: Environment): void {
  const others = all.filter(({ Id }) => Id !== own?.Id);
  const [name, url] = [
    others.find((one) => one.Name === wanted.name),
    others.find((one) => sameUrl(one.URL, wanted.url)),
  ];
  if (name)
    throw new Error(
      `environment ${name.Id} of Portainer is called ${wanted.name} too, with URL ${name.URL} instead of ${wanted.url}; rename or remove it, or set portainer.environment.name`,
    );
  if (url)
    throw new Error(
      `environment ${url.Id} of Portainer, ${url.Name}, has URL ${wanted.url} too; remove it there`,
    );
  if (own && own.Type !== AGENT_ON_DOCKER)
    throw new Error(
      `environment ${own.Id} of Portainer, ${own.Name}, has URL ${own.URL}, and is of type ${own.Type} instead of ${AGENT_ON_DOCKER}, a Docker behind an agent; remove it there`,
    );
}

interface Ids {
  readonly groupId?: number;
  readonly tagIds?: readonly number[];
}

/** Makes missing groups and tags, and removes them again if the operation fails. */
async function withLabels<T>(
  portainer: Portainer,
  { group, tags }: Wanted,
  use: (ids: Ids) => Promise<T>,
): Promise<T> {
  const made: [Kind, number][] = [];
  const findId = async (kind: Kind, name: string): Promise<number> => {
    const found = await ensureLabel(portainer, kind, name);
    if (found.made) made.push([kind, found.id]);
    return found.id;
  };
  try {
    const groupId = group === undefined ? undefined : await findId("group", group);
    const tagIds = tags && (await doInTurn(tags, (name) => findId("tag", name)));
    return await use({ groupId, tagIds });
  } catch (error) {
    // A group or tag that cannot be removed is in use by another node, or Portainer is gone.
    for (const [kind, id] of made) await portainer.removeLabel(kind, id).catch(() => undefined);
    throw error;
  }
}

async function doInTurn<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await act(item));
  return results;
}

/**
 * The group or tag of a name. Nodes are brought up side by side, and Portainer takes two groups of one name: the
 * first one counts, and who made another removes it.
 */
async function ensureLabel(
  portainer: Portainer,
  kind: Kind,
  name: string,
): Promise<Label & { made: boolean }> {
  const findFirst = async (): Promise<Label | undefined> =>
    (await portainer.labels(kind))
      .filter((one) => one.name === name)
      .sort((a, b) => a.id - b.id)[0];
  const existing = await findFirst();
  if (existing) return { ...existing, made: false };
  const own = await portainer.createLabel(kind, name).catch(async (error: unknown) => {
    const other = isTaken(error) ? await findFirst() : undefined;
    if (!other) throw error;
    return other;
  });
  const counting = (await findFirst()) ?? own;
  if (counting.id !== own.id) await portainer.removeLabel(kind, own.id);
  return { ...counting, made: counting.id === own.id };
}

const isTaken = (error: unknown): boolean =>
  error instanceof PortainerError && error.status === 409;

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
