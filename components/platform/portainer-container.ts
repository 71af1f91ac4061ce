/** Arguments of the container of the Portainer agent. */
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { addressOfNode } from "../../config/node";
import { DATA_ROOT } from "../../config/node-paths";
import { runOutside } from "../../config/outside";
import { AGENT_CONTAINER, agentPort } from "../../config/portainer";
import type { NodeConfig, PortainerConfig } from "../../config/schema";
import { daemonDefaults, keepCapabilities, memoryLimit } from "../shared/container-defaults";
import { edgeArgs, type EdgeKey } from "./portainer-edge";

/** What the container of the Portainer agent is made of. */
export interface AgentContainerArgs {
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
}

/**
 * The agent writes its certificate and key into its working directory, anew at each start, and what is uploaded into /tmp
 * (portainer/agent: crypto/tls.go, http/handler/browse). The image's entrypoint is `./agent` in /app, where it could not be written.
 * One that reaches Portainer writes into /data.
 */
function writablePlaces(edge: EdgeKey | undefined): Partial<docker.ContainerArgs> {
  return {
    readOnly: true,
    entrypoints: ["/app/agent"],
    workingDir: "/tmp",
    tmpfs: { "/tmp": "size=128m", ...(edge && { "/data": "size=16m" }) },
  };
}

/** What Docker is told of the agent. */
export function containerArgs(
  { container: name = AGENT_CONTAINER, node, portainer, ...args }: AgentContainerArgs,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  const volumes = pulumi.interpolate`${args.dockerRootDir}/volumes`;
  const { envs, mounts } = edgeArgs(portainer, args.edge);
  return {
    ...{ name, image, restart: "always", ...runOutside(node) },
    ...writablePlaces(args.edge),
    ports: publishedPorts(node),
    volumes: [
      { hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" },
      // The right side is fixed in the agent, the left one is where this daemon keeps its volumes.
      { hostPath: volumes, containerPath: `${DATA_ROOT}/volumes` },
    ],
    envs: [
      `LOG_LEVEL=${portainer.agent.logLevel}`,
      pulumi.secret(pulumi.interpolate`AGENT_SECRET=${args.secret}`),
      ...envs,
    ],
    mounts,
    ...CONFINEMENT,
    ...daemonDefaults(node),
  };
}

/**
 * It reads, writes, renames and removes files of any owner in volumes (portainer/agent: http/handler/browse, filesystem), in
 * sticky folders too. Docker's socket belongs to root, and no port of it is below 1024.
 */
const CAPABILITIES = ["DAC_OVERRIDE", "FOWNER"];

const CONFINEMENT = {
  networkMode: "bridge",
  capabilities: keepCapabilities(CAPABILITIES),
  // It passes calls on; half of what a container has by default.
  cpuShares: 512,
  ...memoryLimit(256),
  securityOpts: ["no-new-privileges:true"],
};

/** Never on 0.0.0.0; nowhere where the agent reaches Portainer. */
function publishedPorts(node: NodeConfig): docker.types.input.ContainerPort[] {
  const external = agentPort(node);
  if (!external) return [];
  return [{ internal: 9001, external, ip: addressOfNode(node), protocol: "tcp" }];
}
