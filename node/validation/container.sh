# shellcheck shell=bash
# Runs a test container, to see whether it starts and ends, and how it is confined.
# Result: {"milliseconds":1200,"uid":165536,"noNewPrivileges":true,"seccomp":true,"apparmor":"docker-default (enforce)"}
SCRIPT=container
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=tools.sh
declare -F tool_container >/dev/null || . "${BASH_SOURCE[0]%/*}/tools.sh"

LOOK='
import json
status = dict(line.split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)
def confinement():
    try:
        return open("/proc/self/attr/current").read().strip("\0\n")
    except OSError:
        return ""
print(json.dumps({
    "uid": int(open("/proc/self/uid_map").read().split()[1]),
    "noNewPrivileges": status["NoNewPrivs"].strip() == "1",
    "seccomp": status["Seccomp"].strip() == "2",
    "apparmor": confinement(),
}))'

main() {
  local began found
  begin_measuring
  began=${EPOCHREALTIME//[!0-9]/}
  found=$(tool_container --network none -- /usr/bin/python3 -ISc "$LOOK") || fail "a test container does not run"
  end_measuring "{\"milliseconds\":$(((${EPOCHREALTIME//[!0-9]/} - began) / 1000)),${found#\{}"
}

main "$@" </dev/null
