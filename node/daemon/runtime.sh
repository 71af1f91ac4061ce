# shellcheck shell=bash
# The runtime of containers outside the user namespace (runtime/start.sh), to which daemon.json refers. Goes between check.sh and
# daemon.sh. RUNTIME is its text, empty if there is none.

readonly RUNTIME_FILE="$ROOT_DIR/usr/local/lib/docker-node/runtime"

# Before dockerd is told of it.
place_runtime() {
  [[ -n $RUNTIME ]] || return 0
  if checking; then
    digest_differs "$RUNTIME_FILE" 0700 "$(sha256_of <<<"$RUNTIME")"
  else
    write_if_changed "$RUNTIME_FILE" 0700 <<<"$RUNTIME"
  fi
}

# When dockerd does not know it any more.
take_away_runtime() {
  [[ -n $RUNTIME || ! -e $RUNTIME_FILE ]] || put_right "$RUNTIME_FILE" '' present absent rm "$RUNTIME_FILE"
}
