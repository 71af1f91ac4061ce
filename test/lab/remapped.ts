/** What somebody gets at who has escaped from a remapped container. */
import type { Shell } from "./support";

/** `act` is what an escape from a remapped container gives. */
export const asRemappedRoot = `
  root=$(docker info -f '{{.DockerRootDir}}')
  uid=$(basename "$root" | cut -d. -f1)
  ((uid > 65535))
  act() { setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"; }`;

/** Prints a container's layers, as Docker mounts them. */
const layersOf = (container: string): string =>
  `docker inspect -f '{{.GraphDriver.Data.LowerDir}}:{{.GraphDriver.Data.UpperDir}}' ${container} | tr : '\\n'`;

/** Owner and mode of the folders around a container's layers, each once; node/container-seal.sh closes them. */
export const sealsOf = (shell: Shell, container: string): Promise<string> =>
  shell.root(`${layersOf(container)} | sed 's|/diff$||' | xargs stat -c '%U:%G %a' | sort -u`);

/** A container's layers that the remapped root gets into. */
export const openLayers = (shell: Shell, container: string): Promise<string> =>
  shell.root(`${asRemappedRoot}
    layers=$(${layersOf(container)})
    [ -n "$layers" ]
    for layer in $layers; do
      if act test -x "$layer" || act touch "$layer/made" 2>/dev/null; then echo "$layer"; fi
    done`);
