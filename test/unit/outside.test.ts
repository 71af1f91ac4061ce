import { isRemapped, runOutside, withoutOutsideRuntime } from "../../config/outside";
import { dockerSteps } from "../../node/steps";
import { renderRuntime } from "../../node/scripts";
import { problems, prodNode, prodWith } from "../support/settings";

/** Containers that are exempt from userns-remap, and the runtime that compares their images (node/runtime/start.sh). */

const PROGRAM = { path: "/usr/local/lib/docker-node/runtime" };
const runtimeOf = (node: ReturnType<typeof prodNode>): unknown =>
  dockerSteps(node).find(({ script }) => script === "daemon")?.variables.RUNTIME;

test("a node with such containers has their runtime, beside those of the stack file", () => {
  const own = { path: "/usr/bin/crun" };
  const node = prodNode({ engine: { daemon: { runtimes: { crun: own } } } });
  expect(node.engine.daemon.runtimes).toEqual({ crun: own, "docker-node": PROGRAM });
  expect(runOutside(node)).toEqual({ usernsMode: "host", runtime: "docker-node" });
  expect(runtimeOf(node)).toBe(renderRuntime());
});

test.each([
  ["remaps nobody", { engine: { daemon: { "userns-remap": null } } }, false],
  [
    "has an adopted agent alone",
    {
      ...{ machine: { adopt: true }, adopt: { agent: "0".repeat(64) } },
      ...{ backups: null, monitoring: null },
    },
    true,
  ],
])("one that %s has no such runtime", (_what, override, remaps) => {
  const node = prodNode(override);
  expect([isRemapped(node), node.engine.daemon.runtimes]).toEqual([remaps, undefined]);
  expect(runOutside(node)).toEqual({ usernsMode: "host" });
  expect(runtimeOf(node)).toBeUndefined();
});

test("its name is not free", () => {
  const runtimes = { "docker-node": { path: "/usr/bin/crun" } };
  expect(problems(prodWith({ engine: { daemon: { runtimes } } })).join("\n")).toMatch(
    /runtimes\.docker-node: .*allowed: another name: docker-node is the program's own/,
  );
});

test("import leaves it out of what it finds, and nothing else", () => {
  const crun = { path: "/usr/bin/crun" };
  expect(withoutOutsideRuntime({ icc: false, runtimes: { "docker-node": PROGRAM } })).toEqual({
    icc: false,
  });
  expect(withoutOutsideRuntime({ runtimes: { crun, "docker-node": PROGRAM } })).toEqual({
    runtimes: { crun },
  });
  for (const found of [{}, { runtimes: {} }, { runtimes: { crun } }, { runtimes: "odd" }])
    expect(withoutOutsideRuntime(found)).toEqual(found);
});
