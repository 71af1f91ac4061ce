#!/usr/bin/env bash
# Fails when an item's last run failed, when its last good run is older than its schedule allows, or when a container is still
# stopped for a backup that is over. Its output is shown by `docker inspect docker_node_backup`.
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
for part in lib status; do
  # shellcheck source=/dev/null
  . "$HERE/$part.sh"
done

# How many seconds a run may be late.
GRACE="${GRACE:-10800}"

late() {
  # shellcheck disable=SC2016 # jq's variables
  current | jq -r --argjson grace "$GRACE" --argjson volumes "$(period volumes)" --argjson configuration "$(period configuration)" \
    --argjson images "$(period images)" '{$volumes, $configuration, $images} as $periods
    | ({configuration: {kind: "configuration"}, images: {kind: "images"}} + .items) | to_entries[] | .value as $i
    | if $i.result == "failed" then "\(.key): \($i.error)"
      elif $i.lastGood == null then "\(.key): never backed up"
      elif now - ($i.lastGood | fromdate) > $periods[$i.kind] + $grace then "\(.key): last good \($i.lastGood)"
      else empty end'
}

# A run in progress holds the lock.
forgotten() {
  local left=("$HELD"/*)
  ((${#left[@]} == 0)) || ! flock -n "$STATE_DIR/lock" true || printf 'still held: %s\n' "${left[@]##*/}"
}

main() {
  local problems
  problems=$(late && forgotten)
  [[ -z $problems ]] || { printf '%s\n' "$problems" && exit 1; }
}

main </dev/null
