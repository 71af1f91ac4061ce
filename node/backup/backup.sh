#!/usr/bin/env bash
# shellcheck disable=SC2034 # some variables are for the parts
# backup volumes|configuration|images [--if-changed]   back up one kind now
# backup catch-up                                      back up whatever is due: never backed up, failed, or missed
# backup recover                                       start again what a killed run had stopped
# backup status                                        show what is known of every item
# Status: 0 all is well, 1 an item failed, 2 wrong usage, 75 another run is in progress (sysexits(3), EX_TEMPFAIL).
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
for part in lib digest status client owners volumes configuration images; do
  # shellcheck source=/dev/null
  . "$HERE/$part.sh"
done

readonly KINDS=(volumes configuration images)
FAILED=no ONLY_DUE=no IF_CHANGED=no RESTART=no
# Why nothing is tried for this item before its next scheduled run: held or spared, see owners.sh; later, see status.sh.
WAITS=''
# What the item's snapshot lacks, see upload and take_digest.
INCOMPLETE='' EXCLUDES=''
# The item in progress, for the handler of an interruption.
ITEM='' ITEM_KIND='' STARTED=0

usage() {
  sed -n 's/^# \(backup \)/\1/p' "$HERE/backup.sh" >&2
  exit 2
}

# Only one run at a time: a run must not read a volume while another one stops or restarts its containers. A second run waits, so
# the runs of a night follow one another. The pid tells the entrypoint which run to end when the container stops.
lock() {
  mkdir -p "$STATE_DIR"
  exec 9>"$STATE_DIR/lock"
  flock -w "${LOCK_WAIT:-3600}" 9 || fail "another run is under way" 75
  printf '%s\n' "$$" >"$STATE_DIR/run.pid"
}

interrupted() {
  trap '' TERM INT
  [[ -z $CHILD ]] || kill -TERM "$CHILD" 2>/dev/null || true
  log "interrupted"
  release || log "$ERROR"
  [[ -z $ITEM ]] || record_failed "$ITEM" "$ITEM_KIND" interrupted "$(($(date +%s) - STARTED))"
  exit 143
}

# backup_item ITEM KIND COMMAND...: if one item fails, the others are still backed up.
backup_item() {
  local item=$1 kind=$2 seconds
  shift 2
  if [[ $ONLY_DUE == yes ]] && ! is_due "$item" "$kind"; then return 0; fi
  ITEM=$item ITEM_KIND=$kind STARTED=$(date +%s) SNAPSHOT='' BYTES=0 UNCHANGED=no GONE=no WAITS='' INCOMPLETE='' EXCLUDES=''
  if tenacious "$kind" "$@"; then
    seconds=$(($(date +%s) - STARTED))
    case $UNCHANGED in
      yes) record_unchanged "$item" ;;
      no) record_good "$item" "$kind" "$SNAPSHOT" "${BYTES:-0}" "$seconds" "$EXCLUDES" ;;
    esac
    log "$item: ${SNAPSHOT:-unchanged}"
  elif [[ $GONE == yes ]]; then
    forget "$item"
    log "$item: gone before it was backed up"
  else
    FAILED=yes
    record_failed "$item" "$kind" "$ERROR" "$(($(date +%s) - STARTED))" "$WAITS" "$INCOMPLETE"
    log "$item: failed: $ERROR"
  fi
  ITEM=''
}

# Docker restarts a container whose main process has ended.
restart() {
  trap '' TERM
  kill -TERM "${MAIN_PROCESS:-1}"
}

run() { # KIND...
  local kind
  require NODE_NAME PBS_REPOSITORY PBS_FINGERPRINT
  lock
  trap interrupted TERM INT
  release || log "$ERROR"
  for kind in "$@"; do "backup_$kind"; done
  [[ $RESTART == no ]] || restart
  [[ $FAILED == no ]] || exit 1
}

main() {
  if [[ ${2:-} == --if-changed && ${1:-} == configuration && $# == 2 ]]; then
    IF_CHANGED=yes
  elif (($# != 1)); then
    usage
  fi
  case $1 in
    volumes | configuration | images) run "$1" ;;
    catch-up)
      ONLY_DUE=yes
      run "${KINDS[@]}"
      ;;
    recover) lock && { release || fail "$ERROR"; } ;;
    status) show_status ;;
    *) usage ;;
  esac
}

main "$@" </dev/null
