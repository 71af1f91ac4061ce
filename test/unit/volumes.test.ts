import * as pulumi from "@pulumi/pulumi";
import { createVolumes, listDiffering } from "../../components/docker/volumes";
import { settle, startPulumi } from "../support/mocks";
import { prodNode } from "../support/settings";

/**
 * Options that a node's volumes are made with, by name.
 *
 * @param labels what Pulumi says the volumes have; default: what is declared
 */
async function options(
  override: object,
  labels?: object[],
): Promise<Record<string, pulumi.CustomResourceOptions>> {
  const recorder = await startPulumi();
  const answer = recorder.newResource.bind(recorder);
  jest.spyOn(recorder, "newResource").mockImplementation((args) => {
    const { id, state } = answer(args);
    return { id, state: { ...state, ...(labels && { labels }) } };
  });
  const seen: Record<string, pulumi.CustomResourceOptions> = {};
  const see: pulumi.ResourceTransformation = ({ name, opts }) => {
    seen[name] = opts;
    return undefined;
  };
  const machine = new pulumi.ComponentResource("test:Machine", "machine");
  createVolumes("n", prodNode(override), machine, { transformations: [see] });
  await settle(recorder);
  return seen;
}

test("labels of a volume are those of its creation: for a change the provider would delete it", async () => {
  const { "n-data": volume } = await options({ volumes: { data: { labels: { a: "b" } } } });
  expect(volume).toMatchObject({ ignoreChanges: ["labels"], protect: true });
});

test("an adopted volume keeps the labels it has", async () => {
  const { "n-data": volume } = await options({
    machine: { adopt: true, image: null },
    volumes: { data: {} },
    adopt: { volumes: ["data"] },
  });
  expect(volume).toMatchObject({ ignoreChanges: ["labels"], import: "data" });
});

test.each([
  [{ a: "b" }, { a: "b" }, []],
  [{ a: "b", c: "d" }, { a: "b" }, ["c is unset, declared d"]],
  [
    { a: "c" },
    { a: "b", "docker-node.backup": "false" },
    ["a is b, declared c", "docker-node.backup is false, declared unset"],
  ],
])("labels %j of a volume that has %j", (declared, had, expected) => {
  expect(listDiffering(declared, had)).toEqual(expected);
});

test("a label that a volume which exists does not take over is said, with its field", async () => {
  const said: string[] = [];
  jest.spyOn(pulumi.log, "warn").mockImplementation((text) => {
    said.push(text);
    return Promise.resolve();
  });
  const volumes = { data: { labels: { a: "b" } } };
  await options({ volumes });
  expect(said).toEqual([]);
  // As Pulumi answers for a volume that is in the state, when changes of its labels are ignored.
  await options({ volumes }, []);
  expect(said).toEqual([
    "nodes.n.volumes.data.labels: the volume exists, and Docker cannot change its labels: a is unset, declared b; docs/how-to/back-up.md has ways around",
  ]);
});
