/** The secrets of a lab as canaries, and where one of them may be on a node. */
import { readFileSync } from "node:fs";
import type { EngineEvent, UpOptions } from "@pulumi/pulumi/automation";
import type { Lab } from "../../lab/lib/services";
import {
  canariesIn,
  foundBy,
  searchScript,
  unexplained,
  type Canary,
  type Found,
  type Known,
} from "../support/canaries";
import { isOurs, processesWith, type Shell } from "./support";

/**
 * Every secret that the lab gives to the program or to Pulumi.
 *
 * @param registryPassword one that a test gives, if any
 */
export function canariesOf(
  { credentials, pbs }: Lab,
  node: string,
  registryPassword?: string,
): Canary[] {
  const { data } = JSON.parse(credentials.backupKey) as { data: string };
  // Its first lines are the same in every key of this kind (openssh, PROTOCOL.key).
  const [, , , , privateKey = ""] = readFileSync(credentials.privateKeyFile, "utf8").split("\n");
  return [
    { name: "proxmoxApiToken", text: credentials.proxmoxTokenSecret },
    { name: "agentSecret", text: credentials.agentSecret },
    { name: "backupToken", text: pbs.backupTokens[node]?.secret ?? "" },
    { name: "backupKey", text: data },
    { name: "pbsStorageToken", text: pbs.storageToken.secret },
    { name: "privateKey", text: privateKey },
    { name: "passphrase", text: credentials.passphrase },
    ...(registryPassword ? [{ name: "registryPassword", text: registryPassword }] : []),
  ];
}

const AGENT =
  "the agent takes its secret from its environment alone: waiver policy-secret-in-environment";
const MOUNTED = "the file that the backup container mounts, and only root reads";

/** Where a node has them. */
export const DECLARED: readonly Known[] = [
  { canary: "agentSecret", place: /^environ of agent$/, why: AGENT },
  { canary: "agentSecret", place: /^docker inspect portainer_agent$/, why: AGENT },
  // What docker and containerd keep of a container, in folders of root's.
  {
    canary: "agentSecret",
    place: /^\/var\/lib\/docker\/[\d.]+\/containers\/[0-9a-f]{64}\/config\.v2\.json$/,
    why: AGENT,
  },
  {
    canary: "agentSecret",
    place: /^\/run\/(docker\/)?containerd\/.*\/[0-9a-f]{64}\/config\.json$/,
    why: AGENT,
  },
  {
    canary: "agentSecret",
    place: /^\/var\/lib\/containerd\/io\.containerd\.metadata\.v1\.bolt\/meta\.db$/,
    why: AGENT,
  },
  {
    canary: "backupToken",
    place: /^\/var\/lib\/docker-node\/secrets\/backup\/token$/,
    why: MOUNTED,
  },
  {
    canary: "backupKey",
    place: /^\/var\/lib\/docker-node\/secrets\/backup\/key\.json$/,
    why: MOUNTED,
  },
];

/** Text of an event that a person or a program may see; debug messages are for nobody (commands/plan/diagnostics.ts). */
function shownOf(event: EngineEvent): string {
  const severity: string | undefined = event.diagnosticEvent?.severity;
  return severity === "debug" ? "" : JSON.stringify(event);
}

/** What was found where it is not declared to be, as lines. */
export const undeclared = (found: readonly Found[]): string[] =>
  unexplained(found, DECLARED).map(({ canary, place }) => `${canary}: ${place}`);

const SHOWN = "what Pulumi shows";
const HERE = "command line of the workstation";

/** Labs that were kept together have the same secrets, and another suite may run beside this one. */
const isOfThisSuite = (line: string): boolean => isOurs(Number.parseInt(line, 10));

/**
 * Searches for as long as an update runs: what Pulumi shows, command lines here, and processes of the node. What the update
 * returned, and what was found.
 */
export async function searchDuring<T>(
  shell: Shell,
  canaries: readonly Canary[],
  update: (options: Required<Pick<UpOptions, "onOutput" | "onEvent">>) => Promise<T>,
): Promise<{ result: T; found: Found[] }> {
  const shown: string[] = [];
  const found: Found[] = [];
  const watch = setInterval(() => {
    for (const { name: canary, text } of canaries)
      if (processesWith(text).some(isOfThisSuite)) found.push({ canary, place: HERE });
  }, 1000);
  let over = false;
  const running = update({
    onOutput: (text) => void shown.push(text),
    onEvent: (event) => void shown.push(shownOf(event)),
  }).finally(() => (over = true));
  const look = async (): Promise<void> => {
    while (!over)
      found.push(...foundBy(await shell.root(searchScript(canaries, { watch: 10 })), canaries));
  };
  const [result] = await Promise.all([running, look()]).finally(() => {
    clearInterval(watch);
  });
  for (const canary of canariesIn(shown.join("\n"), canaries)) found.push({ canary, place: SHOWN });
  return { result, found };
}
