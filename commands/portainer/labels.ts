/** Groups and tags of environments in Portainer. */
import type { Kind, Label, Portainer } from "../../clients/portainer";
import { PortainerError } from "../../clients/portainer-call";

/** Names of a group and of tags. */
interface Labels {
  readonly group?: string;
  readonly tags?: readonly string[];
}

interface Ids {
  readonly groupId?: number;
  readonly tagIds?: readonly number[];
}

/** Makes missing groups and tags, and removes them again if the operation fails. */
export async function withLabels<T>(
  portainer: Portainer,
  { group, tags }: Labels,
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
