# shellcheck shell=bash
# The part of daemon.sh that reads: what a daemon.json says, what it would do to this machine, whether to refuse it. Goes between
# lib.sh and daemon.sh. CURRENT and CANDIDATE are files, DATA_LOSS_CONFIRMED the operator's word.

# config normal FILE | alive FILE | changed OLD NEW | layout FILE DRIVER | get FILE KEY. An absent or empty file is {}, as it is
# to dockerd. DRIVER is what the engine uses now, and what it keeps using where a file says nothing.
config() {
  python3 -c '
import json, os, sys
def read(path):
    value = json.loads((os.path.exists(path) and open(path).read().strip()) or "{}")
    return value if isinstance(value, dict) else sys.exit("not an object")
def flat(value):
    store = [item for item in (value.get("features") or {}).items() if item[0] == "containerd-snapshotter"]
    return value | {f"features.{name}": on for name, on in store}
command, path, *rest = sys.argv[1:]
value = flat(read(path))
if command == "normal":
    print(json.dumps(read(path), sort_keys=True, separators=(",", ":")))
elif command == "alive":
    print(json.dumps(read(path) | {"live-restore": True}))
elif command == "changed":
    other = flat(read(rest[0]))
    print(*sorted(key for key in value | other if value.get(key, ...) != other.get(key, ...)))
elif command == "get":
    print(json.dumps(value[rest[0]]).strip("\"") if rest[0] in value else "")
else:
    store, remap = value.get("features.containerd-snapshotter"), value.get("userns-remap", "").split(":")[0]
    kept = "overlay2" if rest[0] == "overlayfs" and (remap or store is False) else rest[0]
    print("data-root", value.get("data-root", "/var/lib/docker"), "userns-remap", remap.replace("default", "dockremap") or "off",
        "storage", value.get("storage-driver") or ("overlayfs" if store else kept))
' "$@"
}

refuse() { # REASON [DETAIL]
  rm -f "$CANDIDATE"
  fail "refused: $1" "${2:-}"
}

check_keys() {
  local remap
  [[ -z $(config get "$CANDIDATE" hosts) ]] || refuse "hosts: the unit says where dockerd listens (-H fd://), and TCP is not wanted"
  [[ $(config get "$CANDIDATE" storage-opts) != *overlay2.size=* ]] || check_quota
  remap=$(config get "$CANDIDATE" userns-remap)
  if [[ -n $remap ]]; then check_remap "${remap%%:*}"; fi
  [[ $(config get "$CANDIDATE" features.containerd-snapshotter) != true ]] ||
    [[ -z $remap && $(config get "$CANDIDATE" storage-driver) != overlay2 ]] ||
    refuse "features.containerd-snapshotter works neither with userns-remap nor with storage-driver overlay2"
}

# dockerd makes dockremap and its ranges by itself, but only both together: a user without ranges keeps it from starting.
check_remap() {
  local user=$1 file
  if [[ $user == default ]]; then user=dockremap; fi
  if ! getent passwd "$user" >/dev/null; then
    [[ $user == dockremap ]] || refuse "userns-remap: there is no user $user"
    return 0
  fi
  for file in subuid subgid; do
    grep -q "^$user:" "$ROOT_DIR/etc/$file" || refuse "userns-remap: user $user has no range in /etc/$file"
  done
}

check_quota() {
  local path filesystem options
  path=$(config get "$CANDIDATE" data-root)
  path=${path:-/var/lib/docker}
  until [[ -d $ROOT_DIR$path ]]; do path=$(dirname "$path"); done
  filesystem=$(findmnt -nfro FSTYPE -T "$path")
  options=$(findmnt -nfro OPTIONS -T "$path")
  [[ $filesystem == xfs && $options =~ (^|,)p(rj)?quota(,|$) ]] ||
    refuse "overlay2.size needs XFS mounted with pquota; $path is on $filesystem" "mounted with $options"
}

# driver_in_use DATA_ROOT: from the daemon, or from what it left on disk.
driver_in_use() {
  docker_cli info --format '{{.Driver}}' 2>/dev/null || { [[ ! -d $ROOT_DIR$1/image/overlay2 ]] || echo overlay2; }
}

# A change of layout makes the engine start empty beside the old data. Counted is what the engine shows now, or, when it is down,
# every root there is. Sets HIDES.
check_hidden() {
  local root shown driver old new inventory
  root=$(config get "$CURRENT" data-root)
  root=${root:-/var/lib/docker}
  driver=$(driver_in_use "$root")
  old=$(config layout "$CURRENT" "$driver")
  new=$(config layout "$CANDIDATE" "$driver")
  shown=$(docker_cli info --format '{{.DockerRootDir}}' 2>/dev/null) || shown=''
  if [[ -n $shown ]]; then inventory=$(engine_inventory "$shown"); else inventory=$(engine_inventory "$root" "$root/*.*"); fi
  HIDES=no
  [[ $old != "$new" && -n $inventory ]] || return 0
  [[ $DATA_LOSS_CONFIRMED == hide-existing ]] ||
    refuse "this would hide $inventory" "now: $old"$'\n'"new: $new"$'\n'"DATA_LOSS_CONFIRMED=hide-existing accepts that"
  # shellcheck disable=SC2034 # daemon.sh stops what runs
  HIDES=yes
}

# With the unit's own flags: a key that repeats one of them keeps dockerd from starting. Before 23.0 there is no --validate,
# what remains then is the health check and the way back.
validate() {
  local output flags
  [[ $(dockerd --help 2>/dev/null) == *--validate* ]] || return 0
  flags=$(systemctl show --property ExecStart --value docker.service |
    sed -n 's/.*argv\[\]=[^ ;]*\([^;]*\);.*/\1/p' | sed 's/\$[^ ]*//g')
  # shellcheck disable=SC2086 # words of a command line
  output=$(dockerd --validate --config-file "$CANDIDATE" $flags 2>&1) || refuse "dockerd does not accept this daemon.json" "$output"
}
