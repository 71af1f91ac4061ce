/** Two nodes and their image as Pulumi sees them by name, with nothing behind: documents name these resources. */
import * as pulumi from "@pulumi/pulumi";

class Node extends pulumi.ComponentResource {
  constructor(name: string, parts: readonly string[]) {
    super("docker-node:components:DockerNode", name);
    for (const part of parts)
      new pulumi.Stash(`${name}-${part}`, { input: name }, { parent: this });
    this.registerOutputs({});
  }
}

class CloudImage extends pulumi.ComponentResource {
  constructor(name: string) {
    super("docker-node:components:CloudImage", name);
    new pulumi.Stash(`${name}-file`, { input: name }, { parent: this });
    this.registerOutputs({});
  }
}

/** Loaded by `lab/pulumi-cli.ts`. */
function program(): object {
  new CloudImage("noble");
  new Node("proj-docker01", ["vm"]);
  new Node("proj-docker02", ["vm", "agent-certificate", "primary"]);
  return { contract: 1, nodes: {}, monitoringTargets: [] };
}

export = program;
