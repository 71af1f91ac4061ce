/** The example of a stack that builds on the lab's node. */
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { workload } from "../../examples/consumer/workload";
import { ROOT } from "./instance";
import { NETWORK, type Lab } from "./services";
import { openProject } from "./stack";

/** The stack of examples/consumer on a node of the lab's stack, configured as its README says. */
export async function openConsumer(lab: Lab, node: string): Promise<Stack> {
  const stack = await openProject(lab, {
    folder: join(ROOT, "examples", "consumer"),
    workspace: "consumer",
    projectName: "docker-node-consumer",
    stackName: "lab",
    program: async () => Promise.resolve({ ...workload() }),
  });
  const { repository, tag, digest } = lab.images.busybox;
  await stack.setAllConfig({
    platform: { value: "organization/docker-node/lab" },
    node: { value: node },
    privateKeyFile: { value: lab.credentials.privateKeyFile },
    image: { value: `${NETWORK.registry}:5000/${repository}:${tag}@${digest}` },
  });
  return stack;
}
