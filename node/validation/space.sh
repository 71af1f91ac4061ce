# shellcheck shell=bash
# Says how full the file system is that Docker's data is on, and what of it Docker uses.
# Result: {"percent":41,"inodes":3,"kinds":["Images 1.2GB, 0B (0%) reclaimable"]}; inodes: null where the file system has no fixed
# number of them
SCRIPT=space
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

kinds() {
  docker_cli system df --format '{{.Type}} {{.Size}}, {{.Reclaimable}} reclaimable' |
    python3 -ISc 'import json, sys; print(json.dumps(sys.stdin.read().splitlines()))'
}

main() {
  local root percent inodes found
  limit_run
  root=$(docker_cli info --format '{{.DockerRootDir}}') || fail "Docker does not answer"
  found=$(kinds) || fail "Docker does not say what it uses"
  read -r percent inodes < <(df --output=pcent,ipcent -- "$ROOT_DIR$root" | tail -n 1 | tr -d %)
  [[ $inodes =~ ^[0-9]+$ ]] || inodes=null
  json_object "percent:=$percent" "inodes:=$inodes" "kinds:=$found"
}

main "$@" </dev/null
