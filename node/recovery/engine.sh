# shellcheck shell=bash
# Whether the engine answers.
# Result: the version of the engine
SCRIPT=engine
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

main() {
  docker_cli version --format '{{.Server.Version}}' 2>/dev/null || fail "the engine does not answer"
}

main "$@" </dev/null
