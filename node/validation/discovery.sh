# shellcheck shell=bash
# Prints the address that a container of this node gets for a name.
# HOST_NAME  such as proj-docker01.example.org
# Result: {"address":"10.25.20.23"}, or null when there is no such name
SCRIPT=discovery
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=tools.sh
declare -F tool_container >/dev/null || . "${BASH_SOURCE[0]%/*}/tools.sh"

LOOK_UP='
import json, socket, sys
try:
    print(json.dumps({"address": socket.gethostbyname(sys.argv[1])}))
except OSError:
    print(json.dumps({"address": None}))'

main() {
  local found
  require HOST_NAME
  begin_measuring
  found=$(tool_container -- /usr/bin/python3 -ISc "$LOOK_UP" "$HOST_NAME") || fail "a test container does not run"
  end_measuring "$found"
}

main "$@" </dev/null
