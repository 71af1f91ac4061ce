# shellcheck shell=bash
# Starts the new container of a workload in place of the earlier one. Both exist: the provider has made the new one without starting
# it, and removes the earlier one at the end of the update. If the new one does not become ready, the script starts the earlier one
# again and fails; the new one stays, stopped, for `docker logs`. A new one that would keep data in a volume that nobody declared is
# refused before that: pulumi removes such a volume together with the container.
# WORKLOAD         name of the workload, which its containers carry as label docker-node.workload
# CONTAINER        id of the new container
# RESTART          restart policy of the new container
# READY_SECONDS    seconds it has to become ready: healthy or, without a health check, running at ten looks in a row
# SECRETS_WRITTEN  when its secrets last changed, in seconds since 1970; a container that started earlier is restarted
# Result: {"container":"<id>","state":"healthy"}
# With MODE=check it reports a container that does not run, another restart policy, and others that run beside it. A container that
# is gone is reported by container-limits.
SCRIPT=workload
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=workload/volumes.sh
declare -F refuse_undeclared >/dev/null || . "${BASH_SOURCE[0]%/*}/workload/volumes.sh"

# A container may take five minutes to stop.
DOCKER_TIMEOUT=330
readonly LOOKS_NEEDED=10
STATE='' LATE='' REASON='' DETAIL='' LOOKS=0

# Running containers of the workload except the new one.
others() {
  docker_cli ps --quiet --no-trunc --filter "label=docker-node.workload=$WORKLOAD" | { grep -vxF "$CONTAINER" || true; }
}

# healthy, starting or unhealthy; without a health check running, restarting, exited, ...
read_state() {
  STATE=$(inspect '{{if and .State.Running .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$CONTAINER")
}

# Whether the wait is over: the container is ready, or will not become so.
decided() {
  read_state
  case $STATE in
    healthy | unhealthy | exited | dead) return 0 ;;
    running | none) LOOKS=$((LOOKS + 1)) ;;
    *) LOOKS=0 ;;
  esac
  ((LOOKS >= LOOKS_NEEDED))
}

is_ready() {
  LOOKS=0 LATE=''
  wait_for "$READY_SECONDS" decided || LATE=" after $READY_SECONDS s"
  [[ -z $LATE && $STATE =~ ^(healthy|running|none)$ ]]
}

# The container's state, and the output of its last health check.
describe() {
  inspect 'state {{.State.Status}}, exit status {{.State.ExitCode}}, restarts {{.RestartCount}}{{if .State.OOMKilled}}, out of memory{{end}}' "$CONTAINER"
  inspect '{{if .State.Health}}{{range .State.Health.Log}}{{println .Output}}{{end}}{{end}}' "$CONTAINER" | sed '/^[[:space:]]*$/d' | tail -n 1 | cut -c 1-200
}

# Stops containers for good: docker does not start them again.
retire() {
  local each
  for each in "$@"; do
    docker_cli update --restart no "$each" >/dev/null
    docker_cli stop "$each" >/dev/null
  done
}

# start_new sets REASON if the container does not become ready.
start_new() {
  local said
  if ! said=$({ docker_cli update --restart "$RESTART" "$CONTAINER" >/dev/null && docker_cli start "$CONTAINER"; } 2>&1); then
    REASON="it does not start" DETAIL=$said
    return 1
  fi
  is_ready && return 0
  REASON="it is $STATE$LATE" DETAIL=$(describe)
  return 1
}

go_back() { # PREVIOUS...
  local then="docker logs $CONTAINER says more"
  retire "$CONTAINER" || log "container $CONTAINER does not stop"
  (($# > 0)) || fail "$WORKLOAD: $REASON; there is no earlier container; $then" "$DETAIL"
  docker_cli start "$@" >/dev/null || fail "$WORKLOAD: $REASON; and the earlier container does not start; $then" "$DETAIL"
  fail "$WORKLOAD: $REASON; the earlier container runs again; $then" "$DETAIL"
}

has_run() { [[ $(inspect '{{.State.StartedAt}}' "$CONTAINER") != 0001-* ]]; }

swap() { # PREVIOUS...
  if (($# > 0)) || ! has_run; then refuse_undeclared "$@"; fi
  (($# == 0)) || docker_cli stop "$@" >/dev/null
  start_new || go_back "$@"
  retire "$@"
}

runs() { [[ $(inspect '{{.State.Running}}' "$CONTAINER") == true ]]; }

# A container reads changed secrets when it starts. The earlier secrets are gone, so there is no way back.
has_old_secrets() {
  local started
  started=$(date -d "$(inspect '{{.State.StartedAt}}' "$CONTAINER")" +%s)
  ((started < SECRETS_WRITTEN))
}

policy() {
  inspect '{{with .HostConfig.RestartPolicy}}{{.Name}}{{if .MaximumRetryCount}}:{{.MaximumRetryCount}}{{end}}{{end}}' "$CONTAINER"
}

go_on() {
  [[ $(policy) == "$RESTART" ]] || docker_cli update --restart "$RESTART" "$CONTAINER" >/dev/null
  if has_old_secrets; then docker_cli restart "$CONTAINER" >/dev/null; fi
  is_ready || fail "$WORKLOAD: it is $STATE$LATE; docker logs $CONTAINER says more" "$(describe)"
}

tell_differences() {
  local found there each file="workload $WORKLOAD"
  there=$(docker_cli ps --all --quiet --filter "id=$CONTAINER")
  [[ -n $there ]] || return 0
  if ! runs; then
    differs "$file" state "$(inspect '{{.State.Status}}' "$CONTAINER")" running
  elif has_old_secrets; then
    differs "$file" start 'before its files changed' 'after that'
  fi
  found=$(policy)
  [[ $found == "$RESTART" ]] || differs "$file" restart "$found" "$RESTART"
  for each in $(others); do differs "$file" "container ${each:0:12}" running ''; done
}

main() {
  local previous
  begin_change
  require WORKLOAD CONTAINER RESTART READY_SECONDS SECRETS_WRITTEN
  if checking; then
    tell_differences
    return
  fi
  inspect '{{.Id}}' "$CONTAINER" >/dev/null || fail "container $CONTAINER is gone; pulumi up --refresh makes another one"
  mapfile -t previous < <(others)
  if runs && ((${#previous[@]} == 0)); then go_on; else swap "${previous[@]}"; fi
  json_object "container=$CONTAINER" "state=$STATE"
}

main "$@" </dev/null
