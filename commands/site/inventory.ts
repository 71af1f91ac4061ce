/** What is on a node: containers, volumes, images, and what its backup container says. */
import type { NodeShell } from "../../clients/ssh";

/** `docker inspect` of a container, as far as it matters here. */
export interface Container {
  readonly Id: string;
  readonly Name: string;
  /** Id of the image it was made from. */
  readonly Image: string;
  readonly State?: ContainerState;
  readonly Config: Readonly<Record<string, unknown>> & { readonly Image: string };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, Attachment>> };
  readonly Mounts?: readonly Mount[];
}

export interface ContainerState {
  readonly Running: boolean;
  readonly Health?: { readonly Status: string };
}

/** How a container hangs on a network. */
export interface Attachment {
  readonly IPAMConfig?: unknown;
  readonly Links?: unknown;
  readonly Aliases?: readonly string[] | null;
  readonly DriverOpts?: unknown;
}

export interface Mount {
  readonly Type: string;
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly RW?: boolean;
}

export interface Volume {
  readonly Name: string;
  readonly Driver?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Options?: Readonly<Record<string, string>> | null;
}

export interface Image {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RepoDigests?: readonly string[] | null;
}

export interface Network {
  readonly Name: string;
  readonly Id?: string;
  readonly [field: string]: unknown;
}

/** One item of the backup container's status.json. */
export interface ItemStatus {
  readonly kind: string;
  readonly lastGood: string | null;
  readonly snapshot: string | null;
  readonly result: "ok" | "failed";
  readonly error: string | null;
}

export interface Status {
  readonly updated: string;
  readonly items: Readonly<Record<string, ItemStatus>>;
}

export interface Inventory {
  /** Docker's root directory. */
  readonly root: string;
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly images: readonly Image[];
  readonly networks: readonly Network[];
  /** Null where no backup container has run. */
  readonly status: Status | null;
}

/** The container that makes the backups. */
export const BACKUP_CONTAINER = "docker_node_backup";

/** Asks a node once for everything. */
export async function takeInventory(shell: NodeShell): Promise<Inventory> {
  return JSON.parse(await shell.script("recovery/inventory", {})) as Inventory;
}

/** Name without Docker's leading slash. */
export const nameOf = ({ Name }: Pick<Container, "Name">): string => Name.replace(/^\//, "");

/** Containers that mount a volume. */
export function ownersOf(volume: string, containers: readonly Container[]): Container[] {
  const mounts = ({ Type, Name }: Mount): boolean => Type === "volume" && Name === volume;
  return containers.filter(({ Mounts = [] }) => Mounts.some(mounts));
}
