/** `npm run import`: a VM that runs Docker already becomes a node of a stack. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { bareKey } from "../../config/node";
import { nodeName } from "../../config/schema";
import { connect } from "../../clients/proxmox";
import { runner } from "../../clients/system";
import { main as plan } from "../plan/cli";
import { draft, type Draft } from "./draft";
import { declaredAddress } from "./machine";
import { isTree } from "./minimal";
import { readHardware, type Hardware } from "./hardware";
import { findingsText, nodeText } from "./render";
import { fingerprint, inspect, parseTarget, scanHostKey, type Target } from "./inspect";
import { portainerOf, readStack, sshOf, type StackSoFar } from "./stack";
import { addNode } from "./stack-file";

const USAGE = `usage: npm run import -- VMID [OPTION]...

Looks at a VM that runs Docker already, through Proxmox and over SSH, and writes it into
Pulumi.<stack>.yaml as it is, so that the next up adopts it. Nothing on the VM is changed.

  --stack NAME          the stack that gets the node (prod)
  --name NAME           name of the node; default: the VM's
  --ssh USER@HOST:PORT  where it is reached; default: its own address
  --key FILE            private key; default: that of the stack's other nodes
  --host-key KEY        its ed25519 host key; default: the one that answers, to be confirmed
  --portainer ADDRESS   the Portainer server; default: that of the stack's other nodes
  --yes                 accept the host key and write without asking
  --no-plan             do not show what the next up would change
  --cwd DIR             directory of the Pulumi project (this repository)

Status: 0 written, or there already; 1 in the way, or not wanted; 2 wrong usage.`;

const OPTIONS = {
  stack: { type: "string", default: "prod" },
  name: { type: "string" },
  ssh: { type: "string" },
  key: { type: "string" },
  "host-key": { type: "string" },
  portainer: { type: "string" },
  yes: { type: "boolean", default: false },
  plan: { type: "boolean", default: true },
  cwd: { type: "string", default: join(__dirname, "..", "..") },
  help: { type: "boolean", short: "h", default: false },
} as const;

type Options = ReturnType<typeof parse>["values"];

const parse = (args: string[]) =>
  parseArgs({ args, options: OPTIONS, allowPositionals: true, allowNegative: true });

/** How the user is spoken to. */
export interface Dialogue {
  readonly print: (text: string) => void;
  /** A question to be answered by yes. */
  readonly ask: (question: string) => Promise<boolean>;
}

/** Wrong usage: told in one line, with the usage below it. */
class UsageError extends Error {}

/** Runs one command line; the exit status. */
export async function main(args: string[], dialogue: Dialogue): Promise<number> {
  try {
    const { values, positionals } = parsed(args);
    if (!values.help) return await importVm(vmIdOf(positionals), values, dialogue);
    dialogue.print(USAGE);
    return 0;
  } catch (error) {
    dialogue.print(error instanceof Error ? error.message : String(error));
    if (error instanceof UsageError) dialogue.print(`\n${USAGE}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function parsed(args: string[]): ReturnType<typeof parse> {
  try {
    return parse(args);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function vmIdOf([text = "", ...more]: string[]): number {
  if (more.length > 0 || !/^[1-9]\d{2,8}$/.test(text))
    throw new UsageError(`VM id: "${[text, ...more].join(" ")}"; allowed: one number from 100 on`);
  return Number(text);
}

async function importVm(vmId: number, options: Options, dialogue: Dialogue): Promise<number> {
  const cwd = resolve(options.cwd);
  const run = runner(cwd);
  const stack = await readStack(run, options.stack, cwd);
  const hardware = await readHardware(
    connect({ ...stack.proxmox, apiToken: stack.apiToken }),
    vmId,
  );
  const name = nameOf(options, hardware);
  const target = targetOf(options, hardware, stack);
  const hostKey = options["host-key"]
    ? bareKey(options["host-key"])
    : await scanHostKey(target, run);
  if (!options["host-key"] && !(await confirmed(target, hostKey, options, dialogue))) return 1;
  const found = await look({ name, target, hostKey, hardware, stack, options });
  dialogue.print(`\n${findingsText(found.findings)}\n`);
  if (found.findings.some(({ kind }) => kind === "refuse")) return 1;
  if (!(await written(join(cwd, `Pulumi.${options.stack}.yaml`), name, found, options, dialogue)))
    return 1;
  if (needsSecret(found, stack))
    dialogue.print(
      `Before up: pulumi config set --secret agentSecret '<AGENT_SECRET>' --stack ${options.stack}`,
    );
  return showPlan(options, cwd, dialogue);
}

function nameOf(options: Options, { name: given, vmId }: Hardware): string {
  const name = options.name ?? given;
  const { success, error } = nodeName.safeParse(name);
  if (success) return name;
  const allowed = error.issues[0]?.message ?? "";
  throw new Error(`name of VM ${vmId}: "${name}"; allowed: ${allowed}; --name gives it another`);
}

function targetOf(options: Options, hardware: Hardware, { raw }: StackSoFar): Target {
  const { user } = sshOf(raw);
  const address = options.ssh ?? declaredAddress(hardware);
  if (address) return parseTarget(address, user);
  throw new Error(
    "Proxmox does not know the VM's address (no static ipconfig0): --ssh user@address",
  );
}

async function confirmed(
  target: Target,
  hostKey: string,
  { yes }: Options,
  { print, ask }: Dialogue,
): Promise<boolean> {
  const where = `${target.host}:${target.port}`;
  print(`${where} has the host key ${fingerprint(hostKey)}`);
  print("On its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
  return yes || ask("Is that the node? It gets pinned.");
}

interface Looked {
  readonly name: string;
  readonly target: Target;
  readonly hostKey: string;
  readonly hardware: Hardware;
  readonly stack: StackSoFar;
  readonly options: Options;
}

async function look({ name, target, hostKey, hardware, stack, options }: Looked): Promise<Draft> {
  const { raw } = stack;
  const privateKeyFile = options.key ?? sshOf(raw).privateKeyFile;
  if (!privateKeyFile)
    throw new Error("no private key: --key FILE, or ssh.privateKeyFile in the stack");
  const facts = await inspect(target, hostKey, privateKeyFile);
  const { user, host, port } = target;
  const own =
    port === 22 &&
    Object.values(facts.addresses)
      .flat()
      .some((one) => one.startsWith(`${host}/`));
  const ssh = { user, hostKey, privateKeyFile, ...(own ? {} : { endpoint: { host, port } }) };
  return draft({
    name,
    hardware,
    facts,
    ssh,
    stack: raw,
    portainer: portainerOf(raw, options.portainer),
  });
}

async function written(
  file: string,
  name: string,
  found: Draft,
  { yes }: Options,
  { print, ask }: Dialogue,
): Promise<boolean> {
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const after = addNode(before, name, found.node);
  if (after === before) {
    print(`${file} has ${name} already, just so.`);
    return true;
  }
  print(nodeText(name, found));
  if (!yes && !(await ask(`Write this to ${file}?`))) return false;
  writeFileSync(`${file}.new`, after);
  renameSync(`${file}.new`, file);
  print(`${name} is in ${file}.`);
  return true;
}

const needsSecret = ({ node }: Draft, { hasAgentSecret }: StackSoFar): boolean =>
  isTree(node.adopt) && "agent" in node.adopt && !hasAgentSecret;

async function showPlan(
  { plan: wanted, stack }: Options,
  cwd: string,
  { print }: Dialogue,
): Promise<number> {
  const command = `npm run plan -- --stack ${stack}`;
  print(`What the next up changes: ${command}`);
  if (!wanted) return 0;
  process.chdir(cwd);
  return plan(["--stack", stack]);
}

/** On a terminal; without one nobody can answer, and nothing is written. */
const terminal: Dialogue = {
  print: (text) => process.stdout.write(`${text}\n`),
  ask: async (question) => {
    if (!process.stdin.isTTY) throw new Error(`${question} Nobody can answer here: --yes`);
    const lines = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await lines.question(`${question} [y/N] `);
    lines.close();
    return /^y(es)?$/i.test(answer.trim());
  },
};

if (require.main === module)
  void main(process.argv.slice(2), terminal).then((code) => {
    process.exitCode = code;
  });
