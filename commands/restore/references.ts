/** Containers that a definition refers to by id. A recreated container has another id, so names replace the ids. */
import { nameOf, type Container } from "../site/inventory";

type Fields = Readonly<Record<string, unknown>>;

/** What a container may share with another one, `container:<id>` (Docker API, HostConfig). */
const SHARED = ["NetworkMode", "IpcMode", "PidMode", "Cgroup"] as const;

const PREFIX = "container:";

/** Names, or ids where no name is known, of the containers that have to be there before this one. */
export function referencesOf(
  { HostConfig, NetworkSettings }: Container,
  known: readonly Container[],
): string[] {
  const shared = SHARED.flatMap((field) => sharedWith(HostConfig, field));
  const networks = Object.values(NetworkSettings?.Networks ?? {});
  const links = [HostConfig["Links"], ...networks.map(({ Links }) => Links)].flatMap(linkTargets);
  return [...new Set([...shared, ...links].map((reference) => nameFor(reference, known)))];
}

/** The host part of a definition with names in place of ids. Docker turns them into ids again. */
export function namesInstead(HostConfig: Fields, known: readonly Container[]): Fields {
  const changed = SHARED.flatMap((field) =>
    sharedWith(HostConfig, field).map((reference) => [field, PREFIX + nameFor(reference, known)]),
  );
  return { ...HostConfig, ...(Object.fromEntries(changed) as Fields) };
}

/** Whether a container is in another one's network. */
export const sharesNetwork = (HostConfig: Fields): boolean =>
  sharedWith(HostConfig, "NetworkMode").length > 0;

/** Sorts containers: one that others refer to comes before them. */
export function orderByReference(containers: readonly Container[]): Container[] {
  const ordered = new Set<Container>();
  const visit = (container: Container, under: readonly Container[]): void => {
    if (ordered.has(container) || under.includes(container)) return;
    const names = referencesOf(container, containers);
    for (const other of containers.filter((one) => names.includes(nameOf(one))))
      visit(other, [...under, container]);
    ordered.add(container);
  };
  for (const container of containers) visit(container, []);
  return [...ordered];
}

function sharedWith(HostConfig: Fields, field: (typeof SHARED)[number]): string[] {
  const value = HostConfig[field];
  return typeof value === "string" && value.startsWith(PREFIX) ? [value.slice(PREFIX.length)] : [];
}

/** `/db:/web/db` as `docker inspect` shows it, or `db:alias` as it was asked for. */
function linkTargets(links: unknown): string[] {
  return ((links ?? []) as string[]).map((link) => (link.split(":")[0] ?? "").replace(/^\//, ""));
}

/** Ids are shown whole, and may be given by their first twelve digits. */
function nameFor(reference: string, known: readonly Container[]): string {
  const found = known.find(
    ({ Id, Name }) =>
      Id === reference ||
      (reference.length >= 12 && Id.startsWith(reference)) ||
      Name === `/${reference}`,
  );
  return found ? nameOf(found) : reference;
}
