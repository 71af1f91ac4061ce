# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# Stops or pauses the containers that use a volume while it is read. Before that, it notes each one in HELD/<id>.<what>, so that a
# later run can start it again if this run is killed.
#
# A stop costs the service time, so an upload that keeps failing gets only one. That item then waits for its schedule (WAITS=held):
# neither this run nor a catch-up stops anything for it again. Another item that would stop the same container waits as well
# (WAITS=spared), unless the failure concerned only the first item. The next scheduled run takes the spared item first.

# The label docker-node.backup.<name>. A container's own label wins over the volume's.
# shellcheck disable=SC2016 # jq's variables
OWNERS='def wish($name): (.Config.Labels // {})["docker-node.backup." + $name] // $labels["docker-node.backup." + $name] // "";
  def state: if .State.Paused then "paused" elif .State.Running then "running" else "stopped" end;
  .[] | [.Id, (.Name | ltrimstr("/")), state, (.HostConfig.AutoRemove | tostring), wish("consistency"), wish("pre"), wish("post")][]
  | . + "\u0000"'

# read_owners VOLUME: writes the fields of OWNERS for every container that uses the volume to SPOOL/owners, each field ended by NUL.
read_owners() {
  local ids found
  ids=$(docker_cli ps --all --quiet --no-trunc --filter "volume=$1") || error "docker does not answer" || return 1
  found='[]'
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $ids ]] || found=$(docker_cli container inspect $ids 2>/dev/null) || error "its containers have just changed" || return 1
  jq -j --argjson labels "$(of_volume '.Labels // {}')" "$OWNERS" >"$SPOOL/owners" <<<"$found"
}

# write_down ID WHAT [TEXT]
write_down() {
  mkdir -p "$HELD"
  printf '%s' "${3:-}" >"$HELD/$1.$2"
  sync "$HELD/$1.$2" "$HELD"
}

# Containers held for this item; containers held in this run for an upload that failed, and why it failed.
HELD_IDS=() IN_VAIN=() VAIN_ERROR=''

# hold VOLUME: sets CONSISTENCY (the strongest one used), OWNER_NAMES and HELD_IDS.
hold() {
  local fields
  CONSISTENCY=none OWNER_NAMES=() HELD_IDS=()
  read_owners "$1" || return 1
  mapfile -d '' -t fields <"$SPOOL/owners"
  each_owner check_owner "${fields[@]}" || return 1
  each_owner prepare_owner "${fields[@]}" || return 1
  each_owner hold_owner "${fields[@]}"
}

# each_owner FUNCTION FIELD...: calls the function with the seven fields of each container.
each_owner() {
  local function=$1
  shift
  while (($# >= 7)); do
    "$function" "${@:1:7}" || return 1
    shift 7
  done
}

check_owner() { # ID NAME STATE AUTO_REMOVE CONSISTENCY PRE POST
  OWNER_NAMES+=("$2")
  case $5 in
    '' | none | pause | stop) ;;
    *) error "docker-node.backup.consistency of $2 is \"$5\"; allowed: stop, pause, none" || return 1 ;;
  esac
  [[ $5 != stop || $4 != true || $3 != running ]] ||
    error "$2 would be removed when it stops (--rm); docker-node.backup.consistency can be pause" || return 1
  if [[ $3 == running && $5 =~ ^(stop|pause)$ && " ${IN_VAIN[*]-} " == *" $1 "* ]]; then
    WAITS=spared
    error "$2 is not held a second time for an upload that fails: $VAIN_ERROR"
  fi
}

# held_in_vain: this item must not hold a container again before its schedule.
held_in_vain() {
  if ((${#HELD_IDS[@]})); then WAITS=held RETRY=no; fi
}

# upload_in_vain: the same for other items, unless the failure concerns one group on the server only.
upload_in_vain() {
  if grep -qiE "older than last backup|owner check failed|could not be read|$LOCKED" <<<"$ERROR"; then return; fi
  IN_VAIN+=("${HELD_IDS[@]}") VAIN_ERROR=$ERROR
}

# Once the pre command has started, the post command has to run.
prepare_owner() {
  [[ $3 == running ]] || return 0
  [[ -z $7 ]] || write_down "$1" post "$7"
  [[ -z $6 ]] || run_hook "$2" "$1" pre "$6"
}

run_hook() { # NAME ID WHICH COMMAND
  local output
  output=$(timeout "${HOOK_TIMEOUT:-600}" docker --host unix:///var/run/docker.sock exec "$2" sh -c "$4" 2>&1) ||
    error "docker-node.backup.$3 failed in $1: $(tail -n 1 <<<"$output")"
}

hold_owner() {
  [[ $3 == running ]] || return 0
  case $5 in
    stop)
      write_down "$1" stop
      HELD_IDS+=("$1")
      docker_step stop "$1" || return 1
      CONSISTENCY=stop
      ;;
    pause)
      write_down "$1" pause
      HELD_IDS+=("$1")
      docker_step pause "$1" || return 1
      [[ $CONSISTENCY == stop ]] || CONSISTENCY=pause
      ;;
  esac
}

# release: starts again everything that is noted, also by an earlier run. ERROR says what could not be started.
release() {
  local what entry id result=0 before=$ERROR
  for what in stop pause post; do
    for entry in "$HELD"/*."$what"; do
      id=$(basename "$entry" ".$what")
      if let_go "$id" "$what" "$entry"; then rm -f "$entry"; else result=1; fi
      # A post command is not repeated: one that fails would fail again.
      [[ $what != post ]] || rm -f "$entry"
    done
  done
  unmount_volumes
  [[ -z $before ]] || ERROR=$before
  return "$result"
}

# let_go ID WHAT ENTRY
let_go() {
  local found state name
  found=$(docker_cli container inspect --format '{{.State.Status}} {{.Name}}' "$1" 2>&1) || {
    # A container that is gone needs nothing. If Docker does not answer, the next run asks again.
    [[ ${found,,} == *'no such container'* ]] || error "docker inspect: $(tail -n 1 <<<"$found")"
    return
  }
  read -r state name <<<"$found"
  case $2 in
    stop) [[ $state == running ]] || docker_step start "$1" || error "${name#/} is not started again: $ERROR" ;;
    pause) [[ $state != paused ]] || docker_step unpause "$1" || error "${name#/} is still paused: $ERROR" ;;
    post) run_hook "${name#/}" "$1" post "$(<"$3")" ;;
  esac
}
