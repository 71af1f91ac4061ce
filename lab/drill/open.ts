/** Opens recoveries in a lab: the product's code, with the lab's pulumi, client and tokens. */
import { sharedConnection } from "../lib/ssh";
import { NETWORK, type Lab } from "../lib/services";
import { openStack as openLabStack } from "../lib/stack";
import type { Stack } from "@pulumi/pulumi/automation";
import { interpret } from "../../clients/pulumi/configuration";
import { resourcesOf, type NodeOutputs, type Pulumi } from "../../clients/pulumi/stack";
import { openStack, type Opened } from "../../commands/site/open";
import type { Credentials } from "../../clients/backup-server";
import type { Print } from "../../commands/command";

/** The lab's restore token and client, and the encryption key of its nodes. */
function labCredentials(lab: Lab): Credentials {
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
  const pulumi = automate(stack, (text) => {
    print(text.trimEnd());
  });
  const ssh = sharedConnection(lab.instance);
  return openStack("lab", { credentials: () => labCredentials(lab), pulumi, ssh });
}

/** A stack driven by the Automation API. */
function automate(stack: Stack, print: Print): Pulumi {
  return {
    configuration: async () => interpret(await stack.getAllConfig()),
    readPublished: async () => {
      const { nodes } = await stack.outputs();
      return (nodes?.value as NodeOutputs["nodes"]) ?? {};
    },
    resources: async () => resourcesOf(await stack.exportStack()),
    up: async (targets) => {
      await stack.up({ target: [...targets], refresh: true, onOutput: print });
    },
    shown: () => "npm run lab -- up",
  };
}

/** The small image of the lab's registry, as a node names it. */
export function imageOf({ images }: Lab): string {
  const { repository, tag, digest } = images.busybox;
  return `${NETWORK.registry}:5000/${repository}:${tag}@${digest}`;
}
