/** What the lab's commands do. */
import * as fs from "node:fs";
import * as path from "node:path";
import { UsageError, type Outside } from "../commands/command";
import { tableRows } from "../commands/table";
import { openConsumer } from "./lib/consumer";
import { getDockerRepository } from "./lib/docker";
import type { Instance } from "./lib/instance";
import { runInterruptible } from "./lib/interrupt";
import { bringUpLab } from "./lib/kept";
import { ensurePrerequisites } from "./lib/prerequisites";
import { ensurePrometheus } from "./lib/prometheus";
import { openDockerSocket, readNodes, sshTarget } from "./lib/reach";
import { attend } from "./lib/run";
import { loadLab, saveLab, savedAs, savedNames } from "./lib/saved";
import { buildScanner } from "./lib/scanner";
import { runningService } from "./lib/service";
import { buildLab, removeLab, startLab, type Lab } from "./lib/services";
import { chooseColour, cliEnv, openStack } from "./lib/stack";
import { describeReach } from "./lib/summary";

/** What a command does in an instance, with its arguments. */
export type Act = (here: Instance, args: readonly string[], outside: Outside) => Promise<void>;

type Work<T> = (lab: Lab, outside: Outside) => Promise<T>;

/** What pulumi says, as it comes. */
const write = (text: string): void => {
  process.stdout.write(text);
};

/** Does something in a lab that is started for it, if it does not run. */
function withLab<T>(
  here: Instance,
  outside: Outside,
  work: Work<T>,
  open: typeof bringUpLab = startLab,
): Promise<T> {
  return runInterruptible(here, outside.warn, async (interrupted) => {
    const lab = await open(here, outside.warn, write);
    if (interrupted()) throw new Error("interrupted");
    return work(lab, outside);
  });
}

/** Brings everything up. */
export const start: Act = (here, args, outside) =>
  fs.existsSync(here.stateDir)
    ? bringUpAgain(here, args, outside)
    : withLab(here, outside, show, bringUpLab);

/** Runs the program again. */
export const bringUpAgain: Act = (here, _, outside) => withLab(here, outside, bringUp);

/** Stops and removes everything. */
export const removeAll: Act = async (here, _, { warn }) => {
  await removeLab(here);
  warn(`lab "${here.name}": nothing left`);
};

/** What unit tests send packets through. They are skipped without. */
const FILTERS = [
  { command: "nft", package: "nftables" },
  { command: "iptables-nft", package: "iptables" },
];

/** Makes what takes long, and starts nothing. */
export const build: Act = async (here, _, { warn }) => {
  await ensurePrerequisites(FILTERS, warn);
  const { image } = await buildLab(warn);
  await getDockerRepository(here, image, warn);
  await ensurePrometheus(warn);
  await buildScanner(warn);
};

/** Makes this instance of a lab that was saved under a name. */
export const loadSaved: Act = async (here, [name = ""], outside) => {
  const folder = savedAs(name);
  const names = savedNames();
  if (!names.includes(name))
    throw new UsageError(`there is no lab "${name}"; saved: ${names.join(", ") || "none"}`);
  await withLab(here, outside, show, () => loadLab(here, folder, outside.warn));
};

/** Saves the lab under a name, instead of what was saved there. */
export const saveAs: Act = async (here, [name = ""], outside) => {
  const folder = savedAs(name);
  if (!fs.existsSync(here.stateDir)) throw new Error(`lab "${here.name}" is not there`);
  await withLab(here, outside, async (lab) => {
    fs.rmSync(folder, { recursive: true, force: true });
    await show(await saveLab(lab, folder, outside.warn), outside);
  });
};

async function bringUp(lab: Lab, outside: Outside): Promise<void> {
  const stack = await openStack(lab);
  await stack.up({ onOutput: write, color: chooseColour() });
  await show(lab, outside);
}

async function show(lab: Lab, { print, warn }: Outside): Promise<void> {
  const nodes = await readNodes(await openStack(lab));
  if (Object.keys(nodes).length > 0)
    print(describeReach(lab, nodes, await openDockerSocket(lab, nodes, warn)));
}

/** Runs an operation of pulumi on the lab's stack. */
export const operate =
  (operation: "preview" | "refresh" | "destroy"): Act =>
  (here, _, outside) =>
    withLab(here, outside, async (lab) => {
      const stack = await openStack(lab);
      await stack[operation]({ onOutput: write, color: chooseColour() });
    });

/** Opens a shell on the node, or runs a command there; this process gets its status. */
export const openShell: Act = async (here, args, outside) => {
  const target = await withLab(here, outside, async (lab) =>
    sshTarget(lab, await readNodes(await openStack(lab))),
  );
  process.exitCode = await attend("ssh", [...target, ...args]);
};

const OPERATIONS = ["up", "destroy"] as const;

/** Brings the example of a consumer up, or destroys it. */
export const runConsumer: Act = async (here, [wanted = ""], outside) => {
  const operation = OPERATIONS.find((one) => one === wanted);
  if (!operation) throw new UsageError(`"${wanted}"; allowed: ${OPERATIONS.join(", ")}`);
  await withLab(here, outside, async (lab) => {
    const [node] = Object.keys(await readNodes(await openStack(lab)));
    if (!node) throw new Error("no node is up; run: npm run lab -- up");
    await (await openConsumer(lab, node))[operation]({ onOutput: write, color: chooseColour() });
  });
};

/** Runs a command with the lab's pulumi; this process gets its status. */
export const runInLab: Act = async (here, [command = "", ...args], outside) => {
  const env = await withLab(here, outside, async (lab) => {
    await openStack(lab);
    return cliEnv(lab);
  });
  process.exitCode = await attend(command, args, { env });
};

/** Says what runs, and where. */
export const showStatus: Act = ({ name, stateDir }, _, { print }) => {
  print(`lab "${name}"${fs.existsSync(stateDir) ? "" : ": not there; npm run lab brings it up"}`);
  const rows = ["mirror", "registry", "pbs", "docker-socket"].map((service) => {
    const found = runningService(stateDir, service);
    return [`  ${service}`, found ? `process ${found.pid}, port ${found.port}` : "stopped"];
  });
  const api = path.join(stateDir, "pve.json");
  if (fs.existsSync(api)) rows.push(["  proxmox", fs.readFileSync(api, "utf8").trim()]);
  for (const row of tableRows(rows)) print(row);
  return Promise.resolve();
};
