import { OWN_FOLDER } from "../../node-paths";
import type { NodeConfig, WorkloadConfig } from "../../schema";
import { SECRETS_PATH, workloadsOf } from "../../workloads";
import type { Report } from "../report";

/** Checks that the volumes of workloads are declared. */
export function checkVolumes(node: NodeConfig, report: Report): void {
  const known = Object.keys(node.volumes).join(", ") || "there is none";
  for (const [name, { volumes }] of workloadsOf(node))
    for (const volume of Object.keys(volumes))
      if (!(volume in node.volumes))
        report(`workloads/${name}/volumes/${volume}`, volume, `a volume of the node: ${known}`);
}

/** Checks that no workload mounts a folder with the program's secrets. */
export function checkBinds(node: NodeConfig, report: Report): void {
  for (const [name, { binds }] of workloadsOf(node))
    binds.forEach(({ source }, index) => {
      if (isWithin(source, OWN_FOLDER))
        report(`workloads/${name}/binds/${index}/source`, source, `a path outside ${OWN_FOLDER}`);
    });
}

/** Something that is mounted, and where its path stands in the configuration. */
interface Mount {
  readonly path: string;
  readonly place: string;
  /** A mount below it is not written into files that others have. */
  readonly holdsMounts: boolean;
}

function mountsOf({ volumes, binds, tmpfs, secrets }: WorkloadConfig): Mount[] {
  const ownMount = (place: string, path: string, holdsMounts = false): Mount => ({
    path,
    place: `${place}/path`,
    holdsMounts,
  });
  return [
    ...(Object.keys(secrets).length > 0
      ? [{ ...ownMount("", SECRETS_PATH), place: "secrets" }]
      : []),
    ...tmpfs.map(({ path }, index) => ownMount(`tmpfs/${index}`, path, true)),
    ...Object.entries(volumes).map(([volume, { path }]) => ownMount(`volumes/${volume}`, path)),
    ...binds.map(({ path }, index) => ownMount(`binds/${index}`, path)),
  ];
}

/** No two mounts have one path, and below a volume or a bind there is no other mount: Docker would write a folder into it. */
export function checkMountPaths(node: NodeConfig, report: Report): void {
  for (const [name, workload] of workloadsOf(node)) {
    const mounts = mountsOf(workload);
    mounts.forEach((mount, index) => {
      const other = mounts.find((one, at) => at !== index && areClashing(one, mount, at < index));
      if (other)
        report(
          `workloads/${name}/${mount.place}`,
          mount.path,
          `a path apart from ${other.path} (${other.place.replace(/\//g, ".")})`,
        );
    });
  }
}

/** Whether a mount cannot be beside another one. Two with the same path are told of once, at the later one. */
function areClashing(other: Mount, mount: Mount, isEarlier: boolean): boolean {
  if (other.path === mount.path) return isEarlier;
  return !other.holdsMounts && isWithin(mount.path, other.path);
}

/** Whether a path is another one or below it. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
