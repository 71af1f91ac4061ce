# shellcheck shell=bash
# Seals what a container of the program runs on that is outside the user namespace. Under userns-remap, dockerd gives every layer to
# the remapped root. An escape from a remapped container gives that root, who could then write the programs of a container that runs
# as real root. Therefore the folders around the layers are given to real root alone, and after that the image is compared with its
# digests. dockerd mounts layers as real root, so other containers with the same layers are not affected.

# shellcheck source-path=SCRIPTDIR source=seal/close.sh
declare -F seal_folder >/dev/null || . "${BASH_SOURCE[0]%/*}/seal/close.sh"
# shellcheck source-path=SCRIPTDIR source=seal/archive.sh
declare -p READ_LAYER >/dev/null 2>&1 || . "${BASH_SOURCE[0]%/*}/seal/archive.sh"
# shellcheck source-path=SCRIPTDIR source=seal/compare.sh
declare -F compare_layers >/dev/null || . "${BASH_SOURCE[0]%/*}/seal/compare.sh"
# shellcheck source-path=SCRIPTDIR source=seal/handles.sh
declare -F find_handles >/dev/null || . "${BASH_SOURCE[0]%/*}/seal/handles.sh"

# Without userns-remap there is no remapped root. The containerd image store keeps its layers elsewhere, and does not work with
# userns-remap.
is_remapped() { [[ $(docker_layout) =~ ^overlay2\ .*/[0-9]+\.[0-9]+$ ]]; }
docker_layout() { docker_cli info --format '{{.Driver}} {{.DockerRootDir}}'; }

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
    found=$(seal_of "$ROOT_DIR$folder")
    [[ $found == "$SEALED" ]] || put_right "$folder" mode "$found" "$SEALED" seal_folder "$ROOT_DIR$folder"
  done
}

# verify_image IMAGE: seals its layers, and prints who else still reaches them, or how they differ from its digests; once for as long as
# they are there.
verify_image() {
  local layers found layout
  layers=$(image_layers "$1")
  layout=$(docker_layout)
  seal_layers <<<"$layers"
  [[ ! -e $ROOT_DIR${layers%%$'\n'*}/$COMPARED ]] || return 0
  found=$(find_handles <<<"$layers")
  [[ -n $found ]] || found=$(compare_layers "${layout#* }" "$1" <<<"$layers")
  if [[ -n $found ]]; then printf '%s\n' "$found"; else : >"$ROOT_DIR${layers%%$'\n'*}/$COMPARED"; fi
}

# verify_container IMAGE: the same of all its layers, after its start.
verify_container() {
  local layers found
  layers=$(container_layers)
  seal_layers <<<"$layers"
  found=$(find_handles <<<"$layers")
  [[ $(sed '1d;$d' <<<"$layers") == "$(image_layers "$1")" ]] || found+="${found:+$'\n'}it has other layers than its image"
  if [[ -n $found ]]; then printf '%s\n' "$found"; else verify_image "$1"; fi
}

tell_spoilt() { # IMAGE WHAT DETAIL
  local how='are not what its digests say'
  [[ $3 != "$REACHED"* ]] || how='may still be written by others than root'
  fail "the layers of $1 $how; $2, look for who wrote there, and run up again" "$3"
}
