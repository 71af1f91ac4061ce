import * as pulumi from "@pulumi/pulumi";
import { createVolumes } from "../../components/docker/volumes";
import { settle, startPulumi } from "../support/mocks";
import { prodNode } from "../support/settings";

/** Options that a node's volumes are made with, by name. */
async function options(override: object): Promise<Record<string, pulumi.CustomResourceOptions>> {
  const recorder = await startPulumi();
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
