import type * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { addressOfNode, machineSize } from "../../config/node";
import { AGENT_CONTAINER, agentPort } from "../../config/portainer";
import type { NodeConfig, PortainerConfig } from "../../config/schema";
import { adoptAgent, keepContainer } from "../shared/adoption";
import { LOGGING, memoryLimit } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";
import { announce, applyOverride } from "../shared/override";
import { bind } from "../../node/steps";
import type { Images } from "../docker/images";
import { limitProcesses } from "../docker/container-limits";
import { runNodeScript, type Repairs } from "../docker/node-script";
import { edgeArgs, type EdgeKey } from "./portainer-edge";

/** What the Portainer agent needs. */
export interface PortainerAgentArgs {
  /** Name of the container; default: `portainer_agent`. */
  container?: string;
  /** The node, as configured. */
  node: NodeConfig;
  /** Image, port and server, as configured. */
  portainer: PortainerConfig;
  /** Secret shared with the Portainer server (AGENT_SECRET on both). */
  secret: pulumi.Input<string>;
  /** What it reaches Portainer with; undefined if Portainer reaches it. */
  edge?: EdgeKey;
  /** Docker's root directory as the daemon reports it; under userns-remap it is not /var/lib/docker. */
  dockerRootDir: pulumi.Input<string>;
  /** The machine whose Docker runs it. */
  machine: pulumi.Resource;
  /** The images of the node. */
  images: Images;
  /** SSH to the node. */
  connection: pulumi.Input<command.types.input.remote.ConnectionArgs>;
  /** What makes steps run again, to repair the node. */
  repairs?: Repairs;
}

/**
 * The Portainer agent of a node, as a container named `portainer_agent`.
 *
 * It runs outside the user namespace: remapped, it may not read docker.sock (portainer#662).
 */
export class PortainerAgent extends pulumi.ComponentResource {
  /** The container itself. */
  readonly container: docker.Container;
  /** SHA-256 of the certificate it serves since its last start by this program, `AA:BB:…`; undefined if nobody reaches it. */
  readonly fingerprint?: pulumi.Output<string>;

  constructor(name: string, args: PortainerAgentArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:PortainerAgent", name, {}, opts);
    // An adopted agent runs on the image it was started with: nothing is pulled.
    const { image } = args.portainer.agent;
    const { container = AGENT_CONTAINER } = args;
    const imageId = args.node.adopt.agent
      ? image
      : args.images.pullImage(`${name}-image`, image, container, this).imageId;
    this.container = createContainer(name, args, imageId, this);
    // What runs already stays as it is.
    if (!args.node.adopt.agent) limitProcesses(name, this.container, args, this);
    if (agentPort(args.node)) this.fingerprint = readFingerprint(name, args, this.container, this);
    this.registerOutputs({ containerId: this.container.id, fingerprint: this.fingerprint });
  }
}

function createContainer(
  name: string,
  args: PortainerAgentArgs,
  image: pulumi.Input<string>,
  parent: pulumi.Resource,
): docker.Container {
  const declared = containerArgs(args, image);
  const container = args.node.adopt.agent ? keepContainer(declared) : declared;
  const override = args.node.override?.agent;
  const agent = new docker.Container(`${name}-container`, applyOverride(container, override), {
    parent,
    dependsOn: args.images.pulled,
    deleteBeforeReplace: true,
    ...livesOn(args.machine),
    ...adoptAgent(args.node),
  });
  announce(agent, "agent", override);
  return agent;
}

/**
 * The agent writes its certificate and key into its working directory, anew at each start, and what is uploaded into /tmp
 * (portainer/agent: crypto/tls.go, http/handler/browse). The image's entrypoint is `./agent` in /app, where it could not be written.
 * One that reaches Portainer writes into /data. Docker uploads no file into a root that is read-only.
 */
function writablePlaces(
  edge: EdgeKey | undefined,
  uploads: docker.ContainerArgs["uploads"],
): Partial<docker.ContainerArgs> {
  return {
    readOnly: !uploads,
    entrypoints: ["/app/agent"],
    workingDir: "/tmp",
    tmpfs: { "/tmp": "size=128m", ...(edge && { "/data": "size=16m" }) },
  };
}

/** What Docker is told of the agent. */
export function containerArgs(
  { container: name = AGENT_CONTAINER, node, portainer, ...args }: PortainerAgentArgs,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  const volumes = pulumi.interpolate`${args.dockerRootDir}/volumes`;
  const { envs, uploads } = edgeArgs(portainer, args.edge);
  return {
    name,
    image,
    restart: "always",
    usernsMode: "host",
    ...writablePlaces(args.edge, uploads),
    ports: publishedPorts(node),
    volumes: [
      { hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" },
      // The right side is fixed in the agent, the left one is where this daemon keeps its volumes.
      { hostPath: volumes, containerPath: "/var/lib/docker/volumes" },
    ],
    envs: [
      `LOG_LEVEL=${portainer.agent.logLevel}`,
      pulumi.secret(pulumi.interpolate`AGENT_SECRET=${args.secret}`),
      ...envs,
    ],
    uploads,
    ...CONFINEMENT,
  };
}

const CONFINEMENT = {
  networkMode: "bridge",
  // It passes calls on; half of what a container has by default.
  cpuShares: 512,
  ...LOGGING,
  ...memoryLimit(256),
  securityOpts: ["no-new-privileges:true"],
};

/** Never on 0.0.0.0; nowhere where the agent reaches Portainer. */
function publishedPorts(node: NodeConfig): docker.types.input.ContainerPort[] {
  const external = agentPort(node);
  if (!external) return [];
  return [{ internal: 9001, external, ip: addressOfNode(node), protocol: "tcp" }];
}

/** The agent makes its certificate itself, anew at every start, so it can only be read from the running one. */
function readFingerprint(
  name: string,
  { node, portainer, machine, connection }: PortainerAgentArgs,
  container: docker.Container,
  parent: pulumi.Resource,
): pulumi.Output<string> {
  const { script, timeout, variables: limits } = bind("agent-certificate", {}, 180);
  const variables = container.id.apply((id) => ({
    ...limits,
    ADDRESS: addressOfNode(node),
    PORT: portainer.agent.port,
    // Another size of the machine reboots it, and the agent starts anew.
    STARTED_BY: `container ${id} on ${machineSize(node)}`,
  }));
  const step = { script, variables, timeout, connection, machine };
  return runNodeScript(`${name}-certificate`, step, { parent }).stdout;
}
