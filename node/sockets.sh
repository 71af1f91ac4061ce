# shellcheck shell=bash
# A change of packages makes Docker's socket anew. A container that mounts it keeps the earlier one, at which nobody answers, until it
# is started again (moby#31403, moby#22789). Goes between check.sh and install.sh.
# SOCKET_USERS  names of the program's containers that mount it

# Names of the running containers whose socket is gone.
cut_off() {
  local ids pid name
  ids=$(docker_cli ps --quiet 2>/dev/null) || return 0
  [[ -n $ids ]] || return 0
  # shellcheck disable=SC2086 # a list of ids
  docker_cli inspect --format '{{.State.Pid}} {{.Name}}' $ids | while read -r pid name; do
    if grep -qs ' /docker\.sock//deleted ' "$ROOT_DIR/proc/$pid/mountinfo"; then echo "${name#/}"; fi
  done
}

# The backup container may take two minutes to end.
start_again() { DOCKER_TIMEOUT=180 docker_cli restart "$1" >/dev/null; }

reconnect() {
  local name names others=''
  names=$(cut_off)
  for name in $names; do
    if [[ " $SOCKET_USERS " == *" $name "* ]]; then
      put_right "container $name" socket 'of an earlier Docker' 'of this one' start_again "$name"
    else
      others+=" $name"
    fi
  done
  checking || [[ -z $others ]] || log "these have an earlier socket of Docker until you start them again:$others"
}
