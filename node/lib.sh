# shellcheck shell=bash
# Shared by the scripts in this folder. On a node it arrives on the standard input of `sudo -n bash -s`, between the `NAME='value'`
# lines and the script. By hand, a script sources it. ROOT_DIR is empty on a node and moves every path in the tests.
set -euo pipefail
shopt -s inherit_errexit
umask 022
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
# Scripts talk to the daemon of this machine, whatever the caller's environment says.
unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
ROOT_DIR="${ROOT_DIR:-}"

log() { printf 'docker-node: %s: %s\n' "${SCRIPT:-lib}" "$*" >&2; }

# fail REASON [DETAIL]: prints one line that can be found in a log, then the details.
fail() {
  log "$1"
  [[ -z "${2:-}" ]] || printf '%s\n' "$2" >&2
  exit 1
}

# require NAME...: fails unless these variables are set.
require() {
  local name
  for name in "$@"; do [[ -n ${!name:-} ]] || fail "$name is not set"; done
}

# How long a run may take, and how long it may wait for another run, in seconds. The graph sets both from the limits of its steps.
LIMIT="${LIMIT:-1800}" LOCK_TIMEOUT="${LOCK_TIMEOUT:-1800}"

# begin_change: a script that changes anything calls this first. With MODE=check a script only reports differences (check.sh).
MODE="${MODE:-apply}"
checking() { [[ $MODE == check ]]; }
begin_change() {
  ! checking || return 0
  hold_node
  limit_run
}

# One run at a time on a node. A run may go on after its connection, or whoever started it, is gone. The kernel releases the lock
# with the run's last process, however that ends.
hold_node() {
  local lock="$ROOT_DIR/run/docker-node/lock"
  (umask 077 && mkdir -p "${lock%/*}")
  exec {NODE_LOCK}<>"$lock"
  if ! flock --nonblock "$NODE_LOCK"; then
    log "waiting, for at most $LOCK_TIMEOUT s, until another run on this node is over: $(<"$lock")"
    flock --timeout "$LOCK_TIMEOUT" "$NODE_LOCK" ||
      fail "another run on this node was not over after $LOCK_TIMEOUT s: $(<"$lock")"
  fi
  TZ=UTC printf '%s, process %s, since %(%FT%TZ)T\n' "$SCRIPT" $$ -1 >"$lock"
}

# At its limit a run is ended together with everything it has started. Nobody else would do so: when the connection is gone, sshd
# leaves a process without a terminal running, and so does the command plugin at its own limit. The watcher notices the run's end by
# a pipe that nobody writes to.
limit_run() {
  SECONDS=0
  trap 'fail "ended before it was done"' TERM
  # shellcheck disable=SC2034 # open is all it has to be
  exec {RUN_LIVES}> >(end_at_limit $$ >/dev/null)
}

end_at_limit() { # PID
  local self=$BASHPID status=0 pids names
  [[ -z ${NODE_LOCK:-} ]] || exec {NODE_LOCK}<&-
  read -r -t "$LIMIT" || status=$?
  # Above 128 the time is over, not the run. If the parent is gone, its number may belong to a process that must not be ended.
  [[ $status -gt 128 && $(parent_of "$self") == "$1" ]] || return 0
  pids=$(descendants "$1" "$self")
  names=$(for pid in $pids; do cat "/proc/$pid/comm" 2>/dev/null || true; done)
  log "its limit of $LIMIT s is over; still running: ${names//$'\n'/ }"
  # shellcheck disable=SC2086 # a list of numbers
  kill -TERM "$1" $pids 2>/dev/null || true
  status=0
  read -r -t 20 || status=$?
  ((status > 128)) || return 0
  # shellcheck disable=SC2046 # a list of numbers
  [[ $(parent_of "$self") != "$1" ]] || kill -KILL $(descendants "$1" "$self") "$1" 2>/dev/null || true
}

parent_of() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status"; }

# descendants PID EXCEPT: the process's children and all of theirs.
descendants() {
  local child
  for child in $(cat "/proc/$1/task/"*/children 2>/dev/null || true); do
    [[ $child != "$2" ]] || continue
    printf '%s\n' "$child"
    descendants "$child" "$2"
  done
}

# time_is_left: whether to keep waiting for others. The last tenth is kept for reporting that the wait was in vain.
time_is_left() { ((SECONDS < LIMIT * 9 / 10)); }

# wait_for SECONDS COMMAND...
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep "${POLL_SECONDS:-1}"
  done
}

# write_if_changed PATH MODE [UID:GID] <<<TEXT sets CHANGED to yes or no. Do not call it at the end of a pipe: CHANGED would be lost
# in a subshell. A reader sees the old file or the new one, also after a power cut: the text is written beside it, synced and
# renamed, and the directory is synced. Without UID:GID a new file is root's, and whose an old one is does not count.
write_if_changed() {
  local path=$1 mode=$2 owner=${3:-} text temporary="${1%/*}/.${1##*/}.new"
  text=$(cat && printf .)
  text=${text%.}
  # shellcheck disable=SC2034 # the caller's
  CHANGED=no
  if [[ -f $path && ! -L $path && $(stat -c '%a %u:%g' "$path") == "${mode#0} "${owner:-*} ]] && cmp -s "$path" <(printf %s "$text"); then
    return 0
  fi
  if checking; then file_differs "$path" "$mode" "$text" "$owner" && return 0; fi
  mkdir -p "${path%/*}"
  (umask 077 && printf %s "$text" >"$temporary")
  [[ -z $owner ]] || chown "$owner" "$temporary"
  chmod "$mode" "$temporary"
  sync "$temporary"
  mv -fT "$temporary" "$path"
  sync "${path%/*}"
  # shellcheck disable=SC2034
  CHANGED=yes
}

# json_object key=text key:=json ... prints one line, keys in this order. Every cloud image has python3 for cloud-init, but no jq.
json_object() {
  python3 -c '
import json, sys
def pair(argument):
    key, value = argument.split("=", 1)
    return (key[:-1], json.loads(value)) if key.endswith(":") else (key, value)
print(json.dumps(dict(map(pair, sys.argv[1:])), separators=(",", ":")))' "$@"
}

# docker_cli ARGUMENT...: uses the local socket, and gives up on a hung daemon after a while.
docker_cli() { timeout "${DOCKER_TIMEOUT:-60}" docker --host unix:///var/run/docker.sock "$@"; }

# count PATTERN: how many existing paths match.
count() { { compgen -G "$1" || true; } | wc -l; }
count_snapshots() { count "$ROOT_DIR/var/lib/containerd/io.containerd.snapshotter.v1.*/snapshots/*"; }

# docker_inventory ROOT... (patterns) prints "N containers, N images, N volumes", or nothing if Docker holds nothing. It reads the
# disk, so it also works when the daemon is down. The containerd image store lies outside every root; its snapshots count as images,
# though they are layers. (Its blobs cannot be counted: a node with overlay2 keeps manifests there.)
docker_inventory() {
  local root containers=0 images volumes=0
  images=$(count_snapshots)
  for root in "${@/#/$ROOT_DIR}"; do
    containers=$((containers + $(count "$root/containers/*")))
    images=$((images + $(count "$root/image/*/imagedb/content/sha256/*")))
    volumes=$((volumes + $(count "$root/volumes/*/_data")))
  done
  ((containers + images + volumes == 0)) ||
    printf '%s containers, %s images, %s volumes' "$containers" "$images" "$volumes"
}
