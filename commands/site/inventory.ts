/** What is on a node: containers, volumes, images, and what its backup container says. */
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import type { NodeShell } from "../../clients/ssh";

const texts = z.record(z.string(), z.string()).nullish();

/** How a container is connected to a network. */
const attachment = z.looseObject({
  IPAMConfig: z.unknown().optional(),
  Links: z.unknown().optional(),
  Aliases: z.array(z.string()).nullish(),
  DriverOpts: z.unknown().optional(),
});

const mount = z.looseObject({
  Type: z.string(),
  Name: z.string().optional(),
  Source: z.string(),
  Destination: z.string(),
  RW: z.boolean().optional(),
});

export const containerState = z.looseObject({
  Running: z.boolean(),
  Health: z.looseObject({ Status: z.string() }).optional(),
});

/** `docker inspect` of a container, as far as it matters here; all of it is kept. */
const container = z.looseObject({
  Id: z.string(),
  Name: z.string(),
  /** Id of the image it was made from. */
  Image: z.string(),
  State: containerState.optional(),
  Config: z.looseObject({ Image: z.string(), Labels: texts }),
  HostConfig: z.looseObject({}),
  NetworkSettings: z
    .looseObject({ Networks: z.record(z.string(), attachment).optional() })
    .optional(),
  Mounts: z.array(mount).optional(),
});

const volume = z.looseObject({
  Name: z.string(),
  /** Undefined if the driver does not tell (Docker API, Volume). */
  CreatedAt: z.string().optional(),
  Driver: z.string().optional(),
  Labels: texts,
  Options: texts,
});

const image = z.looseObject({
  Id: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  RepoDigests: z.array(z.string()).nullish(),
});

const network = z.looseObject({ Name: z.string(), Id: z.string().optional() });

/** One item of the backup container's status.json. */
const itemStatus = z.looseObject({
  kind: z.string(),
  lastGood: z.string().nullable(),
  snapshot: z.string().nullable(),
  result: z.enum(["ok", "failed"]),
  error: z.string().nullable(),
  /** A snapshot that lacks files, because they could not be read. */
  incomplete: z.string().optional(),
  /** A `.pxarexclude` in the volume: the backup lacks what it lists. */
  excludes: z.string().optional(),
});

export const inventorySchema = z.looseObject({
  /** Docker's root directory. */
  root: z.string(),
  /** The file system with its volumes: bytes free, and type; null where that is not known. */
  disk: z.looseObject({ free: z.number(), type: z.string() }).nullish(),
  containers: z.array(container),
  volumes: z.array(volume),
  images: z.array(image),
  networks: z.array(network),
  /** Null where no backup container has run. */
  status: z
    .looseObject({ updated: z.string(), items: z.record(z.string(), itemStatus) })
    .nullable(),
});

export type Attachment = z.output<typeof attachment>;
export type Mount = z.output<typeof mount>;
export type Container = z.output<typeof container>;
export type ContainerState = z.output<typeof containerState>;
export type Volume = z.output<typeof volume>;
export type Image = z.output<typeof image>;
export type Network = z.output<typeof network>;
export type ItemStatus = z.output<typeof itemStatus>;
export type Inventory = z.output<typeof inventorySchema>;

/** Asks a node once for everything. */
export async function takeInventory(shell: NodeShell): Promise<Inventory> {
  const said = await shell.script("recovery/inventory", {});
  return parseJson(inventorySchema, said, "recovery/inventory.sh");
}

/** Name without Docker's leading slash. */
export const nameOf = ({ Name }: Pick<Container, "Name">): string => Name.replace(/^\//, "");

/** Containers that mount a volume. */
export function ownersOf(volume: string, containers: readonly Container[]): Container[] {
  const isMountOf = ({ Type, Name }: Mount): boolean => Type === "volume" && Name === volume;
  return containers.filter(({ Mounts = [] }) => Mounts.some(isMountOf));
}
