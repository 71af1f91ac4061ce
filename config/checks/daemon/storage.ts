import type { NodeConfig } from "../../schema";
import { isSize } from "../../daemon/values";
import type { Report } from "../report";

/** Three sets work: overlay2 with or without userns-remap, and the containerd store with neither of the two keys. */
export function checkImageStore({ engine: { daemon } }: NodeConfig, report: Report): void {
  if (daemon.features?.["containerd-snapshotter"] !== true) return;
  const path = "engine/daemon/features/containerd-snapshotter";
  if (daemon["userns-remap"]) {
    report(
      path,
      true,
      "false or unset with userns-remap: the containerd store does not support it (moby#47377)",
    );
  } else if (daemon["storage-driver"]) {
    report(
      path,
      true,
      "false or unset with storage-driver: the containerd store has no graph driver",
    );
  }
}

/** The drivers btrfs and zfs need a filesystem of the same name, and node/storage.sh formats the disk as XFS. */
export function checkStorageDriver({ machine, engine }: NodeConfig, report: Report): void {
  const driver = engine.daemon["storage-driver"];
  if (machine.dockerDisk && (driver === "btrfs" || driver === "zfs"))
    report(
      "engine/daemon/storage-driver",
      driver,
      "overlay2 with machine.dockerDisk: the disk is XFS, and dockerd would not start",
    );
}

/** Options of each driver (moby daemon/graphdriver). dockerd does not start with any other. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  overlay2: ["overlay2.size"],
  btrfs: ["btrfs.min_space"],
  zfs: ["zfs.fsname"],
  vfs: [],
};

const SIZES = ["overlay2.size", "btrfs.min_space"];

export function checkStorageOptions({ machine, engine }: NodeConfig, report: Report): void {
  const { daemon } = engine;
  const driver = daemon["storage-driver"] ?? "unset";
  const known = OPTIONS[driver] ?? [];
  for (const option of daemon["storage-opts"] ?? []) {
    const path = "engine/daemon/storage-opts";
    const [name = "", value = ""] = option.split("=");
    if (!known.includes(name)) {
      const names = known.length > 0 ? `: ${known.join(", ")}` : ", which has none";
      report(path, option, `options of storage-driver ${driver}${names}`);
    } else if (SIZES.includes(name) && !isSize(value)) {
      report(path, option, `a size, such as ${name}=50G`);
    } else if (name === "overlay2.size" && !machine.dockerDisk) {
      const allowed = "overlay2.size only with machine.dockerDisk: it needs XFS with project quota";
      report(path, option, allowed);
    }
  }
}
