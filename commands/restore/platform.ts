/** Restores Docker and the configuration of a node, on an empty machine or one whose /etc/docker is gone. */
import { join } from "node:path";
import { OWN_FOLDER } from "../../config/node-paths";
import type { NodeConfig } from "../../config/schema";
import { checkableSteps } from "../../node/checkable";
import { dockerSteps, type Script } from "../../node/steps";
import { resourcesOnDocker, stepsOn, withSteps } from "../../clients/pulumi/stack";
import { choose, pathOf, timeOf, type Snapshot } from "../../clients/snapshots";
import type { Owners } from "../../clients/pxar";
import type { Site } from "../site/site";
import { hashFiles, listFiles, ownersOf, writeArchive } from "./platform-files";
import { missingStep } from "./platform-missing";
import { OBJECTIVES, forget, type Recovery, type Step } from "./steps";

interface Plan {
  readonly site: Site;
  readonly snapshot: Snapshot;
  /** Directory of the workstation with the archive's content. */
  readonly folder: string;
  /** Files of the archive, relative to the node's root. */
  readonly files: readonly string[];
  readonly owners: Owners;
  /** Where the node keeps what is replaced. */
  readonly saved: string;
}

/**
 * Plans the recovery, and touches nothing on the node.
 * @param scratch an empty directory of this user alone: the configuration is laid out there
 */
export async function planPlatform(
  site: Site,
  scratch: string,
  wanted = "latest",
): Promise<Recovery> {
  const plan = await layOut(site, join(scratch, "files"), wanted);
  const [before, after] = aroundFiles(dockerSteps(site.node));
  return {
    title: `platform of ${site.name}: Docker and configuration`,
    snapshot: pathOf(plan.snapshot),
    takenAt: plan.snapshot.takenAt,
    objectives: OBJECTIVES.platform,
    steps: [
      saveStep(plan),
      ...before.map((script) => scriptStep(site, script)),
      putStep(plan),
      ...after.map((script) => scriptStep(site, script)),
      await planUp(site),
      missingStep(plan, await site.repository.snapshots("volumes")),
    ],
    afterwards: [`what was replaced is on the node in ${plan.saved}`],
  };
}

async function layOut(site: Site, folder: string, wanted: string): Promise<Plan> {
  const all = await site.repository.snapshots("configuration");
  const snapshot = choose(all, "configuration", wanted, site.now());
  await site.repository.extract("configuration", snapshot, "files.pxar", folder);
  const owners = await site.repository.owners("configuration", snapshot, "files.pxar");
  const time = timeOf(site.now()).replaceAll(":", "");
  return {
    site,
    snapshot,
    folder,
    files: listFiles(folder),
    owners,
    saved: `${OWN_FOLDER}/recovery/platform-${time}.tar`,
  };
}

/**
 * The scripts before the files, the last of which installs Docker, and those after, which compare daemon.json and access with what
 * is declared.
 */
function aroundFiles(scripts: readonly Script[]): [readonly Script[], readonly Script[]] {
  const after = scripts.findIndex(({ script }) => script === "install") + 1;
  return [scripts.slice(0, after), scripts.slice(after)];
}

function scriptStep({ node, shell }: Site, { script, variables }: Script): Step {
  return {
    title: `run node/${script}.sh as ${node.ssh.user} with the declared values`,
    run: async () => (await shell.script(script, variables)) || undefined,
  };
}

const act = ({ site, files, saved }: Plan, action: string, more = {}): Promise<string> =>
  site.shell.script("recovery/platform", {
    ACTION: action,
    FILES: files.join("\n"),
    SAVED: saved,
    HEALTH_TIMEOUT: site.node.engine.healthTimeoutSeconds,
    ...more,
  });

function saveStep(plan: Plan): Step {
  return {
    title: `keep /etc/docker and what else is replaced in ${plan.saved}`,
    run: () => forget(act(plan, "save")),
  };
}

function putStep(plan: Plan): Step {
  const { site, folder, files, owners, snapshot } = plan;
  const archive = `${folder}.tar`;
  return {
    title: `put ${files.length} files of ${pathOf(snapshot)} in place, restart Docker, compare checksums, owners and modes`,
    command: `tar -c … . | ${site.shell.shown(UNPACK)}`,
    run: async () => {
      await writeArchive(folder, owners, archive);
      await site.shell.feed(UNPACK, { program: "cat", args: [archive] });
      await act(plan, "restart");
      return act(plan, "compare", {
        CHECKSUMS: hashFiles(folder, files),
        OWNERS: ownersOf(folder, files, owners),
      });
    },
    undo: { title: `put back what is in ${plan.saved}`, run: () => act(plan, "back") },
    commits: true,
  };
}

/** Directories that exist keep their owners and modes. */
const UNPACK = ["tar", "-x", "-p", "--no-overwrite-dir", "--numeric-owner", "-C", "/", "-f", "-"];

async function planUp({ name, node, pulumi }: Site): Promise<Step> {
  const resources = await pulumi.resources();
  const declared = resourcesOnDocker(name, resources);
  if (declared.length === 0)
    return {
      title: "the program has made nothing on this node's Docker yet: run pulumi up afterwards",
      run: () => Promise.resolve(undefined),
    };
  const steps = stepsOn(name, ownSteps(node), resources);
  const targets = [...new Set([...steps, ...withSteps(declared, resources)])];
  return {
    title: `let pulumi make what is missing of ${declared.length} declared networks, volumes and containers, and of secrets, firewall and monitoring`,
    command: pulumi.shown(targets),
    run: () => forget(pulumi.up(targets)),
  };
}

/** What the program puts on a node beside Docker. Containers mount some of it, and Docker would make an empty folder in its place. */
function ownSteps(node: NodeConfig): string[] {
  const done = dockerSteps(node).map(({ script }) => script);
  const others = checkableSteps(node).filter(({ script }) => !done.includes(script));
  return [...others.map(({ step }) => step), "firewall-confirm"];
}
