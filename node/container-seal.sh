# shellcheck shell=bash
# Seals a container of the program that runs outside the user namespace. Under userns-remap, dockerd gives every layer to the
# remapped root. An escape from a remapped container gives that root, who could then write the programs of a container that runs as
# real root. Therefore the folders around the layers are given to real root alone, and afterwards the image is compared with its
# digests. dockerd mounts layers as real root, so other containers with the same layers are not affected.

readonly SEALED='root:root 700'

# dockerd mounts overlay2/ID/diff of a layer ID.
layer_folders() {
  docker_cli inspect --type container --format '{{.GraphDriver.Data.LowerDir}}:{{.GraphDriver.Data.UpperDir}}' "$CONTAINER" |
    tr : '\n' | sed 's|/diff$||'
}

seal_layers() {
  local folders folder found
  folders=$(layer_folders)
  while read -r folder; do
    found=$(stat -c '%U:%G %a' "$ROOT_DIR$folder")
    [[ $found == "$SEALED" ]] || put_right "$folder" mode "$found" "$SEALED" seal_folder "$ROOT_DIR$folder"
  done <<<"$folders"
}

seal_folder() { # FOLDER
  chown root:root "$1"
  chmod 0700 "$1"
}

# Reads the archive of `docker save`, which docker makes from the files of the layers. The digests come from the image's
# configuration, which belongs to root. Prints the digests that no layer of the archive has.
readonly COMPARE='
import hashlib, json, sys, tarfile
found = set()
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    for member in archive:
        if member.isfile():
            digest, content = hashlib.sha256(), archive.extractfile(member)
            while block := content.read(1 << 20):
                digest.update(block)
            found.add("sha256:" + digest.hexdigest())
print("\n".join(digest for digest in json.loads(sys.argv[1]) if digest not in found))'

verify_image() {
  local image layers differing
  image=$(docker_cli inspect --type container --format '{{.Image}}' "$CONTAINER")
  layers=$(docker_cli inspect --type image --format '{{json .RootFS.Layers}}' "$image")
  differing=$(DOCKER_TIMEOUT=$LIMIT docker_cli save "$image" | python3 -c "$COMPARE" "$layers") || differing="docker cannot read $image"
  [[ -z $differing ]] || refuse_image "$image" "$differing"
}

# The container has run already, with Docker's socket, so it is stopped.
refuse_image() { # IMAGE DETAIL
  docker_cli update --restart no "$CONTAINER" >/dev/null
  docker_cli stop "$CONTAINER" >/dev/null
  fail "the layers of $1 are not what its digests say; container $CONTAINER is stopped; remove both, look for who wrote there, and run up again" "$2"
}

# Without userns-remap there is no remapped root. The containerd image store keeps its layers elsewhere, and does not work with
# userns-remap.
is_outside() {
  local how root
  how=$(docker_cli inspect --type container --format '{{.HostConfig.UsernsMode}} {{.GraphDriver.Name}}' "$CONTAINER")
  root=$(docker_cli info --format '{{.DockerRootDir}}')
  [[ $how == 'host overlay2' && $root =~ /[0-9]+\.[0-9]+$ ]]
}

seal_container() {
  seal_layers
  verify_image
}
