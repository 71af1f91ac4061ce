import type { Tree } from "../tree";
import { combineParts, entriesOf, itemsOf, textOf, treeIn } from "./model";
import type { Convert, Service } from "./service";
import { toMebibytes } from "./units";

/* What a service mounts. */

/** `volumes` of a service. */
export const readVolumes: Convert = (value, service) =>
  itemsOf(value).reduce<Tree>(
    (all, item, index) => combineParts(all, readMount(item as Tree, index, service)),
    {},
  );

const KINDS: Readonly<Record<string, (mount: Tree, index: number, service: Service) => Tree>> = {
  volume: (mount, index, { model, refuse }) => {
    const key = textOf(mount.source);
    if (key === "") {
      refuse(["volumes", index], "a volume with a name, declared under volumes of the node");
      return {};
    }
    const name = textOf(treeIn(treeIn(model, "volumes"), key).name) || key;
    return { volumes: { [name]: { path: mount.target, readOnly: mount.read_only === true } } };
  },
  bind: ({ source, target, read_only: readOnly }, index, { refuse }) => {
    if (!textOf(source).startsWith("/")) {
      refuse(
        ["volumes", index],
        "a path on the node, from / on; what lies beside the compose file is not on the node: put it into the image or a volume",
      );
      return {};
    }
    return { binds: [{ source, path: target, readOnly: readOnly === true }] };
  },
  tmpfs: ({ target, tmpfs }) => ({ tmpfs: [inMemory(target, treeIn({ tmpfs }, "tmpfs").size)] }),
};

/** Keys of a mount that are read, and those that say what is done anyway. */
const MOUNT_KEYS = ["type", "source", "target", "read_only", "bind.create_host_path", "tmpfs.size"];

function readMount(mount: Tree, index: number, service: Service): Tree {
  const inner = ["bind", "volume", "tmpfs"];
  const keys = entriesOf(mount).flatMap(([key, value]) =>
    inner.includes(key) ? entriesOf(value).map(([one]) => `${key}.${one}`) : [key],
  );
  for (const key of keys.filter((one) => !MOUNT_KEYS.includes(one)))
    service.refuse(["volumes", index, ...key.split(".")], "take it out; Docker's default holds");
  const read = KINDS[textOf(mount.type)];
  if (read) return read(mount, index, service);
  service.refuse(["volumes", index, "type"], "volume, bind, tmpfs");
  return {};
}

const inMemory = (path: unknown, size: unknown): Tree => ({
  path,
  ...(size === undefined ? {} : { sizeMiB: toMebibytes(size) }),
});

/** `tmpfs` of a service: paths, each with options after a colon. */
export const readTmpfs: Convert = (value, { refuse }) => ({
  tmpfs: [value].flat().map((item, index) => {
    const [path, options = ""] = textOf(item).split(":");
    const [, size] = /^size=(\w+)$/.exec(options) ?? [];
    if (options !== "" && !size) refuse(["tmpfs", index], "a path, or path:size=64m");
    return inMemory(path, size);
  }),
});

/** `secrets` of a service: files, whose contents are secrets of the stack. */
export const readSecretFiles: Convert = (value, { model, refuse }) => {
  const files = itemsOf(value).flatMap((item, index) => {
    const { source, target, ...rest } = item as Tree;
    const declared = treeIn(treeIn(model, "secrets"), textOf(source));
    if (declared.external !== true)
      refuse(
        ["secrets", index],
        `an external secret: secrets.${textOf(source)}.external: true, and pulumi config set --secret workloadSecret-${textOf(source)}`,
      );
    for (const [key] of entriesOf(rest))
      refuse(["secrets", index, key], "take it out; the file belongs to the workload's user alone");
    const file = textOf(target ?? source).replace(/^\/run\/secrets\//, "");
    return declared.external === true ? [[file, textOf(declared.name)] as const] : [];
  });
  return { secrets: Object.fromEntries(files) };
};
