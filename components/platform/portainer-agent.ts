import type * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { bootedWith } from "../../config/boot";
import { addressOfNode } from "../../config/node";
import { AGENT_CONTAINER, agentPort } from "../../config/portainer";
import { nameResource, PART } from "../../config/names";
import { adoptAgent, keepContainer } from "../shared/adoption";
import { REPLACED_FOR } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";
import { announce, applyOverride } from "../shared/override";
import { bind } from "../../node/steps";
import type { Images } from "../docker/images";
import { limitProcesses } from "../docker/container-limits";
import { runNodeScript, type Repairs } from "../docker/node-script";
import { containerArgs, type AgentContainerArgs } from "./portainer-container";
import { writeAuthority } from "./portainer-edge";

/** What the Portainer agent needs. */
export interface PortainerAgentArgs extends AgentContainerArgs {
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
      : args.images.pullOutside(nameResource(name, "image"), image, container, this).imageId;
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
  const { machine, connection, repairs, edge, portainer } = args;
  const authority = writeAuthority(name, portainer, { machine, connection, repairs, edge }, parent);
  const first = args.images.pulled.then((all) => [...all, ...authority]);
  const ownName = nameResource(name, PART.container);
  const agent = new docker.Container(ownName, applyOverride(container, override), {
    parent,
    dependsOn: first,
    deleteBeforeReplace: true,
    replaceOnChanges: REPLACED_FOR,
    ...livesOn(args.machine),
    ...adoptAgent(args.node),
  });
  announce(agent, "agent", override);
  return agent;
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
    // Some changes of the machine reboot it, and another Docker has another socket: the agent starts anew.
    STARTED_BY: `container ${id} on ${bootedWith(node)}, Docker ${node.engine.source} ${node.engine.version}`,
  }));
  const step = { script, variables, timeout, connection, machine };
  return runNodeScript(nameResource(name, "certificate"), step, { parent }).stdout;
}
