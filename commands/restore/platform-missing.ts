/** What a platform's restore leaves missing: containers that the program does not declare, and the content of volumes. */
import { isAhead, timeOf, type Snapshot } from "../../clients/snapshots";
import { nameOf, takeInventory, type Container, type Volume } from "../site/inventory";
import type { Site } from "../site/site";
import { readContainers } from "./definitions";
import { orderByReference } from "./references";
import type { Step } from "./steps";

/** What is known of the restore. */
interface Plan {
  readonly site: Site;
  /** The restored configuration. */
  readonly snapshot: Snapshot;
  /** Directory of the workstation with the archive's content. */
  readonly folder: string;
}

/**
 * Lists what is missing, each with its own command: a container may need a volume first, and a volume is restored by its size.
 * @param snapshots of volumes, as they are before the restore
 */
export function missingStep(plan: Plan, snapshots: readonly Snapshot[]): Step {
  const { site } = plan;
  return {
    title: "look for volumes that are empty, and for containers that are still missing",
    run: async () => {
      const { containers, volumes } = await takeInventory(site.shell);
      const contents = volumes.flatMap((volume) => contentOf(plan, volume, snapshots));
      const missing = findMissingContainers(plan, containers);
      if (contents.length + missing.length === 0) return "none";
      return [...(contents.length > 0 ? [FIRST, ...contents] : [""]), ...missing].join(INDENT);
    },
  };
}

const INDENT = "\n            ";

const FIRST =
  "volumes are empty, and the next backup takes them as they are; first restore them from before:";

/** The command for a volume that was made after the restored configuration was backed up, if it has an earlier backup. */
function contentOf(
  { site, snapshot }: Plan,
  { Name, CreatedAt }: Volume,
  snapshots: readonly Snapshot[],
): string[] {
  const made = new Date(CreatedAt ?? 0);
  if (made <= snapshot.takenAt) return [];
  const found = snapshots.find(
    (one) => one.id === Name && one.takenAt < made && !isAhead(one, site.now()),
  );
  return found
    ? [
        `npx docker-node restore volume ${site.name} ${Name} --snapshot ${timeOf(found.takenAt)} --yes`,
      ]
    : [];
}

function findMissingContainers(
  { site, folder, snapshot }: Plan,
  containers: readonly Container[],
): string[] {
  const known = readContainers(folder, snapshot);
  const here = new Set(containers.map(nameOf));
  const missing = orderByReference(known)
    .map(nameOf)
    .filter((name) => !here.has(name));
  return missing.map((name) => `npx docker-node restore container ${site.name} ${name} --yes`);
}
