# shellcheck shell=bash
# Reports how daemon.json, and dockerd, differ from what was declared. Goes between service.sh and daemon.sh.

report_differences() {
  local rows
  config normal <(printf %s "$DAEMON_JSON") >/dev/null 2>&1 || fail "DAEMON_JSON is not a JSON object"
  if ! config normal "$CURRENT" >/dev/null 2>&1; then
    differs "$CURRENT" "" "not JSON" JSON "until it is mended or removed"
    return
  fi
  if [[ -e $APPLYING ]]; then differs "$APPLYING" "" present absent; fi
  place_runtime
  take_away_runtime
  forwarding
  await_metrics_address
  rows=$(config differences "$CURRENT" <(printf %s "$DAEMON_JSON"))
  rows_differ "$CURRENT" <<<"$rows"
  if comes_up $((HEALTH_TIMEOUT < 60 ? HEALTH_TIMEOUT : 60)); then
    dockerd_rows "$rows" | rows_differ dockerd "until dockerd starts again"
  elif active; then
    differs dockerd "" "no answer" "an answer"
  else
    differs systemd docker.service stopped started
  fi
}

# If the file was edited and dockerd restarted, the file's difference says it all.
dockerd_rows() { # ROWS
  docker_cli info --format '{{json .}}' 2>/dev/null | config unlike <(printf %s "$DAEMON_JSON") all |
    ROWS=$1 awk -F '\t' 'BEGIN { split(ENVIRON["ROWS"], line, "\n"); for (i in line) { sub(/[.\t].*/, "", line[i]); told[line[i]] } }
      { key = $1; sub(/[.].*/, "", key) } NF && !(key in told)' || true
}
