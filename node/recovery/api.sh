# shellcheck shell=bash
# Sends one request to the Docker API. The body goes through standard input, because it may hold secrets.
# METHOD        GET, POST or DELETE
# REQUEST_PATH  such as /containers/create?name=web
# BODY          JSON (default none)
# Result: the answer's body
SCRIPT=api
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

SOCKET="${SOCKET:-/var/run/docker.sock}"

main() {
  local answer
  if [[ ${METHOD:-} == GET ]]; then limit_run; else begin_change; fi
  require METHOD REQUEST_PATH
  answer=$(curl --silent --show-error --fail-with-body --max-time 120 --unix-socket "$SOCKET" --request "$METHOD" \
    --header 'Content-Type: application/json' --data-binary @- "http://docker$REQUEST_PATH" <<<"${BODY:-}" 2>&1) ||
    fail "$METHOD $REQUEST_PATH" "$answer"
  printf '%s\n' "$answer"
}

main "$@" </dev/null
