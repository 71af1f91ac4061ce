# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# Every image a container uses: what `docker image save` writes, unpacked so that equal layers are stored once, and an index.

backup_images() { backup_item images images take_images; }

take_images() {
  local ids tree="$SPOOL/images" result=0
  empty_spool images
  ids=$(docker_cli ps --all --quiet --no-trunc) || error "docker does not answer" || return 1
  # shellcheck disable=SC2086 # a list of ids
  inspect container $ids >"$SPOOL/containers.json"
  # shellcheck disable=SC2046
  inspect image $(jq -r 'map(.Image) | unique[]' "$SPOOL/containers.json") >"$SPOOL/images.json"
  write_index >"$SPOOL/index.conf" || error "docker's answers are not whole" || return 1
  { has_room && unpack_images "$tree" && upload images images "images.pxar:$tree" "index.conf:$SPOOL/index.conf"; } || result=1
  [[ $result != 0 ]] || BYTES=$(size_of "$tree")
  rm -rf "$tree" "$SPOOL"/{containers,images}.json
  return "$result"
}

# Names as containers have them, since those are what a recovery asks for.
write_index() {
  # shellcheck disable=SC2016 # jq's variables
  jq -e --slurpfile images "$SPOOL/images.json" '
    ($images[0] | map({key: .Id, value: (.RepoDigests // [])}) | from_entries) as $known
    | map({reference: .Config.Image, id: .Image}) | unique
    | map(. + {digests: ($known[.id] // error("no image \(.id)"))})' "$SPOOL/containers.json"
}

# The sum counts layers twice that images share: rather a backup that says it has no room than a node that has none.
has_room() {
  local needed free
  needed=$(jq 'map(.Size) | add // 0' "$SPOOL/images.json")
  free=$(df --output=avail -B1 "$SPOOL" | tail -n 1)
  ((free > needed)) || error "images take up to $needed bytes, $STATE_DIR has $((free)) free"
}

# By its names, else by its id: loaded again, an image has the names it was saved by.
unpack_images() {
  local names
  names=$(jq -r '.[] | if (.RepoTags // []) == [] then .Id else .RepoTags[] end' "$SPOOL/images.json")
  [[ -n $names ]] || return 0
  # shellcheck disable=SC2016,SC2086 # expanded by that shell; a list of names
  guarded bash -c 'set -o pipefail
    folder=$1 && shift
    docker --host unix:///var/run/docker.sock image save "$@" | tar -x -C "$folder" -f -' save "$1" $names 2>"$SPOOL/save.log" ||
    error "docker image save: $(tail -n 1 "$SPOOL/save.log")"
}
