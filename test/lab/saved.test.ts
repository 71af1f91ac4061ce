/*
 * Labs that are files for a while: kept, saved by name, loaded as another instance. Nothing in the node may notice, but that time
 * has passed; Pulumi finds nothing to do.
 */
import { existsSync, rmSync } from "node:fs";
import { erase, openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { movePlace, placeOf } from "../../lab/lib/place";
import { run } from "../../lab/lib/run";
import { savedAs } from "../../lab/lib/saved";
import { removeLab, startLab, stopLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import { Life } from "./life";
import { Proxmox, type Shell, log, shellTo, stateFiles, statusOf, waitFor, quiet } from "./support";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const NAME = "test-of-saved";
const PLATFORM = "docker_node_backup\nportainer_agent";
const first = openInstance("saved");
const second = openInstance("saved-again");
let lab: Lab;
let shell: Shell;
let before: string;
const life = new Life();
const { step } = life;

async function shellOf(of: Lab): Promise<Shell> {
  return shellTo(of, await openStack(of), NODE);
}

/** What cannot be the same again once it has ended. */
const running = (): Promise<string> =>
  shell.root(`cat /proc/sys/kernel/random/boot_id
    systemctl show --property MainPID,ActiveEnterTimestampMonotonic docker
    docker ps --quiet --no-trunc | sort |
      xargs docker inspect --format '{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}'`);

/** A deployment as text, each secret's text read. */
const readPlain = (deployment: unknown): string =>
  JSON.stringify(deployment, (key, value: unknown) =>
    key === "plaintext" ? (JSON.parse(String(value)) as unknown) : value,
  );

/** Seconds by which the guest's clock is surely wrong. */
async function clockError(): Promise<number> {
  // The first command takes seconds to connect.
  await shell.root("true");
  const asked = Date.now() / 1000;
  const told = Number(await shell.root("date +%s.%N"));
  return Math.max(0, asked - told, told - Date.now() / 1000);
}

/** `npm run lab -- …` in an instance. */
const typed = ({ name }: { name: string }, ...args: string[]): Promise<string> =>
  run("npm", ["run", "--silent", "lab", "--", ...args], { env: { DOCKER_NODE_LAB: name } });

beforeAll(async () => {
  for (const each of [first, second]) await removeLab(each);
  rmSync(savedAs(NAME), { recursive: true, force: true });
});

afterAll(async () => {
  rmSync(savedAs(NAME), { recursive: true, force: true });
  for (const each of [first, second]) {
    await stopLab(each);
    if (!life.broken) erase(each);
  }
  if (life.broken) log(`state, logs and consoles are kept in ${second.stateDir}`);
});

step("a name that is not saved is refused, and what is saved is said", async () => {
  await expect(typed(second, "load", NAME)).rejects.toThrow(
    /there is no lab "test-of-saved"; saved/,
  );
  await expect(typed(second, "save", NAME)).rejects.toThrow(/lab "saved-again" is not there/);
  expect(existsSync(second.stateDir)).toBe(false);
});

step("a lab is brought up, and kept if it is the first", async () => {
  lab = await bringUpLab(first, log);
  shell = await shellOf(lab);
  expect(await shell.root("docker ps --format '{{.Names}}' | sort")).toBe(PLATFORM);
});

step("saved by name it goes on, and its clock is right", async () => {
  const { busybox } = lab.images;
  const image = `10.25.20.5:5000/${busybox.repository}@${busybox.digest}`;
  // With an init, which ends at SIGTERM: a shutdown would wait longer for `sleep` than Proxmox waits for the shutdown.
  await shell.root(`docker run -d --init --name clock ${image} sleep 1000000 >/dev/null`);
  before = await running();
  await typed(first, "save", NAME);
  expect(await running()).toBe(before);
  expect(await clockError()).toBeLessThan(2);
});

step("loaded as another instance, the same containers run on; its clock is right", async () => {
  await stopLab(first);
  await typed(second, "load", NAME);
  lab = await startLab(second, log);
  shell = await shellOf(lab);
  expect(await running()).toBe(before);
  expect(await clockError()).toBeLessThan(2);
  expect(await statusOf(`https://127.0.0.1:${lab.forwards["2019"]?.agent ?? 0}/ping`)).toBe(204);
});

step("its Pulumi state is of this instance, and has its secrets encrypted", async () => {
  const stack = await openStack(lab);
  const { deployment } = (await stack.exportStack()) as { deployment: object };
  const moved = movePlace(deployment, placeOf(first), placeOf(second));
  // Not by toEqual, which would print secrets. Pulumi escapes `<` in a secret's text, and JSON need not.
  expect(readPlain(moved) === readPlain(deployment)).toBe(true);
  expect(JSON.stringify(deployment)).toContain(second.stateDir);
  expect(stateFiles(second.stateDir)).not.toContain(lab.credentials.agentSecret);
});

step("there is nothing to change, and nothing has changed", async () => {
  const stack = await openStack(lab);
  await stack.preview({ ...quiet, expectNoChanges: true });
  await stack.refresh({ ...quiet, expectNoChanges: true });
});

step("it starts anew as any other machine does", async () => {
  const proxmox = new Proxmox(lab);
  await proxmox.run("/nodes/pve01/qemu/2019/status/reboot");
  const boot = before.split("\n")[0] ?? "";
  await waitFor(async () => {
    const [now = boot] = (await running()).split("\n");
    return now !== boot;
  });
  expect(await clockError()).toBeLessThan(2);
});

step("a lab that is there is not overwritten", async () => {
  await expect(typed(second, "load", NAME)).rejects.toThrow(/lab "saved-again" is there/);
});

step("the next one begins with the kept lab, within a minute", async () => {
  await removeLab(second);
  const began = Date.now();
  lab = await bringUpLab(second, log);
  shell = await shellOf(lab);
  expect(await shell.root("systemctl is-active docker")).toBe("active");
  const took = (Date.now() - began) / 1000;
  log(`from nothing to a running node: ${Math.round(took)} s`);
  expect(took).toBeLessThan(60);
  expect(await shell.root("docker ps --all --format '{{.Names}}' | sort")).toBe(PLATFORM);
  expect(await clockError()).toBeLessThan(2);
});
