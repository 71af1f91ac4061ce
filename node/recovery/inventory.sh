# shellcheck shell=bash
# Lists what this node's Docker holds, and what its backup container reports about its last runs.
# STATE_DIR  where the backup container keeps its status (default /var/lib/docker-node/backup)
# Result: {"root":"...","disk":{"free":bytes,"type":"xfs"} or null,"containers":[...],"volumes":[...],"images":[...],"networks":[...],
#   "status":{...} or null}
SCRIPT=inventory
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

STATE_DIR="${STATE_DIR:-/var/lib/docker-node/backup}"

# inspect TYPE NAME...: an array of all, empty for none. An object that vanished since it was listed is left out.
inspect() {
  local type=$1
  shift
  if (($# == 0)); then printf '[]'; else docker_cli inspect --type "$type" "$@" 2>/dev/null || true; fi
}

# The status file is replaced by renaming, so it is always whole. Another file in its place must still not break this script.
status() {
  local file="$ROOT_DIR$STATE_DIR/status.json"
  python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1])), sys.stdout)' "$file" 2>/dev/null || printf null
}

# disk ROOT: bytes free for volumes, without those that are kept for root, and the file system's type.
disk() {
  local free type
  { read -r _ && read -r free type; } < <(df --block-size=1 --output=avail,fstype "$ROOT_DIR$1/volumes" 2>/dev/null) || true
  if [[ -n ${type:-} ]]; then printf '{"free":%s,"type":"%s"}' "$free" "$type"; else printf null; fi
}

main() {
  local root containers volumes images networks
  limit_run
  root=$(docker_cli info --format '{{.DockerRootDir}}') || fail "Docker does not answer"
  containers=$(docker_cli ps --all --quiet --no-trunc)
  volumes=$(docker_cli volume ls --quiet)
  images=$(docker_cli image ls --all --quiet --no-trunc | sort -u)
  networks=$(docker_cli network ls --quiet --no-trunc)
  # Uses the shell's own printf: an argument of a program may have at most 128 KiB (execve(2)).
  # shellcheck disable=SC2086 # lists of ids and of names, which hold no space
  printf '{"root":"%s","disk":%s,"containers":%s,"volumes":%s,"images":%s,"networks":%s,"status":%s}\n' "$root" "$(disk "$root")" \
    "$(inspect container $containers)" "$(inspect volume $volumes)" "$(inspect image $images)" \
    "$(inspect network $networks)" "$(status)"
}

main "$@" </dev/null
