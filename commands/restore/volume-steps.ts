/** Steps that bring a volume back, over node/recovery/volume.sh. */
import { pathOf, type Snapshot } from "../../clients/snapshots";
import { RESTORE_CAPABILITIES } from "../../config/capabilities";
import { ensureImage } from "../site/image";
import { callDocker, type Site } from "../site/site";
import { forget, type Step } from "./steps";
import { isHeldStill, type Meta } from "./volume-meta";

/** One volume's recovery, decided. */
export interface Plan {
  readonly site: Site;
  readonly volume: string;
  readonly snapshot: Snapshot;
  readonly meta: Meta;
  /** Whether the node has the volume. */
  readonly exists: boolean;
  /** Where a volume that the node lacks has its data outside Docker, if it has: newer data may still be there. */
  readonly place?: string;
  /** Running containers that use it, and the one that backs it up. */
  readonly running: readonly string[];
  /** What was there before, if anything can have been. */
  readonly safety: string;
  readonly staging: string;
  image: string;
  digest: string;
}

/** Containers are stopped only while the checked content is put in its place. */
export const stepsOf = (plan: Plan): Step[] => [
  imageStep(plan),
  extractStep(plan),
  checkStep(plan),
  stopStep(plan),
  ...(plan.exists ? [] : [createStep(plan)]),
  ...(mayHoldData(plan) ? [safetyStep(plan)] : []),
  fillStep(plan),
  startStep(plan),
  tidyStep(plan),
];

/** Whether there can be data that filling the volume would delete. */
export const mayHoldData = ({ exists, place }: Pick<Plan, "exists" | "place">): boolean =>
  exists || place !== undefined;

/** One step of node/recovery/volume.sh. */
const act = (
  { site, image, volume: subject }: Plan,
  action: string,
  volume: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> =>
  site.shell.script("recovery/volume", {
    ACTION: action,
    SUBJECT: subject,
    VOLUME: volume,
    IMAGE: image,
    KEEP: RESTORE_CAPABILITIES.join(" "),
    ...variables,
  });

function imageStep(plan: Plan): Step {
  const { image } = plan;
  return {
    title: `have the backup image on the node: ${image}`,
    run: async () => {
      plan.image = await ensureImage(plan.site, { name: image, source: image });
      return undefined;
    },
  };
}

function extractStep(plan: Plan): Step {
  const { site, snapshot, staging } = plan;
  const source = ["volumes", snapshot, "data.pxar"] as const;
  const makeCommand = (): string[] => extractCommand(plan);
  return {
    title: `extract ${pathOf(snapshot)} into the volume ${staging}`,
    command: `${site.repository.shown(...source, "-")} |\n  ${site.shell.shown(makeCommand())}`,
    run: async () => {
      await act(plan, "stage", staging);
      await site.shell.feed(makeCommand(), site.repository.stream(...source));
      return (await act(plan, "thaw", staging)) || undefined;
    },
    undo: { title: `remove ${staging}`, run: () => act(plan, "remove", staging) },
  };
}

/**
 * Owners are the host's, as they are in the archive; nothing but the volume can be reached. Without LINUX_IMMUTABLE, pxar fails at
 * its end for files that the archive says nobody may change (chattr +a, +i).
 */
function extractCommand({ volume, staging, image }: Plan): string[] {
  const kept = [...RESTORE_CAPABILITIES, "LINUX_IMMUTABLE"];
  return [
    ...["docker", "run", "--interactive", "--rm", "--label", `docker-node.recovery=${volume}`],
    ...["--pull", "never", "--userns", "host", "--network", "none", "--log-driver", "none"],
    ...["--cap-drop", "ALL", ...kept.flatMap((name) => ["--cap-add", name])],
    ...["--mount", `type=volume,source=${staging},target=/restore,volume-nocopy`],
    ...["--entrypoint", "pxar", image, "extract", "-", "/restore"],
  ];
}

function checkStep(plan: Plan): Step {
  const { meta, staging } = plan;
  const recorded = meta.digest ?? undefined;
  return {
    title: recorded
      ? `compare ${staging} with the digest recorded at the backup`
      : `take the digest of ${staging}; the snapshot has none`,
    run: async () => {
      plan.digest = await act(plan, "digest", staging);
      if (recorded === undefined || recorded === plan.digest) return `sha256 ${plan.digest}`;
      const difference = `extracted sha256 ${plan.digest}, recorded ${recorded}`;
      // The digest is taken beside the archive: of a volume that was written to meanwhile it may differ.
      if (isHeldStill(meta)) throw new Error(`not what was backed up: ${difference}`);
      return `${difference}: the volume was in use during its backup (consistency none)`;
    },
  };
}

function stopStep(plan: Plan): Step {
  const { volume, running } = plan;
  return {
    title:
      running.length > 0 ? `stop ${running.join(", ")}` : "nothing runs that has to be stopped",
    run: () => forget(act(plan, "stop", volume)),
    undo: {
      title: running.length > 0 ? `start ${running.join(", ")}` : "nothing to start",
      run: () => act(plan, "start", volume),
    },
  };
}

function createStep(plan: Plan): Step {
  const { site, volume, place } = plan;
  const { driver: Driver = "local", labels, options } = plan.meta;
  const body = { Name: volume, Driver, Labels: labels ?? {}, DriverOpts: options ?? {} };
  const outside = place ? `; its data is outside Docker and may still be there: ${place}` : "";
  return {
    title: `make the volume ${volume} as it was declared${outside}`,
    run: () => forget(callDocker(site, "POST", "/volumes/create", body)),
    undo: { title: `remove ${volume}`, run: () => act(plan, "remove", volume) },
  };
}

function safetyStep(plan: Plan): Step {
  const { volume, safety } = plan;
  return {
    title: `copy ${volume} as it is to ${safety}`,
    run: async () => `sha256 ${await act(plan, "copy", safety, { FROM: volume })}`,
    undo: { title: `remove ${safety}`, run: () => act(plan, "remove", safety) },
  };
}

function fillStep(plan: Plan): Step {
  const { volume, staging, safety } = plan;
  const undo = {
    title: `put ${safety} back into ${volume}`,
    run: () => act(plan, "copy", volume, { FROM: safety }),
  };
  return {
    title: `put the content of ${staging} into ${volume}, and compare`,
    run: async () => {
      const thawed = await act(plan, "thaw", volume);
      const found = await act(plan, "copy", volume, { FROM: staging });
      if (found === plan.digest)
        return `sha256 ${found}${thawed && `; in ${volume} as it was, ${thawed}`}`;
      throw new Error(`${volume} has sha256 ${found}, ${staging} ${plan.digest}`);
    },
    ...(mayHoldData(plan) ? { undo } : {}),
    commits: true,
  };
}

function startStep(plan: Plan): Step {
  return {
    title: "start what was stopped",
    run: async () => (await act(plan, "start", plan.volume)) || "nothing was",
  };
}

function tidyStep(plan: Plan): Step {
  const { staging } = plan;
  return {
    title: `remove ${staging}`,
    run: () => forget(act(plan, "remove", staging)),
  };
}
