# shellcheck shell=bash
# One step of bringing a volume back. Nothing here removes data that is not somewhere else too.
# ACTION      stage, thaw, digest, stop, copy, start or remove
# SUBJECT     the volume that is to come back
# VOLUME      the one this step is about: that, or one made for it
# IMAGE       image whose bash, cp and find do the work (stage, digest, copy)
# FROM        volume to copy from (copy)
# Result: the digest of the volume's tree (digest, copy), the names that were started (start), what had flags (thaw),
# otherwise none
SCRIPT=volume
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../backup/digest.sh
declare -F tree_digest >/dev/null || . "${BASH_SOURCE[0]%/*}/../backup/digest.sh"

JOURNAL_DIR="$ROOT_DIR/var/lib/docker-node/recovery"
# What a recovery makes, containers and volumes, says what for; no backup takes such a volume.
LABEL="docker-node.recovery=${SUBJECT:-}"
MADE=(--label docker-node.backup=false --label "$LABEL")
# Copying takes as long as it takes.
COPY_TIMEOUT="${COPY_TIMEOUT:-21600}"

# refill: the first tree into the second, whose old content goes. Runs in a container too.
refill() {
  find /to -mindepth 1 -delete
  cp -a --reflink=auto --sparse=auto /from/. /to/
  sync -f /to
}

# in_container FUNCTION CALL MOUNT...: a function where the volumes are mounted, with their owners as they are.
in_container() {
  local name=$1 call=$2 mount mounts=()
  shift 2
  for mount; do mounts+=(--mount "type=volume,$mount"); done
  DOCKER_TIMEOUT=$COPY_TIMEOUT docker_cli run --rm --label "$LABEL" --pull never --userns host --network none --log-driver none \
    "${mounts[@]}" --entrypoint bash "$IMAGE" -euo pipefail -c "$(declare -f "$name"); $call"
}

exists() { docker_cli volume inspect "$1" >/dev/null 2>&1; }

digest() { in_container tree_digest 'tree_digest /tree' "source=$1,target=/tree,readonly"; }

idle() { [[ -z $(docker_cli ps --quiet --filter "label=$LABEL") ]]; }

# frozen DIRECTORY: how many files and directories below have one of the flags by which nobody may change or remove them.
frozen() { { lsattr -aR -- "$1" 2>/dev/null || true; } | { grep -cE '^[^ /]*[ai][^ /]* /' || true; }; }

# thaw VOLUME takes these flags away, and says of how many. Extracting sets them as the archive has them, and a copy does not
# take them along: whatever is to be copied, replaced or removed must not have them.
thaw() {
  local root count
  command -v lsattr >/dev/null || return 0
  root="$ROOT_DIR$(docker_cli volume inspect --format '{{.Mountpoint}}' "$1")"
  count=$(frozen "$root")
  ((count > 0)) || return 0
  chattr -R -f -ai -- "$root" || true
  [[ $(frozen "$root") == 0 ]] || fail "files of $1 cannot be changed: chattr -R -ai $root"
  printf '%s files or directories have the flags append only or immutable, which are not restored (chattr +a, +i)\n' "$count"
}

# A place to extract into, empty. An earlier run that was killed may have left a container that is about to end.
stage() {
  wait_for "${IDLE_TIMEOUT:-600}" idle || fail "another recovery of $SUBJECT is under way"
  remove "$VOLUME"
  docker_cli volume create "${MADE[@]}" "$VOLUME" >/dev/null
}

copy() {
  exists "$FROM" || fail "there is no volume $FROM"
  if exists "$VOLUME"; then thaw "$VOLUME" >/dev/null; else docker_cli volume create "${MADE[@]}" "$VOLUME" >/dev/null; fi
  in_container refill refill "source=$FROM,target=/from,readonly" "source=$VOLUME,target=/to,volume-nocopy"
  digest "$VOLUME"
}

remove() {
  exists "$1" || return 0
  thaw "$1" >/dev/null
  docker_cli volume rm "$1" >/dev/null
}

# names OPTION...: running containers, on one line.
names() { docker_cli ps --format '{{.Names}}' "$@" | xargs; }

# The backup container goes first: a run under way then starts again what it had stopped, and nothing stops it anew.
stop() {
  halt "$(names --filter 'name=^docker_node_backup$')"
  halt "$(names --filter "volume=$VOLUME")"
}

# What is stopped is written down first: whoever comes after a run that was killed starts it again.
halt() { # NAMES
  local journal="$JOURNAL_DIR/$VOLUME.stopped" all
  [[ -n $1 ]] || return 0
  all=$(cat "$journal" 2>/dev/null || true)
  # shellcheck disable=SC2086 # lists of names
  write_if_changed "$journal" 0600 <<<"$(printf '%s\n' $all $1 | sort -u | xargs)"
  # shellcheck disable=SC2086
  DOCKER_TIMEOUT=600 docker_cli stop -t 120 $1 >/dev/null
}

start() {
  local journal="$JOURNAL_DIR/$VOLUME.stopped" name failed=''
  [[ -e $journal ]] || return 0
  for name in $(<"$journal"); do
    # One that is gone since is no reason to leave the others stopped.
    if ! docker_cli container inspect "$name" >/dev/null 2>&1; then continue; fi
    docker_cli start "$name" >/dev/null || failed+=" $name"
  done
  [[ -z $failed ]] || fail "not started again:$failed (docker start$failed)"
  cat "$journal"
  rm -f "$journal"
}

main() {
  require ACTION SUBJECT VOLUME
  case $ACTION in
    stage | copy | stop | start) "$ACTION" ;;
    thaw | digest | remove) "$ACTION" "$VOLUME" ;;
    *) fail "ACTION is $ACTION" ;;
  esac
}

main "$@" </dev/null
