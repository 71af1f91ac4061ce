# shellcheck shell=bash
# Refuses a daemon.json that does not fit this machine. Goes between config.sh and daemon.sh. CURRENT and CANDIDATE are files,
# DATA_LOSS_CONFIRMED is the operator's consent.

refuse() { # REASON [DETAIL]
  rm -f "$CANDIDATE"
  fail "refused: $1" "${2:-}"
}

check_keys() {
  local remap driver
  [[ -z $(config get "$CANDIDATE" hosts) ]] || refuse "hosts: the unit says where dockerd listens (-H fd://), and TCP is not wanted"
  [[ $(config get "$CANDIDATE" storage-opts) != *overlay2.size=* ]] || check_quota
  driver=$(config get "$CANDIDATE" storage-driver)
  [[ ! $driver =~ ^(btrfs|zfs)$ ]] || check_filesystem "$driver"
  remap=$(config get "$CANDIDATE" userns-remap)
  if [[ -n $remap ]]; then check_remap "${remap%%:*}"; fi
  [[ $(config get "$CANDIDATE" features.containerd-snapshotter) != true ]] ||
    [[ -z $remap && $(config get "$CANDIDATE" storage-driver) != overlay2 ]] ||
    refuse "features.containerd-snapshotter works neither with userns-remap nor with storage-driver overlay2"
}

# dockerd makes the user dockremap and its ranges by itself, but only both together: a user without ranges keeps dockerd from
# starting.
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

# What the file refers to has to be on the node: dockerd does not start without a profile or a socket, and no container starts
# without its runtime. The graph installs none of them.
check_needs() {
  local key kind path
  while read -r key kind path; do
    case $kind in
      file) [[ -r $ROOT_DIR$path ]] || refuse "$key: there is no file $path on the node" ;;
      socket) [[ -e $ROOT_DIR$path ]] || refuse "$key: there is no socket $path on the node" ;;
      command)
        if [[ $path == /* ]]; then path=$ROOT_DIR$path; fi
        command -v "$path" >/dev/null || refuse "$key: there is no command ${path#"$ROOT_DIR"} on the node"
        ;;
    esac
  done < <(config needs "$CANDIDATE")
  path=$(config get "$CANDIDATE" seccomp-profile)
  [[ $path != /* ]] || config normal "$ROOT_DIR$path" >/dev/null 2>&1 || refuse "seccomp-profile: $path is not a JSON object"
}

# The existing directory that holds the data root, or will hold it.
data_root() {
  local path
  path=$(config get "$CANDIDATE" data-root)
  path=${path:-/var/lib/docker}
  until [[ -d $ROOT_DIR$path ]]; do path=$(dirname "$path"); done
  printf %s "$path"
}

check_filesystem() { # DRIVER
  local path filesystem
  path=$(data_root)
  filesystem=$(findmnt -nfro FSTYPE -T "$path")
  [[ $filesystem == "$1" ]] || refuse "storage-driver $1 needs a filesystem $1; $path is on $filesystem"
}

check_quota() {
  local path filesystem options
  path=$(data_root)
  filesystem=$(findmnt -nfro FSTYPE -T "$path")
  options=$(findmnt -nfro OPTIONS -T "$path")
  [[ $filesystem == xfs && $options =~ (^|,)p(rj)?quota(,|$) ]] ||
    refuse "overlay2.size needs XFS mounted with pquota; $path is on $filesystem" "mounted with $options"
}

# driver_in_use DATA_ROOT: asks the daemon, or looks at what it left on disk.
driver_in_use() {
  docker_cli info --format '{{.Driver}}' 2>/dev/null || { [[ ! -d $ROOT_DIR$1/image/overlay2 ]] || echo overlay2; }
}

# After a change of layout, Docker starts empty beside the old data. Counts what Docker shows now or, when it is down, what lies in
# every root. Sets HIDES.
check_hidden() {
  local root shown driver old new inventory
  root=$(config get "$CURRENT" data-root)
  root=${root:-/var/lib/docker}
  driver=$(driver_in_use "$root")
  old=$(config layout "$CURRENT" "$driver")
  new=$(config layout "$CANDIDATE" "$driver")
  shown=$(docker_cli info --format '{{.DockerRootDir}}' 2>/dev/null) || shown=''
  if [[ -n $shown ]]; then inventory=$(docker_inventory "$shown"); else inventory=$(docker_inventory "$root" "$root/*.*"); fi
  HIDES=no
  [[ $old != "$new" && -n $inventory ]] || return 0
  [[ $DATA_LOSS_CONFIRMED == hide-existing ]] ||
    refuse "this would hide $inventory" "now: $old"$'\n'"new: $new"$'\n'"DATA_LOSS_CONFIRMED=hide-existing accepts that"
  # shellcheck disable=SC2034 # daemon.sh stops what runs
  HIDES=yes
}
