# shellcheck shell=bash
# Checks whether the primary node answers from here. It only reports: a primary that is down must not stop this deployment.
# PRIMARY_ADDRESS  IPv4 address of the primary
# PRIMARY_PORT     TCP port it has to accept a connection on
# TRIES            number of attempts, a second apart (default 5)
# CONNECT_TIMEOUT  seconds each attempt may take (default 5)
# Result: {"reachable":true,"checkedAt":"2026-01-31T12:00:00Z"}
SCRIPT=reachability
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

TRIES="${TRIES:-5}" CONNECT_TIMEOUT="${CONNECT_TIMEOUT:-5}"

# The address is an argument of the inner shell, never part of its code.
# shellcheck disable=SC2016 # the inner shell's
accepts() { timeout "$CONNECT_TIMEOUT" bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$PRIMARY_ADDRESS" "$PRIMARY_PORT" 2>/dev/null; }

reachable() {
  local try
  for ((try = 1; try <= TRIES; try++)); do
    if accepts; then return 0; fi
    ((try == TRIES)) || sleep "${POLL_SECONDS:-1}"
  done
  return 1
}

main() {
  local answer=true
  limit_run
  require PRIMARY_ADDRESS PRIMARY_PORT
  if ! reachable; then
    answer=false
    log "the primary does not accept connections: $PRIMARY_ADDRESS port $PRIMARY_PORT"
  fi
  json_object "reachable:=$answer" "checkedAt=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}

main "$@" </dev/null
