# shellcheck shell=bash
# Seals what a container of the program runs on that is outside the user namespace. Under userns-remap, dockerd gives every layer to
# the remapped root. An escape from a remapped container gives that root, who could then write the programs of a container that runs
# as real root. Therefore the folders around the layers are given to real root alone, and after that the image is compared with its
# digests. dockerd mounts layers as real root, so other containers with the same layers are not affected.

readonly SEALED='root:root 700'
# A file beside a sealed layer, the image's last one: what it is on has been compared. It goes with the layer.
readonly COMPARED=docker-node-compared

# Without userns-remap there is no remapped root. The containerd image store keeps its layers elsewhere, and does not work with
# userns-remap.
is_remapped() { [[ $(docker_cli info --format '{{.Driver}} {{.DockerRootDir}}') =~ ^overlay2\ .*/[0-9]+\.[0-9]+$ ]]; }

is_outside() {
  local how
  how=$(docker_cli inspect --type container --format '{{.HostConfig.UsernsMode}}' "$CONTAINER")
  [[ $how == host ]] && is_remapped
}

# dockerd mounts overlay2/ID/diff of a layer ID. Both print the folders overlay2/ID, the last layer of the image first.
container_layers() {
  docker_cli inspect --type container --format '{{.GraphDriver.Data.LowerDir}}:{{.GraphDriver.Data.UpperDir}}' "$CONTAINER" |
    tr : '\n' | sed 's|/diff$||'
}
image_layers() { # IMAGE
  docker_cli inspect --type image --format '{{.GraphDriver.Data.UpperDir}}{{with index .GraphDriver.Data "LowerDir"}}:{{.}}{{end}}' "$1" |
    tr : '\n' | sed 's|/diff$||'
}

seal_layers() { # <<<FOLDERS
  local folder found
  while read -r folder; do
    found=$(stat -c '%U:%G %a' "$ROOT_DIR$folder")
    [[ $found == "$SEALED" ]] || put_right "$folder" mode "$found" "$SEALED" seal_folder "$ROOT_DIR$folder"
  done
}

seal_folder() { # FOLDER
  chown root:root "$1"
  chmod 0700 "$1"
}

# Reads the archive of `docker save`, which docker makes from the files of the layers, and which leaves out what was not in them when
# they were pulled. The digests come from the image's configuration, which belongs to root. Prints each digest that no layer of the
# archive has, and each path that is on the disk and not in the archive. Whiteouts are devices 0:0; a layer may have more of them
# on the disk than in its archive.
readonly COMPARE='
import hashlib, json, os, posixpath, stat, sys, tarfile

class Counted:
    def __init__(self, file):
        self.file, self.digest = file, hashlib.sha256()
    def read(self, size=-1):
        block = self.file.read(size)
        self.digest.update(block)
        return block

def with_parents(path):
    while path not in ("/", ""):
        yield path
        path = posixpath.dirname(path)

# An entry may go through a link that the archive has made before.
def resolve(path, links):
    for _ in range(40):
        through = [parent for parent in with_parents(posixpath.dirname(path)) if parent in links]
        if not through:
            break
        target = posixpath.join(posixpath.dirname(through[-1]), links[through[-1]])
        path = posixpath.normpath("/" + (target + path[len(through[-1]):]).lstrip("/"))
    return path

def paths_of(layer):
    paths, links = set(), {}
    try:
        with tarfile.open(fileobj=layer, mode="r|") as archive:
            for member in archive:
                folder, name = posixpath.split(posixpath.normpath("/" + member.name.lstrip("/")))
                path = resolve(posixpath.join(folder, name.removeprefix(".wh.")), links)
                paths.update(with_parents(path))
                if member.issym():
                    links[path] = member.linkname
    except tarfile.ReadError:
        pass
    while layer.read(1 << 20):
        pass
    return paths

def is_whiteout(path):
    found = os.lstat(path)
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0

def added(root, paths):
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            if path[len(root):] not in paths and not is_whiteout(path):
                yield path

layers = {}
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    for member in archive:
        if member.isfile():
            layer = Counted(archive.extractfile(member))
            paths = paths_of(layer)
            layers["sha256:" + layer.digest.hexdigest()] = paths
digests, folders = json.loads(sys.argv[1]), sys.argv[:1:-1]
for digest, folder in zip(digests, folders, strict=True):
    differing = added(folder + "/diff", layers[digest]) if digest in layers else [digest]
    for one in [*differing][:10]:
        print(one)'

compare_image() { # IMAGE <<<FOLDERS
  local digests folders
  mapfile -t folders < <(sed "s|^|$ROOT_DIR|")
  digests=$(docker_cli inspect --type image --format '{{json .RootFS.Layers}}' "$1")
  DOCKER_TIMEOUT=$LIMIT docker_cli save "$1" | python3 -c "$COMPARE" "$digests" "${folders[@]}" || echo "docker cannot read $1"
}

# verify_image IMAGE: seals its layers and prints how they differ from its digests, once for as long as they are there.
verify_image() {
  local layers differing
  layers=$(image_layers "$1")
  seal_layers <<<"$layers"
  [[ ! -e $ROOT_DIR${layers%%$'\n'*}/$COMPARED ]] || return 0
  differing=$(compare_image "$1" <<<"$layers")
  if [[ -n $differing ]]; then printf '%s\n' "$differing"; else : >"$ROOT_DIR${layers%%$'\n'*}/$COMPARED"; fi
}

tell_spoilt() { # IMAGE WHAT DETAIL
  fail "the layers of $1 are not what its digests say; $2, look for who wrote there, and run up again" "$3"
}
