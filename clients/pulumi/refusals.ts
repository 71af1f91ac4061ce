/** Says why a node refuses its first connection. The command plugin dials for a quarter of an hour, and says nothing until then. */
import * as pulumi from "@pulumi/pulumi";
import { sshEndpoint, sshOptions } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import type { RecordedNode } from "../../node/recorded";
import { explainStatus } from "../drift";
import { ask } from "../process";
import { asRoot } from "../ssh";

/** Two looks, each as long as one may take, are over within a minute: a server may accept a connection and stay silent. */
const EVERY_MS = 20_000;
const LIMIT_MS = 15_000;

/** Errors that waiting cannot fix. A machine that boots does not answer, or closes the connection. */
const REFUSED = /Permission denied|has another host key/;

const LET_IN = "";

/**
 * Warns once, within a minute, if a node answers and refuses the connection. If a node does not answer, it logs each reason once, for as
 * long as the plugin goes on dialing. Does nothing in a preview.
 *
 * @param recorded what an earlier run has learned, its host key among it; a new machine may have any
 * @param reached known when scripts have run on the node
 */
export function tellRefusals(
  name: string,
  node: NodeConfig,
  recorded: RecordedNode | undefined,
  reached: pulumi.Input<string>,
): void {
  if (pulumi.runtime.isDryRun()) return;
  const hostKey = node.ssh.hostKey ?? recorded?.hostKey;
  const told = new Set([LET_IN]);
  let before = "";
  const timer = setInterval(() => void look(), EVERY_MS).unref();
  const stop = (): void => {
    clearInterval(timer);
  };
  const look = async (): Promise<void> => {
    const answer = await dial(node, hostKey);
    const refused = REFUSED.test(answer);
    // Twice the same: a first boot lets nobody in until it has made the user.
    const stays = answer === before;
    if (answer === LET_IN || (refused && stays)) stop();
    if (stays && !told.has(answer)) await tell(name, answer, refused);
    if (stays) told.add(answer);
    before = answer;
  };
  pulumi.output(reached).apply(stop);
}

const tell = (name: string, why: string, refused: boolean): Promise<void> =>
  refused
    ? pulumi.log.warn(`${name}: refuses the connection: ${why}`)
    : pulumi.log.info(`${name}: is not reached yet: ${why}`);

/** What became of a connection. */
async function dial(node: NodeConfig, hostKey?: string): Promise<string> {
  const target = { user: node.ssh.user, ...sshEndpoint(node) };
  const options = hostKey ? sshOptions(node, hostKey) : anyHostKey(node);
  const command = { ...asRoot(target, options, ["true"]), limitMs: LIMIT_MS };
  const { code, stderr } = await ask(command);
  return code === 0 ? LET_IN : explainStatus(target.host, code, stderr, LIMIT_MS / 1000);
}

function anyHostKey({ ssh }: NodeConfig): string[] {
  const options = [
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "BatchMode=yes",
    "IdentitiesOnly=yes",
  ];
  return ["-i", ssh.privateKeyFile, ...options.flatMap((option) => ["-o", option])];
}
