/** Imports one VM: finds it, confirms its host key, reads it, writes the node, and shows the next plan. */
import { join } from "node:path";
import { connect } from "../../clients/proxmox";
import { readCompose } from "../../clients/compose";
import { makeRunner } from "../../clients/process";
import type { Target } from "../../clients/ssh";
import { secretOf, writeCommand } from "../../config/secrets";
import { STATUS, type Outside, type Status } from "../command";
import { showPlan } from "../plan/command";
import { draft, type Draft } from "./draft";
import { readHardware, type Hardware } from "./hardware";
import { requireKey, fingerprintOf, inspect, scanHostKey } from "./inspect";
import { isTree } from "../../config/tree";
import { findingsText, toJson } from "./render";
import { portainerOf, readStack, sshOf, type StackSoFar } from "./stack";
import { chooseName, chooseTarget } from "./target";
import { writeNode } from "./write";

/** What the command line says of the VM. */
export interface ImportOptions {
  readonly stack: string;
  readonly name?: string;
  readonly ssh?: string;
  readonly key?: string;
  readonly hostKey?: string;
  readonly portainer?: string;
  /** Answer every question with yes. */
  readonly yes: boolean;
  readonly plan: boolean;
  readonly json?: boolean;
  /** Directory of the Pulumi project. */
  readonly cwd: string;
}

/**
 * Imports a VM; the exit status. With `json` the result is one object on standard output, and all else goes to
 * standard error.
 */
export async function importVm(
  vmId: number,
  options: ImportOptions,
  given: Outside,
): Promise<Status> {
  const outside = options.json ? { ...given, print: given.warn } : given;
  const stack = await readStack(makeRunner(options.cwd), options.stack, options.cwd);
  const access = { ...stack.proxmox, apiToken: stack.apiToken };
  const hardware = await readHardware(connect(access), vmId);
  const name = chooseName(options.name, hardware);
  const target = chooseTarget(options.ssh, hardware, stack);
  const hostKey = await pinHostKey(target, options, outside);
  if (hostKey === undefined) return STATUS.failed;
  const found = await look({ name, target, hostKey, hardware, stack, options });
  outside.print(`\n${findingsText(found.findings)}\n`);
  const inTheWay = found.findings.some(({ kind }) => kind === "refuse");
  const file = join(options.cwd, `Pulumi.${options.stack}.yaml`);
  const written = !inTheWay && (await writeNode(file, { name, found, yes: options.yes }, outside));
  if (options.json) given.print(toJson(name, found, written));
  return written ? sayWhatIsNext(found, stack, options, outside) : STATUS.failed;
}

/** The key given, or the one that answers once the user has confirmed it. */
async function pinHostKey(
  target: Target,
  { hostKey, yes, cwd }: ImportOptions,
  { print, ask }: Outside,
): Promise<string | undefined> {
  if (hostKey !== undefined) return requireKey(hostKey);
  const found = await scanHostKey(target, makeRunner(cwd));
  print(`${target.host}:${target.port} has the host key ${fingerprintOf(found)}`);
  print("On its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
  return yes || (await ask("Is that the node? It gets pinned.")) ? found : undefined;
}

interface Seen {
  readonly name: string;
  readonly target: Target;
  readonly hostKey: string;
  readonly hardware: Hardware;
  readonly stack: StackSoFar;
  readonly options: ImportOptions;
}

async function look({ name, target, hostKey, hardware, stack, options }: Seen): Promise<Draft> {
  const { raw } = stack;
  const privateKeyFile = options.key ?? sshOf(raw).privateKeyFile;
  if (!privateKeyFile)
    throw new Error("no private key: --key FILE, or ssh.privateKeyFile in the stack");
  const facts = await inspect(target, hostKey, privateKeyFile);
  const { user, host, port } = target;
  const addresses = Object.values(facts.addresses).flat();
  const own = port === 22 && addresses.some((one) => one.startsWith(`${host}/`));
  const ssh = { user, hostKey, privateKeyFile, ...(own ? {} : { endpoint: { host, port } }) };
  const portainer = portainerOf(raw, options.portainer);
  const composed = await readCompose(raw.compose);
  return draft({ name, hardware, facts, ssh, stack: raw, composed, portainer });
}

const needsSecret = ({ node }: Draft, { hasAgentSecret }: StackSoFar): boolean =>
  isTree(node.adopt) && "agent" in node.adopt && !hasAgentSecret;

async function sayWhatIsNext(
  found: Draft,
  soFar: StackSoFar,
  { stack, cwd, plan }: ImportOptions,
  outside: Outside,
): Promise<Status> {
  if (needsSecret(found, soFar))
    outside.print(`Before up: ${writeCommand(secretOf("agentSecret"), stack)}`);
  if (found.findings.some(({ kind }) => kind === "waive")) {
    outside.print(`Before up: docker-node:waivers in Pulumi.${stack}.yaml, as said above`);
    return STATUS.fine;
  }
  outside.print(`What the next up changes: npx docker-node plan --stack ${stack}`);
  return plan ? showPlan({ stack, cwd }, outside) : STATUS.fine;
}
