/*
 * A Pulumi that is killed in the middle of an `up`: what it has started on the node runs on, and the next `up` waits for it. And a
 * search domain that comes and goes: the machine does not boot again and again for it.
 */
import { spawn } from "node:child_process";
import type { EngineEvent, Stack } from "@pulumi/pulumi/automation";
import type { Tree } from "../../config/tree";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { removeLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import { Life } from "./life";
import { type Shell, log, shellTo, waitFor, quiet, upSteps } from "./support";

jest.setTimeout(20 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("interrupted");
const life = new Life();
const { step } = life;

let lab: Lab;
let stack: Stack;
let shell: Shell;

async function declare(node: Tree): Promise<void> {
  stack = await openStack(lab, { nodes: { [NODE]: node } });
}

/** Who holds the lock of the node's scripts, as `hardening, process 1234, since …`. */
const holder = (): Promise<string> =>
  shell.root("flock --nonblock /run/docker-node/lock true || cat /run/docker-node/lock");

const HELD = /^hardening, process (\d+), since /;

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  stack = await openStack(lab);
  shell = await shellTo(lab, stack, NODE);
});

afterAll(() => life.end(here));

describe("a pulumi that is killed", () => {
  let script: string;

  step("leaves the script that it has started on the node", async () => {
    await declare({ hardening: { journal: false } });
    const args = ["up", "--stack", "lab", "--yes", "--skip-preview"];
    const env = { ...process.env, ...cliEnv(lab) };
    const pulumi = spawn("pulumi", args, { env, detached: true, stdio: "ignore" });
    await waitFor(async () => HELD.test(await holder()), 300);
    [, script = ""] = HELD.exec(await holder()) ?? [];
    // It stands still, however fast this machine is.
    await shell.root(`kill -STOP ${script}`);
    process.kill(-(pulumi.pid ?? 0), "SIGKILL");
    await new Promise((resolve) => pulumi.on("close", resolve));
    expect(await holder()).toMatch(HELD);
  });

  step("and the next up waits until it is over, and says so", async () => {
    await stack.cancel();
    let shown = "";
    let going: Promise<unknown> | undefined;
    const goOn = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 15_000));
      await shell.root(`kill -CONT ${script}`);
    };
    const onEvent = ({ resourcePreEvent }: EngineEvent): void => {
      if (resourcePreEvent?.metadata.urn.endsWith(`::${NODE}-hardening`)) going ??= goOn();
    };
    await stack.up({ onOutput: (text) => void (shown += text), onEvent });
    await going;
    expect(shown).toMatch(
      /waiting, for at most \d+ s, until another run on this node is over: hardening, process \d+/,
    );
    expect(await holder()).toBe("");
    expect(await shell.root("ls /etc/systemd/journald.conf.d 2>/dev/null || true")).not.toContain(
      "docker-node",
    );
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

step("a search domain comes and goes, and the machine does not boot for it for ever", async () => {
  const boots = async (): Promise<number> =>
    Number(await shell.root("journalctl --list-boots --no-pager --quiet | grep -c ."));
  const up = async (node: Tree): Promise<string[]> => {
    await declare(node);
    return (await upSteps(stack)).with("update");
  };
  const before = await boots();
  expect(await up({ network: { searchDomain: "research.example" } })).toContain(`${NODE}-vm`);
  const declared = await boots();
  expect(declared - before).toBeLessThanOrEqual(1);
  expect(await up({})).not.toContain(`${NODE}-vm`);
  await stack.up({ ...quiet, expectNoChanges: true });
  expect(await boots()).toBe(declared);
});
