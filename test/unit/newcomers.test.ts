import { checkNewcomer } from "../../clients/pulumi/newcomers";
import { prodNode } from "../support/settings";

const template = { machine: { image: { template: 9000 } } };
const members = { engine: { groupMembers: ["ubuntu", "alice"] } };
const said = (override: object, name = "proj-docker02"): string[] =>
  checkNewcomer(name, prodNode(override)).map(
    ({ path, value, allowed }) => `${path.join(".")}: ${String(value)}; ${allowed}`,
  );

test("a new machine has no users but its own: members of the docker group, a remapped user", () => {
  expect(said({})).toEqual([]);
  expect(said(members)).toEqual([
    "nodes.proj-docker02.engine.groupMembers: alice; ubuntu, or nobody; a new machine has no other user: bring it up, make the user on it, then name it here",
  ]);
  expect(said({ engine: { daemon: { "userns-remap": "containers" } } })).toEqual([
    expect.stringMatching(/engine\.daemon\.userns-remap: containers; "default"; a new machine/),
  ]);
  expect(said({ ...members, ...template })).toEqual([]);
});

test("jobs of the backup server are called after a node, and have 32 characters", () => {
  expect(said({}, "a".repeat(18))).toEqual([]);
  expect(said({}, "a".repeat(19))).toEqual([
    expect.stringMatching(/^nodes: a{19}; a name of 18 characters at most/),
  ]);
  expect(said({ backups: null }, "a".repeat(19))).toEqual([]);
});
