# shellcheck shell=bash
# Checks whether Docker answers.
# Result: its version
SCRIPT=docker
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

main() {
  limit_run
  docker_cli version --format '{{.Server.Version}}' 2>/dev/null || fail "Docker does not answer"
}

main "$@" </dev/null
