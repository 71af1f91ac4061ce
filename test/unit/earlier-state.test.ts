/** The recorded stack, held against a state: what the lab imports to see whether an earlier stack previews unchanged. */
import { BEFORE, compareTypes, renameTypes } from "../support/earlier";

const NODE = "docker-node:components:DockerNode";
const HOST = "docker-node:components:DockerEngine";
const COMMAND = "command:remote:Command::proj-docker02-install";
const urn = (types: string): string => `urn:pulumi:lab::docker-node::${types}`;

test("types of today are those of the recording", () => {
  const today = [urn(`${NODE}$${HOST}$${COMMAND}`), urn("command:remote:Command::unknown")];
  expect(compareTypes(today)).toEqual({ earlier: new Map(), compared: 1 });
});

test("a parent that got another type is named, and a state can be called as before", () => {
  const renamed = urn(`${NODE}$docker-node:components:Renamed$${COMMAND}`);
  const { earlier } = compareTypes([renamed]);
  expect([...earlier]).toEqual([["docker-node:components:Renamed", HOST]]);
  const state = { urn: renamed, type: "docker-node:components:Renamed", text: "…:RenamedToo" };
  expect(renameTypes(state, earlier)).toEqual({
    ...{ urn: urn(`${NODE}$${HOST}$${COMMAND}`), type: HOST },
    text: "…:RenamedToo",
  });
});

test("a resource that moved to other parents is refused", () => {
  expect(() => compareTypes([urn(COMMAND)])).toThrow(
    `${urn(COMMAND)}: was ${NODE}$${HOST}$command:remote:Command`,
  );
  expect(BEFORE.resources.length).toBeGreaterThan(20);
});
