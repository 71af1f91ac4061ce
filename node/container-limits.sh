# shellcheck shell=bash
# Limits how many processes and threads a container may have. Docker's provider has no field for it, and dockerd has no default
# (moby#43056). docker keeps the limit with the container, also when either restarts and when other limits change.
# CONTAINER  id of the container
# PROCESSES  processes it may have at once
# A container outside the user namespace is sealed as well, see container-seal.sh.
# Result: {"processes":1024}
# With MODE=check it also reports a container that is gone, on behalf of all scripts that work on one.
SCRIPT=container-limits
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=container-seal.sh
declare -F verify_image >/dev/null || . "${BASH_SOURCE[0]%/*}/container-seal.sh"

limited_to() { docker_cli inspect --type container --format '{{.HostConfig.PidsLimit}}' "$CONTAINER"; }

tell_differences() {
  local found there
  # A filter, because `docker inspect` also fails when Docker is down.
  there=$(docker_cli ps --all --quiet --filter "id=$CONTAINER")
  if [[ -z $there ]]; then
    differs "container ${CONTAINER:0:12}" '' '' present 'until pulumi up --refresh makes another one'
    return
  fi
  found=$(limited_to)
  [[ $found == "$PROCESSES" ]] || differs "container ${CONTAINER:0:12}" processes "$found" "$PROCESSES"
  if is_outside; then container_layers | seal_layers; fi
}

# The image has been compared before (image-seal.sh), unless it was pulled again in between. Then the container has run already, with
# Docker's socket, so it is stopped.
seal_container() {
  local image differing
  image=$(docker_cli inspect --type container --format '{{.Image}}' "$CONTAINER")
  differing=$(verify_container "$image")
  [[ -n $differing ]] || return 0
  docker_cli update --restart no "$CONTAINER" >/dev/null
  docker_cli stop "$CONTAINER" >/dev/null
  tell_spoilt "$image" "container $CONTAINER is stopped; remove both" "$differing"
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
    # If the kernel lacks the controller, docker drops the limit with a warning and status 0.
    found=$(limited_to)
  fi
  [[ $found == "$PROCESSES" ]] || fail "container $CONTAINER has a limit of $found processes, not of $PROCESSES"
  if is_outside; then seal_container; fi
  json_object "processes:=$PROCESSES"
}

main "$@" </dev/null
