# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# Backs up every volume by itself: data.pxar, and meta.conf, which describes the volume.

# A container that does nothing but keep a volume mounted.
HOLDER=docker-node.backup.holder

backup_volumes() {
  local names name stopped wanted=() last=()
  names=$(docker_cli volume ls --quiet) || fail "docker does not answer"
  stopped=$(was_held)
  for name in $names; do
    if read_volume "$name" && is_excluded; then continue; fi
    if grep -Fxq -- "$name" <<<"$stopped"; then last+=("$name"); else wanted+=("$name"); fi
  done
  wanted+=("${last[@]}")
  keep_volumes "${wanted[@]}"
  for name in "${wanted[@]}"; do
    backup_item "volume/$name" volumes backup_volume "$name"
  done
}

# group_of NAME: the volume's group on the server. The server reserves `host/benchmark` for measurements (api2/backup/mod.rs). No
# volume's name begins with _ (docker volume create).
group_of() { if [[ $1 == benchmark ]]; then printf _benchmark; else printf '%s' "$1"; fi; }

# read_volume NAME: writes its description to SPOOL/volume.json.
read_volume() {
  mkdir -p "$SPOOL"
  inspect volume "$1" >"$SPOOL/inspected.json" || return 1
  jq -e '.[0]' "$SPOOL/inspected.json" >"$SPOOL/volume.json" || error "the volume is gone"
}

# is_gone NAME: true if the volume was removed since it was listed, as a recovery removes its own. A Docker that does not answer is
# another matter.
is_gone() {
  local names
  names=$(docker_cli volume ls --quiet) || return 1
  ! grep -Fxq -- "$1" <<<"$names"
}

of_volume() { jq -r "$1" "$SPOOL/volume.json"; }

is_excluded() { [[ $(of_volume '.Labels["docker-node.backup"] // ""') == false ]]; }

backup_volume() {
  local result=0
  HELD_IDS=()
  { read_volume "$1" && locate "$1" && hold "$1" && mount_volume "$1" && take_volume "$1"; } || result=1
  if ((result)); then held_in_vain; fi
  # Another attempt would not start again what could not be started now.
  release || { result=1 RETRY=no; }
  if ((result)) && is_gone "$1"; then GONE=yes RETRY=no; fi
  return "$result"
}

# locate NAME: sets DATA, the path of the volume's files here. Runs before anything is stopped for the volume.
locate() {
  local driver mountpoint
  driver=$(of_volume .Driver) mountpoint=$(of_volume .Mountpoint)
  [[ $driver == local ]] || error "driver $driver keeps its data elsewhere (docker-node.backup=false: is known)" ||
    return 1
  [[ $mountpoint == */volumes/"$1"/_data ]] || error "its data is in $mountpoint" || return 1
  DATA="$VOLUMES_DIR/$1/_data"
  [[ -d $DATA ]] || error "$DATA is not there"
}

# mount_volume NAME: a volume with options `type` or `device` is mounted by Docker while a container uses it, and no longer (moby
# volume/local). An empty directory must not pass for the content of a file system that is not mounted.
mount_volume() {
  local own
  if [[ -z $(of_volume '.Options | (.type // "") + (.device // "")') ]]; then return 0; fi
  if mountpoint -q "$DATA"; then return 0; fi
  own=$(docker_cli inspect --type container --format '{{.Image}} {{.HostConfig.Runtime}}' "${SELF:-docker_node_backup}") ||
    error "docker does not know ${SELF:-docker_node_backup}" || return 1
  docker_step run --detach --rm --label "$HOLDER=$1" --userns host --runtime "${own#* }" --network none --log-driver none \
    --pull never --cap-drop ALL --volume "$1:/held:ro" --entrypoint sleep "${own% *}" infinity || return 1
  mountpoint -q "$DATA" || error "docker has mounted it, but the mount is not visible here"
}

unmount_volumes() {
  local ids
  ids=$(docker_cli ps --all --quiet --filter "label=$HOLDER" 2>/dev/null) || return 0
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $ids ]] || docker_cli rm --force $ids >/dev/null 2>&1 || true
}

take_volume() {
  local archives=("data.pxar:$DATA" "meta.conf:$SPOOL/meta.conf") mount
  # Files of a volume in use may vanish while they are read. Nothing vanishes from a volume whose containers are held.
  take_digest "$DATA" || [[ $CONSISTENCY == none ]] || error "its files cannot be read" || return 1
  describe_volume >"$SPOOL/meta.conf" || return 1
  # A file system mounted below the volume is part of it for its containers. The client stays on one file system unless told
  # otherwise.
  mounts_below "$DATA" >"$SPOOL/mounts" || error "what is mounted below it cannot be read" || return 1
  while IFS= read -r mount; do archives+=(--include-dev "$mount"); done <"$SPOOL/mounts"
  upload volumes "$(group_of "$1")" "${archives[@]}" || { upload_in_vain; return 1; }
  BYTES=$(size_of "$DATA")
}

# mounts_below DIRECTORY (proc_pid_mountinfo(5): the fifth field, with spaces as \040)
mounts_below() {
  local point
  while read -r _ _ _ _ point _; do
    printf -v point '%b' "$point"
    if [[ $point == "$1"/* ]]; then printf '%s\n' "$point"; fi
  done <"${MOUNTINFO:-/proc/self/mountinfo}"
}

describe_volume() {
  # shellcheck disable=SC2016 # jq's variables
  jq --arg consistency "$CONSISTENCY" --arg digest "$DIGEST" --arg excludes "$EXCLUDES" '{volume: .Name, driver: .Driver,
    labels: (.Labels // {}), options: (.Options // {}), owners: $ARGS.positional, $consistency,
    digest: (if $digest == "" then null else $digest end)}
    + (if $excludes == "" then {} else {$excludes} end)
    ' "$SPOOL/volume.json" --args "${OWNER_NAMES[@]}"
}

# size_of DIRECTORY: bytes. Files that vanish meanwhile are ignored.
size_of() {
  local size
  size=$(du -s --bytes "$1" 2>/dev/null || true)
  printf '%s' "${size%%[^0-9]*}"
}
