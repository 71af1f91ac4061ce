/** Removing a protected node, under the real Pulumi; its machine is a stand-in, so no VM is needed. */
import * as pulumi from "@pulumi/pulumi";
import type { EngineEvent, PulumiFn, Stack } from "@pulumi/pulumi/automation";
import { guardRemoval } from "../../components";
import { protectWhile } from "../../components/shared/protection";
import { planOf } from "../../commands/plan/events";
import { FORMATS, render } from "../../commands/plan/render";
import { BarePulumi } from "./bare-pulumi";
import { Life } from "./life";

const { step } = new Life();
jest.setTimeout(5 * 60_000);

const bare = new BarePulumi();

/** What DockerNode is to Pulumi: a component with one machine, protected as the real one is. */
class Node extends pulumi.ComponentResource {
  constructor(name: string, protect: boolean, guard?: pulumi.ResourceHook) {
    super("docker-node:components:DockerNode", name);
    const options = { parent: this, ...protectWhile(protect, guard) };
    new pulumi.Stash(`${name}-vm`, { input: name }, options);
    this.registerOutputs({});
  }
}

/** A program with these nodes, protected or not. */
const fleet = (nodes: Record<string, boolean>, guarded = true): PulumiFn => {
  return async () => {
    const guard = guardRemoval(Object.keys(nodes));
    for (const [name, protect] of Object.entries(nodes))
      new Node(name, protect, guarded ? guard : undefined);
    return Promise.resolve({});
  };
};

const open = (program: PulumiFn): Promise<Stack> => bare.open("removal", program);

const resources = async (): Promise<string[]> => {
  const state = await (await open(fleet({}))).exportStack();
  const { resources: all = [] } = state.deployment as { resources?: { urn: string }[] };
  return all.map(({ urn }) => urn.split("::").at(-1) ?? "").sort();
};

async function refused(program: PulumiFn): Promise<{ message: string; events: EngineEvent[] }> {
  const events: EngineEvent[] = [];
  const stack = await open(program);
  const run = stack.preview({ onEvent: (event) => events.push(event) });
  const message = await run.then(
    () => "",
    (error: unknown) => (error as Error).message,
  );
  return { message, events };
}

const TWO_STEPS = [
  "proj-docker01 is protected and was not deleted. To remove it, in two steps:",
  "1. with nodes.proj-docker01 in the configuration, set nodes.proj-docker01.machine.protect to false",
  "2. remove nodes.proj-docker01 from the configuration and run pulumi up.",
];
const both = { "proj-docker01": true, "proj-docker02": true };
const one = { "proj-docker02": true };

describe("a protected node that is taken out of the configuration", () => {
  let before: string[];

  step("is deployed, without a difference afterwards", async () => {
    await (await open(fleet(both))).up();
    await (await open(fleet(both))).preview({ expectNoChanges: true });
    before = await resources();
    expect(before).toContain("proj-docker01-vm");
  });

  step("is refused in the preview, in Pulumi's own output, with the two steps", async () => {
    const { message, events } = await refused(fleet(one));
    for (const line of TWO_STEPS) expect(message).toContain(line);
    const plan = planOf(events);
    expect(plan.failed).toBe(true);
    for (const format of FORMATS)
      for (const line of TWO_STEPS) expect(render(plan, format)).toContain(line);
    expect(render(plan, "terminal")).not.toContain("hook");
  });

  step("is refused by an up without a preview as well, and stays", async () => {
    await expect((await open(fleet(one))).up()).rejects.toThrow(TWO_STEPS[0]);
    expect(await resources()).toEqual(before);
  });

  step("goes by the two steps", async () => {
    await (await open(fleet({ ...both, "proj-docker01": false }))).up();
    expect(await resources()).toEqual(before);
    await (await open(fleet(one))).up();
    expect(await resources()).toEqual(before.filter((name) => !name.startsWith("proj-docker01")));
  });

  step("is refused in the same words where the state has no hook yet", async () => {
    await (await open(fleet(both, false))).up();
    const { message, events } = await refused(fleet(one, false));
    expect(message).toContain("pulumi state unprotect");
    const shown = render(planOf(events), "terminal").replaceAll("\n  ", "\n");
    for (const line of TWO_STEPS) expect(shown).toContain(line);
    expect(shown).not.toContain("state unprotect");
  });

  step("stays when the whole stack is to be destroyed, with and without the program", async () => {
    await (await open(fleet(both))).up();
    for (const [runProgram, said] of [
      [false, "run with the `--run-program` flag"],
      [true, "1. with nodes.proj-docker01 in the configuration"],
    ] as const) {
      for (const previewOnly of [true, false]) {
        const destroy = (await open(fleet(both))).destroy({ runProgram, previewOnly });
        await expect(destroy).rejects.toThrow(said);
      }
      expect(await resources()).toEqual(before);
    }
  });

  step("does not keep an unprotected stack from being destroyed without the program", async () => {
    await (await open(fleet({ "proj-docker01": false, "proj-docker02": false }))).up();
    await (await open(fleet({}))).destroy();
    expect(await resources()).toEqual([]);
  });
});
