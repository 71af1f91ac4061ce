import { createHash } from "node:crypto";
import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { PROXY_CONTAINER } from "../../config/monitoring";
import { runOutside } from "../../config/outside";
import type { NodeConfig } from "../../config/schema";
import { namesOf, PART } from "../../config/names";
import { readPart } from "../../node/scripts";
import { limitProcesses, type LimitArgs } from "../docker/container-limits";
import type { Images } from "../docker/images";
import { REPLACED_FOR, daemonDefaults, memoryLimit } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";

/** What the proxy between cAdvisor and Docker's socket needs. */
export interface SocketProxyArgs extends LimitArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** HAProxy's image, on Alpine. */
  image: string;
  /** The images of the node. */
  images: Images;
  /** Number of the group that may use Docker's socket. */
  dockerGroup: pulumi.Input<string>;
  /** The step that writes its configuration (node/monitoring/proxy.sh). */
  onNode: pulumi.Resource;
}

/** Folder of the proxy's socket, in both containers. */
const FOLDER = "/run/socket-proxy";

/** The socket at which the proxy answers. */
export const PROXY_SOCKET = `${FOLDER}/docker.sock`;

/** Exists once Docker has answered the proxy. At a boot the socket exists earlier: Docker answers when all its containers are started. */
export const PROXY_READY = `${FOLDER}/ready`;

/** The volume with the socket: in memory, the proxy's alone, gone with the last container that has it. */
export const socketMount: docker.types.input.ContainerVolume = {
  volumeName: PROXY_CONTAINER,
  containerPath: FOLDER,
};

/** Creates the proxy between cAdvisor and Docker; returns its container. */
export function createSocketProxy(
  name: string,
  args: SocketProxyArgs,
  parent: pulumi.Resource,
): docker.Container {
  const { images, machine, node, onNode, dockerGroup } = args;
  const own = namesOf(name);
  const image = images.pullOutside(own("image"), args.image, PROXY_CONTAINER, parent);
  const options = { parent, deleteBeforeReplace: true, ...livesOn(machine) };
  const volume = new docker.Volume(own("socket"), VOLUME, options);
  const dependsOn = images.pulled.then((all): pulumi.Resource[] => [...all, onNode, volume]);
  const container = new docker.Container(
    own(PART.container),
    socketProxyArgs({ node, dockerGroup }, image.imageId),
    { ...options, dependsOn, replaceOnChanges: REPLACED_FOR },
  );
  limitProcesses(name, container, args, parent, PROCESSES);
  return container;
}

/** A master process, a worker of one thread, and the health check. */
const PROCESSES = 32;

/** User and group `haproxy` of the image; the node has nobody with this number. */
const USER = 99;

const VOLUME: docker.VolumeArgs = {
  name: PROXY_CONTAINER,
  driver: "local",
  driverOpts: {
    type: "tmpfs",
    device: "tmpfs",
    o: `size=64k,mode=0755,uid=${USER},gid=${USER},nosuid,nodev,noexec`,
  },
  labels: [{ label: "docker-node.backup", value: "false" }],
};

const MOUNTS: docker.types.input.ContainerVolume[] = [
  { hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock", readOnly: true },
  {
    hostPath: "/etc/docker-node/socket-proxy",
    containerPath: "/usr/local/etc/haproxy",
    readOnly: true,
  },
  socketMount,
];

/** It answers and reaches Docker, and whoever waits for that is told. The image has no health check. */
const HEALTH_CHECK: docker.types.input.ContainerHealthcheck = {
  tests: ["CMD-SHELL", `wget -q -O /dev/null http://127.0.0.1:8404/healthz && : >${PROXY_READY}`],
  interval: "30s",
  // An emulated node takes its time.
  timeout: "30s",
  // As Docker gives them back.
  startPeriod: "1m0s",
  startInterval: "0s",
  retries: 3,
};

/**
 * What Docker is told of the proxy. It has Docker's socket, so it has no network, and is neither root nor like root to others: cAdvisor
 * sees it in the node's /proc, and a process of root without capabilities would let another one through to its files there.
 */
export function socketProxyArgs(
  { node, dockerGroup }: Pick<SocketProxyArgs, "node" | "dockerGroup">,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  return {
    name: PROXY_CONTAINER,
    image,
    restart: "always",
    user: `${USER}:${USER}`,
    groupAdds: [dockerGroup],
    // Remapped, it could not be of the node's group.
    ...runOutside(node),
    networkMode: "none",
    volumes: MOUNTS,
    // Another configuration is another container.
    labels: [{ label: "docker-node.configuration", value: configurationId() }],
    healthcheck: HEALTH_CHECK,
    readOnly: true,
    capabilities: { drops: ["ALL"] },
    cpuShares: 256,
    ...daemonDefaults(node),
    ...memoryLimit(64),
    securityOpts: ["no-new-privileges:true"],
  };
}

const configurationId = (): string =>
  createHash("sha256").update(readPart("monitoring/proxy")).digest("hex").slice(0, 16);
