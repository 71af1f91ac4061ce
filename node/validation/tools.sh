# shellcheck shell=bash
# Containers that measure, for the scripts of this folder. They run the node's own programs: their image is made on the spot and
# holds nothing but links into /usr, where the node's /usr is mounted. So nothing is downloaded and nothing installed. Everything
# they make has a label with the script's name, by which it is removed again, also after a killed run.
LABEL=docker-node.validate

# ours: what this script has on the node, one per line.
ours() {
  local owned="label=$LABEL=$SCRIPT"
  docker_cli ps --all --filter "$owned" --format 'container {{.ID}}' &&
    docker_cli volume ls --filter "$owned" --format 'volume {{.Name}}' &&
    docker_cli network ls --filter "$owned" --format 'network {{.ID}}' &&
    docker_cli image ls --all --filter "$owned" --format 'image {{.ID}}'
}

remove_ours() {
  local kind id
  while read -r kind id; do
    case $kind in
      container) docker_cli rm --force --volumes "$id" ;;
      volume) docker_cli volume rm --force "$id" ;;
      network) docker_cli network rm "$id" ;;
      image) docker_cli image rm --force "$id" ;;
    esac >/dev/null 2>&1 || true
  done < <(ours)
}

none_left() {
  local left
  left=$(ours) && [[ -z $left ]]
}

# A container with --rm may be about to disappear by itself.
clean() {
  remove_ours
  none_left && return 0
  sleep "${POLL_SECONDS:-1}"
  remove_ours
  none_left
}

# begin_measuring: allows one run at a time, within its limit, on a node without leftovers. What the run makes is removed when it
# ends.
begin_measuring() {
  IMAGE=docker-node-validate:$SCRIPT
  begin_change
  docker_cli info >/dev/null || fail "Docker does not answer"
  clean || fail "an earlier run left over what cannot be removed" "$(ours)"
  trap 'clean || log "left over: $(ours)"' EXIT
  make_image
}

# end_measuring RESULT: prints no result if something is left over.
end_measuring() {
  trap - EXIT
  clean || fail "left over" "$(ours)"
  printf '%s\n' "$1"
}

make_image() {
  python3 -c '
import os, sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "usr", "tmp", "data"):
        entry = tarfile.TarInfo(name)
        if os.path.islink("/" + name):
            entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink("/" + name)
        else:
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)' |
    docker_cli import --change "LABEL $LABEL=$SCRIPT" - "$IMAGE" >/dev/null || fail "no image could be made"
}

# tool_container OPTION... -- COMMAND...: confined like every container of this node. `timeout` ends it even if this script is gone.
tool_container() {
  local options=()
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  DOCKER_TIMEOUT=$LIMIT docker_cli run --rm --pull never --label "$LABEL=$SCRIPT" --volume /usr:/usr:ro "${options[@]}" "$IMAGE" \
    /usr/bin/timeout "$LIMIT" "$@"
}
