# shellcheck shell=bash
# Shared by the scripts in this folder. The environment can move every path; the tests do.
# shellcheck disable=SC2034 # for other parts
set -euo pipefail
shopt -s inherit_errexit nullglob
umask 077
export LC_ALL=C.UTF-8
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY

STATE_DIR="${STATE_DIR:-/state}" VOLUMES_DIR="${VOLUMES_DIR:-/volumes}" HOST_DIR="${HOST_DIR:-/host}"
SECRETS_DIR="${SECRETS_DIR:-/etc/docker-node}"
STATUS="$STATE_DIR/status.json" SPOOL="$STATE_DIR/spool" HELD="$STATE_DIR/held"
# Why this item failed, in one line.
ERROR=''
# The process that a signal has to end first.
CHILD=''

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
log() { printf '%s docker-node: backup: %s\n' "$(now)" "$*" >&2; }

fail() {
  log "$1"
  exit "${2:-1}"
}

# error REASON: sets ERROR for the status and for the caller.
error() {
  ERROR=$1
  return 1
}

require() {
  local name
  for name in "$@"; do [[ -n ${!name:-} ]] || fail "$name is not set"; done
}

# docker_cli ARGUMENT...: uses the mounted socket, and gives up on a hung daemon after a while.
docker_cli() { timeout "${DOCKER_TIMEOUT:-120}" docker --host unix:///var/run/docker.sock "$@"; }

# docker_step ARGUMENT...: runs docker for its effect; its complaint becomes the item's error.
docker_step() {
  local output
  output=$(DOCKER_TIMEOUT=900 docker_cli "$@" 2>&1 >/dev/null) || error "docker $1: $(tail -n 1 <<<"$output")"
}

# guarded COMMAND...: runs a command that ends when this script is killed, so that no orphan keeps reading. A signal to this script
# takes effect at once, which bash does not do while it waits for a foreground command. Descriptor 9 is the lock of backup.sh.
guarded() {
  local result=0
  setpriv --pdeathsig KILL timeout "${ITEM_TIMEOUT:-21600}" setpriv --pdeathsig KILL "$@" 9>&- &
  CHILD=$!
  wait "$CHILD" || result=$?
  CHILD=''
  return "$result"
}

# kind_schedule KIND: its cron line, such as `30 2 * * *`.
kind_schedule() {
  local name="SCHEDULE_${1^^}"
  printf '%s' "${!name:?}"
}

# period KIND: seconds between two runs. A schedule is daily or weekly.
period() {
  local schedule
  schedule=$(kind_schedule "$1")
  if [[ ${schedule##* } == '*' ]]; then echo 86400; else echo 604800; fi
}

# How docker says that an object is not there, a line each.
NO_OBJECT='no such (object|container|image|volume|network)|network [^ ]+ not found'

# inspect TYPE NAME...: an array of all, empty for none. An object that vanished since it was listed is left out. Each other one has
# to be there: a Docker that hangs or fails gives nothing, and nothing must not pass for a list.
inspect() {
  local type=$1 log="$SPOOL/inspect.log" found gone
  shift
  found='[]'
  : >"$log"
  (($# == 0)) || found=$(docker_cli inspect --type "$type" "$@" 2>"$log") || true
  gone=$(grep -ciE "$NO_OBJECT" "$log" || true)
  # shellcheck disable=SC2016 # jq's variables
  jq -es --argjson wanted $(($# - gone)) 'length == 1 and (.[0] | length) == $wanted' <<<"$found" >/dev/null 2>&1 ||
    error "docker inspect --type $type is incomplete: $(grep -viE "$NO_OBJECT" "$log" | tail -n 1 || echo "no answer")" || return 1
  printf '%s\n' "$found"
}

# take_digest DIRECTORY: sets DIGEST. Fails if a file could not be read, for example because it was removed meanwhile. The archive
# lacks what .pxarexclude names, so with such a file there is no digest to compare; EXCLUDES is the first one's path below.
take_digest() {
  DIGEST=''
  EXCLUDES=$(find "$1" -name .pxarexclude -printf '%P\n' -quit 2>/dev/null || true)
  if [[ -n $EXCLUDES ]]; then return 0; fi
  guarded bash -c "set -uo pipefail; $(declare -f tree_digest); tree_digest \"\$1\"" digest "$1" >"$SPOOL/digest" 2>/dev/null ||
    return 1
  DIGEST=$(<"$SPOOL/digest")
}

# empty_spool NAME: makes a fresh directory SPOOL/NAME. A .pxarexclude keeps it out of backups, in case a volume holds the spool.
empty_spool() {
  mkdir -p "$SPOOL"
  printf '*\n' >"$SPOOL/.pxarexclude"
  rm -rf "${SPOOL:?}/$1"
  mkdir "$SPOOL/$1"
}
