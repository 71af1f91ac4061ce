/* Containers, by what docker is told of them. Each rule is a function of the resource's inputs. */
import { posix } from "node:path";
import { ALL_ADDRESSES, holdsSystem, socketIn } from "../../config/exposure";
import { waiverIdOf } from "../../config/waivers/benchmark";
import { SECRET_IN_ENVIRONMENT } from "../../config/waivers/policies";
import type { Finding } from "./finding";

interface Port {
  readonly internal?: number | null;
  readonly ip?: string | null;
}

/** Options of Docker's own volume driver, as mount(8) takes them. */
type DriverOptions = Readonly<Record<string, string | null>> | null;

interface Mount {
  readonly type?: string | null;
  readonly source?: string | null;
  readonly volumeOptions?: { readonly driverOptions?: DriverOptions } | null;
}

/** Inputs of `docker.Volume` that the rules look at. */
export interface VolumeInputs {
  readonly name?: string | null;
  readonly driverOpts?: DriverOptions;
}

/** Inputs of `docker.Container` that the rules look at. What is not known before the node exists is null, and no rule refuses it. */
export interface ContainerInputs {
  readonly name?: string | null;
  readonly image?: string | null;
  readonly privileged?: boolean | null;
  readonly publishAllPorts?: boolean | null;
  readonly ports?: readonly Port[] | null;
  readonly volumes?: readonly { readonly hostPath?: string | null }[] | null;
  readonly mounts?: readonly Mount[] | null;
  readonly envs?: readonly (string | null)[] | null;
}

/** By digest, or by the id that docker gives to what it pulled: also a digest. */
const PINNED = /(?:^|@)sha256:[0-9a-f]{64}$/;
const LATEST = /:latest(?:@|$)/;

/** An image has a digest. A tag beside it is not `latest`. */
export function checkImage(image: ContainerInputs["image"]): Finding[] {
  if (typeof image !== "string") return [];
  if (LATEST.test(image)) return [{ what: `${image}: latest is no version` }];
  return PINNED.test(image) ? [] : [{ what: `${image}: has no digest` }];
}

/** A container is not privileged. */
export function checkPrivileged({ privileged }: ContainerInputs): Finding[] {
  return privileged ? [{ what: "is privileged", waiver: waiverIdOf("5.5") }] : [];
}

/** Each published port names an address. */
export function checkPorts({ ports, publishAllPorts }: ContainerInputs): Finding[] {
  const waiver = waiverIdOf("5.14");
  const open = (ports ?? []).filter(({ ip = "" }) => ip !== null && ALL_ADDRESSES.includes(ip));
  return [
    ...(publishAllPorts ? [{ what: "publishes every port of its image", waiver }] : []),
    ...open.map(({ internal }) => ({
      what: `publishes its port ${internal ?? "(not known)"} on all addresses`,
      waiver,
    })),
  ];
}

/** No mount gives away a socket of Docker's or containerd's, or a folder of the system. */
export function checkMounts({ volumes, mounts }: ContainerInputs): Finding[] {
  const bound = (mounts ?? []).map(({ type, source, volumeOptions }) =>
    type === "bind" ? source : boundFolder(volumeOptions?.driverOptions),
  );
  const sources = [...(volumes ?? []).map(({ hostPath }) => hostPath), ...bound];
  return sources.flatMap((source) => (source ? checkSource(source) : []));
}

/** A volume that is a folder of the node by another name: whoever mounts it has the folder. */
export function checkVolume({ driverOpts }: VolumeInputs): Finding[] {
  const source = boundFolder(driverOpts);
  return source ? checkSource(source) : [];
}

/** The folder of the node that a volume stands for (moby, volume/local/local_unix.go). */
function boundFolder(options: DriverOptions = null): string | null | undefined {
  const words = options?.["o"]?.split(",") ?? [];
  return words.some((word) => word === "bind" || word === "rbind")
    ? options?.["device"]
    : undefined;
}

function checkSource(source: string): Finding[] {
  const path = posix.join(source, ".").replace(/(.)\/$/, "$1");
  const socket = socketIn(path);
  if (socket) return [{ what: `mounts ${source}: ${socket}`, waiver: waiverIdOf("5.32") }];
  if (!holdsSystem(path)) return [];
  return [{ what: `mounts ${source} of the node`, waiver: waiverIdOf("5.6") }];
}

/** @param secrets values of the stack's secrets */
export function checkEnvironment({ envs }: ContainerInputs, secrets: readonly string[]): Finding[] {
  const shown = (envs ?? []).filter((line) => secrets.some((one) => line?.includes(one)));
  return shown.map((line) => ({
    what: `has a secret in its environment: ${line?.split("=", 1)[0] ?? ""}`,
    waiver: SECRET_IN_ENVIRONMENT,
  }));
}
