# shellcheck shell=bash
# One step of restoring a volume. No step removes data that does not exist somewhere else too.
# ACTION      stage, thaw, digest, stop, copy, start or remove
# SUBJECT     the volume to restore
# VOLUME      the volume this step works on: that one, or one made for it
# IMAGE       image whose bash, cp and find do the work (stage, digest, copy)
# FROM        volume to copy from (copy)
# KEEP        capabilities of the container that does it, such as "CHOWN FOWNER" (digest, copy)
# Result: the digest of the volume's tree (digest, copy), the names that were started and that are gone (start), what had flags
# (thaw), otherwise none
SCRIPT=volume
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../backup/digest.sh
declare -F tree_digest >/dev/null || . "${BASH_SOURCE[0]%/*}/../backup/digest.sh"

JOURNAL_DIR="$ROOT_DIR/var/lib/docker-node/recovery"
# Containers and volumes made by a recovery have this label, which says what for. No backup takes such a volume.
LABEL="docker-node.recovery=${SUBJECT:-}"
MADE=(--label docker-node.backup=false --label "$LABEL")
# Longest time for a copy; its digest may take as long.
COPY_TIMEOUT="${COPY_TIMEOUT:-21600}"

# refill: replaces the content of the second tree with the first. Runs in a container too.
refill() {
  find /to -mindepth 1 -delete
  cp -a --reflink=auto --sparse=auto /from/. /to/
  sync -f /to
}

# in_container FUNCTION CALL MOUNT...: runs a function in a container with the volumes mounted, where owners are unchanged.
in_container() {
  local name=$1 call=$2 kept mount options=(--cap-drop ALL)
  shift 2
  require IMAGE KEEP
  for kept in $KEEP; do options+=(--cap-add "$kept"); done
  for mount; do options+=(--mount "type=volume,$mount"); done
  DOCKER_TIMEOUT=$COPY_TIMEOUT docker_cli run --rm --label "$LABEL" --pull never --userns host --network none --log-driver none \
    "${options[@]}" --entrypoint bash "$IMAGE" -euo pipefail -c "$(declare -f "$name"); $call"
}

exists() { docker_cli volume inspect "$1" >/dev/null 2>&1; }

digest() { in_container tree_digest 'tree_digest /tree' "source=$1,target=/tree,readonly"; }

idle() { [[ -z $(docker_cli ps --quiet --filter "label=$LABEL") ]]; }

# frozen DIRECTORY: how many files and directories below it have a flag that keeps everybody from changing or removing them.
frozen() { { lsattr -aR -- "$1" 2>/dev/null || true; } | { grep -cE '^[^ /]*[ai][^ /]* /' || true; }; }

# thaw VOLUME removes these flags and prints how many there were. Extracting sets the flags of the archive, but a copy does not take
# them along. A file with such a flag cannot be copied over, replaced or removed.
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

# Makes an empty volume to extract into. An earlier run that was killed may have left a container that is about to end.
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

# names OPTION...: running containers, in one line.
names() { docker_cli ps --format '{{.Names}}' "$@" | xargs; }

# doomed NAME...: those that Docker removes when they stop (--rm), together with their anonymous volumes, in one line. What a backup
# or a recovery made is meant to go.
doomed() {
  (($#)) || return 0
  # shellcheck disable=SC2016 # a template of Go
  docker_cli container inspect --format '{{$made := or (index .Config.Labels "docker-node.backup.holder")'\
' (index .Config.Labels "docker-node.recovery")}}{{if and .HostConfig.AutoRemove (not $made)}}{{slice .Name 1}}{{end}}' "$@" | xargs
}

# Stops the backup container first: its current run then starts again what it had stopped, and no new run stops anything.
stop() {
  local lost
  # shellcheck disable=SC2046 # a list of names
  lost=$(doomed $(names --filter "volume=$VOLUME"))
  [[ -z $lost ]] || fail "would be removed when they stop (--rm): $lost; stop them yourself first: docker stop $lost"
  halt "$(names --filter 'name=^docker_node_backup$')"
  halt "$(names --filter "volume=$VOLUME")"
}

# Notes each container before it is stopped, so that a later run can start it again if this run is killed.
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
  local journal="$JOURNAL_DIR/$VOLUME.stopped" name found started='' gone='' failed=''
  [[ -e $journal ]] || return 0
  for name in $(<"$journal"); do
    # A container that is gone meanwhile must not keep the others stopped.
    if docker_cli start "$name" >/dev/null; then
      started+=" $name"
    elif found=$(docker_cli container inspect "$name" 2>&1) || [[ ${found,,} != *'no such container'* ]]; then
      failed+=" $name"
    else
      gone+=" $name"
    fi
  done
  [[ -z $failed ]] || fail "not started again:$failed (docker start$failed)"
  started=${started:- nothing}
  printf '%s%s\n' "${started# }" "${gone:+; gone meanwhile:$gone}"
  rm -f "$journal"
}

main() {
  LIMIT=$((2 * COPY_TIMEOUT + 1800))
  begin_change
  require ACTION SUBJECT VOLUME
  case $ACTION in
    stage | copy | stop | start) "$ACTION" ;;
    thaw | digest | remove) "$ACTION" "$VOLUME" ;;
    *) fail "ACTION is $ACTION" ;;
  esac
}

main "$@" </dev/null
