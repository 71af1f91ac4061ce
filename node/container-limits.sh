# shellcheck shell=bash
# Limits the processes of a container, threads among them. Docker's provider has no word for it, and dockerd no default (moby#43056).
# docker keeps the limit with the container, through restarts of both and through an update of its other limits.
# CONTAINER  id of the container
# PROCESSES  processes it may have at once
# One outside the user namespace is sealed as well: container-seal.sh.
# Result: {"processes":1024}
# With MODE=check it tells also of a container that is gone, for all that run one.
SCRIPT=container-limits
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=container-seal.sh
declare -F seal_container >/dev/null || . "${BASH_SOURCE[0]%/*}/container-seal.sh"

limited_to() { docker_cli inspect --type container --format '{{.HostConfig.PidsLimit}}' "$CONTAINER"; }

tell_differences() {
  local found there
  # A filter, because an inspection fails for a docker that is down, too.
  there=$(docker_cli ps --all --quiet --filter "id=$CONTAINER")
  if [[ -z $there ]]; then
    differs "container ${CONTAINER:0:12}" '' '' present 'until pulumi up --refresh makes another one'
    return
  fi
  found=$(limited_to)
  [[ $found == "$PROCESSES" ]] || differs "container ${CONTAINER:0:12}" processes "$found" "$PROCESSES"
  if is_outside; then seal_layers; fi
}

main() {
  local found
  begin_change
  require CONTAINER PROCESSES
  if checking; then
    tell_differences
    return
  fi
  found=$(limited_to)
  if [[ $found != "$PROCESSES" ]]; then
    docker_cli update --pids-limit "$PROCESSES" "$CONTAINER" >/dev/null
    # A kernel without the controller makes docker drop the limit, with a warning and status 0.
    found=$(limited_to)
  fi
  [[ $found == "$PROCESSES" ]] || fail "container $CONTAINER has a limit of $found processes, not of $PROCESSES"
  if is_outside; then seal_container; fi
  json_object "processes:=$PROCESSES"
}

main "$@" </dev/null
