/** Recoveries in a lab: the same, with the lab's engine, client and tokens. */
import * as fs from "node:fs";
import { instance, type Instance } from "../lib/instance";
import { runningService } from "../lib/service";
import { sharedConnection } from "../lib/ssh";
import { NETWORK, startLab, type Lab } from "../lib/services";
import { openStack as openLabStack } from "../lib/stack";
import { stackEngine } from "../../clients/pulumi/stack";
import { openStack, type Opened } from "../../commands/site/open";
import type { Credentials } from "../../clients/backup-server";
import type { Print } from "../../commands/restore/steps";

/** The lab's restore token and client; the key is the one its nodes encrypt with. */
export function labCredentials(lab: Lab): Credentials {
  const { restoreToken, keyFile, clientDir } = lab.pbs;
  return {
    tokenId: restoreToken.id,
    token: restoreToken.secret,
    keyfile: keyFile,
    client: `${clientDir}/proxmox-backup-client`,
  };
}

/** A running lab's stack. */
export async function openLab(lab: Lab, print: Print): Promise<Opened> {
  const stack = await openLabStack(lab);
  const engine = stackEngine(stack, (text) => {
    print(text.trimEnd());
  });
  const ssh = sharedConnection(lab.instance);
  return openStack("lab", { credentials: () => labCredentials(lab), engine, ssh });
}

/** The small image of the lab's registry, as a node names it. */
export function imageOf({ images }: Lab): string {
  const { repository, tag, digest } = images.busybox;
  return `${NETWORK.registry}:5000/${repository}:${tag}@${digest}`;
}

/** The lab of DOCKER_NODE_LAB, which has to run: nothing is started to look for a backup. */
export async function openRunningLab(print: Print, here: Instance = instance()): Promise<Opened> {
  if (!fs.existsSync(here.stateDir) || !runningService(here.stateDir, "pve"))
    throw new Error(`lab "${here.name}" does not run; npm run lab brings it up`);
  return openLab(await startLab(here, print), print);
}
