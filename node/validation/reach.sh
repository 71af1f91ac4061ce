# shellcheck shell=bash
# Lists what this node answers on: open ports, and the Portainer agent. Also says whether an update waits for a reboot.
# AGENT_URL  where the agent has to answer (default: there is no agent)
# Result: {"listening":[{"address":"0.0.0.0","port":22}],"agent":204,"reboot":null}; agent: null if there is none, 0 if it does
# not answer; reboot: the packages that need one
SCRIPT=reach
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

# `[fe80::1%eth0]:22`, `*:22`: the port is after the last colon.
listening() {
  ss -Hltn | python3 -c '
import json, sys
local = (line.split()[3].rpartition(":") for line in sys.stdin if line.strip())
print(json.dumps([{"address": address.split("%")[0].strip("[]"), "port": int(port)} for address, _, port in local]))'
}

# The agent signs its own certificate, hence --insecure.
agent() {
  [[ -n ${AGENT_URL:-} ]] || { printf null && return; }
  printf %d "$(curl --silent --insecure --max-time 20 --output /dev/null --write-out '%{http_code}' "$AGENT_URL/ping" | sed 's/^0*//' || true)"
}

# The file is left by the tool that installs a package which needs a reboot (unattended-upgrades, update-notifier).
reboot() {
  local file="$ROOT_DIR/run/reboot-required"
  [[ -e $file ]] || { printf null && return; }
  { sort -u "$file.pkgs" 2>/dev/null || true; } | python3 -ISc 'import json, sys; print(json.dumps(sys.stdin.read().split()))'
}

main() {
  local ports
  limit_run
  ports=$(listening) || fail "ss does not say what listens"
  json_object "listening:=$ports" "agent:=$(agent)" "reboot:=$(reboot)"
}

main "$@" </dev/null
