import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { CADVISOR_CONTAINER } from "../../config/monitoring";
import { runOutside } from "../../config/outside";
import { mayUseContainerd } from "../../config/daemon";
import { addressOfNode } from "../../config/node";
import type { MonitoringConfig, NodeConfig } from "../../config/schema";
import { namesOf, PART } from "../../config/names";
import { limitProcesses } from "../docker/container-limits";
import { REPLACED_FOR, daemonDefaults, memoryLimit } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";
import {
  PROXY_READY,
  PROXY_SOCKET,
  createSocketProxy,
  socketMount,
  type SocketProxyArgs,
} from "./socket-proxy";

type Cadvisor = NonNullable<MonitoringConfig["cadvisor"]>;

/** What cAdvisor and its proxy need. */
export interface CadvisorArgs extends Omit<SocketProxyArgs, "image"> {
  /** Docker's root directory as the daemon reports it; under userns-remap it is not /var/lib/docker. */
  dockerRootDir: pulumi.Input<string>;
}

/** Creates cAdvisor, and the proxy through which it asks Docker. */
export function createCadvisor(
  name: string,
  cadvisor: Cadvisor,
  args: CadvisorArgs,
  parent: pulumi.Resource,
): void {
  const { images, machine } = args;
  const own = namesOf(name);
  const proxyArgs = { ...args, image: cadvisor.proxy.image };
  const proxy = createSocketProxy(own(PART.proxy), proxyArgs, parent);
  const image = images.pullOutside(own("image"), cadvisor.image, CADVISOR_CONTAINER, parent);
  const dependsOn = images.pulled.then((all) => [...all, proxy]);
  const container = new docker.Container(
    own(PART.container),
    cadvisorArgs(args, cadvisor, image.imageId),
    {
      parent,
      dependsOn,
      deleteBeforeReplace: true,
      replaceOnChanges: REPLACED_FOR,
      ...livesOn(machine),
    },
  );
  limitProcesses(name, container, args, parent);
}

/** Labels of containers become labels of metrics otherwise, and each value a time series of its own. */
const FLAGS = [
  `--docker=unix://${PROXY_SOCKET}`,
  "--docker_only=true",
  "--store_container_labels=false",
  "--housekeeping_interval=30s",
  "--enable_metrics=cpu,memory,network,diskIO",
];

/**
 * It looks for Docker when it starts, and never again when the answer is an error (container/docker/plugin.go), as the proxy's is at a
 * boot. So a shell of the image waits until the proxy has reached Docker. The program follows as `$0`.
 */
const WAIT = `until [ -e ${PROXY_READY} ]; do sleep 1; done; exec "$0" "$@"`;

/**
 * What Docker is told of cAdvisor. Its documents run it privileged, with the node's root folder mounted. These metrics need
 * neither: cgroups, /proc for the counters of each network, the layers' ids below Docker's root, and of Docker's API what the proxy
 * passes on. The health check is the image's.
 */
export function cadvisorArgs(
  { node, dockerRootDir }: Pick<CadvisorArgs, "node" | "dockerRootDir">,
  { port }: Cadvisor,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  return {
    name: CADVISOR_CONTAINER,
    image,
    entrypoints: ["/bin/sh", "-c", WAIT, "/usr/bin/cadvisor"],
    command: FLAGS,
    restart: "always",
    // Remapped, it may not read Docker's folders.
    ...runOutside(node),
    networkMode: "bridge",
    ports: [{ internal: 8080, external: port, ip: addressOfNode(node), protocol: "tcp" }],
    volumes: cadvisorMounts(node, dockerRootDir),
    readOnly: true,
    capabilities: { drops: ["ALL"] },
    // The node's own work comes first.
    cpuShares: 256,
    ...daemonDefaults(node),
    ...memoryLimit(256),
    securityOpts: ["no-new-privileges:true"],
  };
}

/**
 * With `/rootfs/proc` there, cAdvisor looks for the node's files below `/rootfs` (manager.go, docker/handler.go). In containerd's
 * store it asks containerd for the root of each container; the socket's folder stays the same when containerd starts again.
 */
const cadvisorMounts = (
  { engine }: NodeConfig,
  dockerRootDir: pulumi.Input<string>,
): docker.types.input.ContainerVolume[] => [
  { ...socketMount, readOnly: true },
  readOnly("/sys/fs/cgroup"),
  readOnly("/proc", "/rootfs/proc"),
  readOnly(
    pulumi.interpolate`${dockerRootDir}/image`,
    pulumi.interpolate`/rootfs${dockerRootDir}/image`,
  ),
  ...(mayUseContainerd(engine.daemon) ? [readOnly("/run/containerd")] : []),
];

const readOnly = (
  hostPath: pulumi.Input<string>,
  containerPath: pulumi.Input<string> = hostPath,
): docker.types.input.ContainerVolume => ({ hostPath, containerPath, readOnly: true });
