# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# Backs up every image that a container uses: the output of `docker image save`, unpacked so that equal layers are stored once, and
# an index.

# Bytes that a backup of the images leaves free on each disk: Docker's containers write there, too.
RESERVE="${RESERVE:-1073741824}"

backup_images() { backup_item images images take_images; }

take_images() {
  local ids tree="$SPOOL/images" result=0
  empty_spool images
  ids=$(docker_cli ps --all --quiet --no-trunc) || error "docker does not answer" || return 1
  # shellcheck disable=SC2086 # a list of ids
  inspect container $ids >"$SPOOL/containers.json" || return 1
  # shellcheck disable=SC2046
  inspect image $(jq -r 'map(.Image) | unique[]' "$SPOOL/containers.json") >"$SPOOL/images.json" || return 1
  write_index >"$SPOOL/index.conf" || error "docker's answers are incomplete" || return 1
  { has_room && unpack_images "$tree" && upload images images "images.pxar:$tree" "index.conf:$SPOOL/index.conf"; } || result=1
  if ((result == 0)); then BYTES=$(size_of "$tree"); elif [[ ${ERROR,,} == *'no space'* ]]; then WAITS=later; fi
  rm -rf "$tree" "$SPOOL"/{containers,images}.json
  return "$result"
}

# The index has the names that containers use, because a recovery asks for those.
write_index() {
  # shellcheck disable=SC2016 # jq's variables
  jq -e --slurpfile images "$SPOOL/images.json" '
    ($images[0] | map({key: .Id, value: (.RepoDigests // [])}) | from_entries) as $known
    | map({reference: .Config.Image, id: .Image}) | unique
    | map(. + {digests: ($known[.id] // error("no image \(.id)"))})' "$SPOOL/containers.json"
}

# With a graph driver, dockerd writes every layer to its own disk before it streams the first (moby, daemon/internal/image/tarexport,
# save.go: docker-export-*), so each image is there twice. Layers that images share count twice in this sum, too. A backup that
# wrongly reports too little space is better than a full disk.
has_room() {
  local needed
  needed=$(jq 'map(.Size) | add // 0' "$SPOOL/images.json")
  if [[ $(stat --format %d "$SPOOL") == $(stat --format %d "$VOLUMES_DIR") ]]; then
    has_free "$STATE_DIR" $((2 * needed))
  else
    has_free "$STATE_DIR" "$needed" && has_free "$VOLUMES_DIR" "$needed"
  fi
}

# has_free DIRECTORY BYTES: and RESERVE beside them.
has_free() {
  local free
  free=$(df --output=avail -B1 "$1" | tail -n 1)
  ((free > $2 + RESERVE)) ||
    error "no space: images take up to $2 bytes of the disk of $1, where $((free)) are free and $RESERVE have to stay"
}

# Saves the image by its names, or else by its id: when loaded, an image has the names it was saved by.
# Of docker and tar, the one that fails first makes the other one complain, too.
unpack_images() {
  local names
  names=$(jq -r '.[] | if (.RepoTags // []) == [] then .Id else .RepoTags[] end' "$SPOOL/images.json")
  [[ -n $names ]] || return 0
  # shellcheck disable=SC2016,SC2086 # expanded by that shell; a list of names
  guarded bash -c 'set -o pipefail
    folder=$1 && shift
    docker --host unix:///var/run/docker.sock image save "$@" | tar -x -C "$folder" -f -' save "$1" $names 2>"$SPOOL/save.log" ||
    error "docker image save: $(head -n 1 "$SPOOL/save.log")"
}
