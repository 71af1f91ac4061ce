/** `npm run lab`: runs everything on one machine. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { CommandError } from "@pulumi/pulumi/automation";
import { messageOf } from "../clients/failure";
import { openConsumer } from "./lib/consumer";
import { getDockerRepository } from "./lib/docker";
import { openInstance, type Instance } from "./lib/instance";
import { runInterruptible } from "./lib/interrupt";
import { bringUpLab } from "./lib/kept";
import { ensurePrerequisites } from "./lib/prerequisites";
import { ensurePrometheus } from "./lib/prometheus";
import { openDockerSocket, readNodes, sshTarget } from "./lib/reach";
import { loadLab, saveLab, savedAs, savedNames } from "./lib/saved";
import { buildScanner } from "./lib/scanner";
import { runningService } from "./lib/service";
import { buildLab, removeLab, startLab, type Lab } from "./lib/services";
import { chooseColour, cliEnv, openStack } from "./lib/stack";
import { describeReach } from "./lib/summary";

const USAGE = `usage: npm run lab [-- COMMAND]

  (none)     bring everything up, run the program, leave it running; the first lab of the same sources is kept for
             a day, and the next ones begin with it
  up         run the program again, as after a change of Pulumi.lab.yaml
  preview    show what up would change
  refresh    read back what is really there
  destroy    delete what the program made; the lab goes on
  status     what runs, and where
  ssh [CMD]  a shell on the node, or one command
  consumer up or destroy: the stack of examples/consumer, on the node
  save NAME  save it all, guests' memory included; the lab goes on
  load NAME  a lab as it was saved, as this instance, which must not be there yet
  build      make what a first start takes minutes to make; starts nothing
  run CMD…   any command with the lab's pulumi, as: run npx docker-node plan --stack lab
  down       stop everything and remove every trace

DOCKER_NODE_LAB names an instance, to have several at once.`;

type Command = (lab: Lab, args: string[]) => Promise<number>;

const COMMANDS: Record<string, Command> = {
  up: bringUp,
  preview: (lab) => operate(lab, "preview"),
  refresh: (lab) => operate(lab, "refresh"),
  destroy: (lab) => operate(lab, "destroy"),
  ssh: openShell,
  consumer: runConsumer,
  run: runInLab,
};

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const print = (text: string): void => {
  process.stdout.write(text);
};

/** Commands that start no lab, or begin with one that is saved. */
const ALONE: Record<string, (here: Instance, args: string[]) => Promise<number>> = {
  start: (here) =>
    fs.existsSync(here.stateDir) ? withLab(here, bringUp) : withLab(here, show, bringUpLab),
  load: loadSaved,
  save: saveAs,
  build,
  status: showStatus,
  down: removeAll,
};

async function main([name = "start", ...args]: string[]): Promise<number> {
  const here = openInstance();
  const alone = ALONE[name];
  if (alone) return alone(here, args);
  const command = COMMANDS[name];
  if (command) return withLab(here, (lab) => command(lab, args));
  say(USAGE);
  return name === "help" || name === "--help" ? 0 : 2;
}

/** Does something in a lab that is started for it, if it does not run. */
function withLab(
  here: Instance,
  work: (lab: Lab) => Promise<number>,
  open: typeof bringUpLab = startLab,
): Promise<number> {
  return runInterruptible(here, say, async (interrupted) => {
    const lab = await open(here, say, print);
    return interrupted() ? 130 : work(lab);
  });
}

async function removeAll(here: Instance): Promise<number> {
  await removeLab(here);
  say(`lab "${here.name}": nothing left`);
  return 0;
}

/** What unit tests send packets through. They are skipped without. */
const FILTERS = [
  { command: "nft", package: "nftables" },
  { command: "iptables-nft", package: "iptables" },
];

async function build(here: Instance): Promise<number> {
  await ensurePrerequisites(FILTERS, say);
  const { image } = await buildLab(say);
  await getDockerRepository(here, image, say);
  await ensurePrometheus(say);
  await buildScanner(say);
  return 0;
}

async function loadSaved(here: Instance, [name]: string[]): Promise<number> {
  const folder = savedAs(name);
  const names = savedNames();
  if (name && names.includes(name)) return withLab(here, show, () => loadLab(here, folder, say));
  throw new Error(`load: there is no lab "${name ?? ""}"; saved: ${names.join(", ") || "none"}`);
}

async function saveAs(here: Instance, [name]: string[]): Promise<number> {
  const folder = savedAs(name);
  if (!fs.existsSync(here.stateDir)) throw new Error(`save: lab "${here.name}" is not there`);
  return withLab(here, async (lab) => {
    fs.rmSync(folder, { recursive: true, force: true });
    return show(await saveLab(lab, folder, say));
  });
}

async function bringUp(lab: Lab): Promise<number> {
  const stack = await openStack(lab);
  await stack.up({ onOutput: print, color: chooseColour() });
  return show(lab);
}

async function show(lab: Lab): Promise<number> {
  const nodes = await readNodes(await openStack(lab));
  if (Object.keys(nodes).length > 0)
    print(`${describeReach(lab, nodes, await openDockerSocket(lab, nodes, say))}\n`);
  return 0;
}

async function operate(lab: Lab, operation: "preview" | "refresh" | "destroy"): Promise<number> {
  const stack = await openStack(lab);
  await stack[operation]({ onOutput: print, color: chooseColour() });
  return 0;
}

async function openShell(lab: Lab, args: string[]): Promise<number> {
  const target = sshTarget(lab, await readNodes(await openStack(lab)));
  return spawnSync("ssh", [...target, ...args], { stdio: "inherit" }).status ?? 1;
}

async function runConsumer(lab: Lab, [operation]: string[]): Promise<number> {
  if (operation !== "up" && operation !== "destroy")
    throw new Error(`consumer: "${operation ?? ""}"; allowed: up, destroy`);
  const [node] = Object.keys(await readNodes(await openStack(lab)));
  if (!node) throw new Error("no node is up; run: npm run lab -- up");
  await (await openConsumer(lab, node))[operation]({ onOutput: print, color: chooseColour() });
  return 0;
}

async function runInLab(lab: Lab, [command, ...args]: string[]): Promise<number> {
  if (!command)
    throw new Error("run: a command is missing, such as: npx docker-node plan --stack lab");
  await openStack(lab);
  const env = { ...process.env, ...cliEnv(lab) };
  return spawnSync(command, args, { stdio: "inherit", env }).status ?? 1;
}

async function showStatus({ name, stateDir }: Instance): Promise<number> {
  const services = ["mirror", "registry", "pbs", "docker-socket"];
  const running = services.map((service) => [service, runningService(stateDir, service)] as const);
  const api = path.join(stateDir, "pve.json");
  say(`lab "${name}"${fs.existsSync(stateDir) ? "" : ": not there; npm run lab brings it up"}`);
  for (const [service, found] of running)
    say(
      `  ${service.padEnd(14)} ${found ? `process ${found.pid}, port ${found.port}` : "stopped"}`,
    );
  if (fs.existsSync(api)) say(`  proxmox        ${fs.readFileSync(api, "utf8").trim()}`);
  return Promise.resolve(0);
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    // The output of pulumi was shown already.
    if (!(error instanceof CommandError)) say(messageOf(error));
    process.exit(1);
  },
);
