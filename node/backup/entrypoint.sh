#!/usr/bin/env bash
# The backup container: starts again what a killed run had stopped, catches up on missed backups, then follows the schedule.
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=/dev/null
. "$HERE/lib.sh"

CRONTAB="${CRONTAB:-/run/crontab}"
SCHEDULER=''

# The node's time zone, so that 02:30 means 02:30 there. It comes from the node's file, which is mounted (localtime(5), Go's
# time/zoneinfo_unix.go).
time_zone() {
  if [[ -f $HOST_DIR/etc/localtime ]]; then printf ':%s' "$HOST_DIR/etc/localtime"; else printf UTC; fi
}

# The configuration's recovery point is four hours and its schedule a day. In between it is backed up when it has changed. The
# catch-up repeats what failed, and what was missed because the clock jumped or the node was off.
crontab() {
  local kind
  for kind in volumes configuration images; do printf '%s backup %s\n' "$(kind_schedule "$kind")" "$kind"; done
  printf '15 */3 * * * backup configuration --if-changed\n'
  printf '35 * * * * backup catch-up\n'
}

# A run in progress restarts the containers it has stopped before this container ends.
stop() {
  trap '' TERM INT
  kill -TERM "$SCHEDULER" 2>/dev/null || true
  if ! flock -n "$STATE_DIR/lock" true; then
    kill -TERM "$(<"$STATE_DIR/run.pid")" 2>/dev/null || true
    flock -w 110 "$STATE_DIR/lock" true || log "the run that is under way does not end"
  fi
  exit 0
}

main() {
  require NODE_NAME PBS_REPOSITORY PBS_FINGERPRINT SCHEDULE_VOLUMES SCHEDULE_CONFIGURATION SCHEDULE_IMAGES
  mkdir -p "$STATE_DIR" "$SPOOL"
  backup recover || log "not everything that an earlier run had stopped could be started again"
  crontab >"$CRONTAB"
  TZ=$(time_zone) supercronic -passthrough-logs "$CRONTAB" &
  SCHEDULER=$!
  trap stop TERM INT
  backup catch-up || log "some items are still not backed up" &
  wait "$SCHEDULER"
}

main </dev/null
