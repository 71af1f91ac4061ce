# shellcheck shell=bash
# Shared by the units of hardening.sh. A unit X has X_apply, which writes; X_reload, which makes services read it; and X_check,
# which fails unless it took effect. Before a unit changes anything, it writes a line to kept/X, from which the change can be
# undone:
#   file     PATH           a file of ours, to be removed
#   value    PATH  TEXT     a file of /proc/sys, with its value before
#   service  NAME  STATES   whether it was enabled and active before
#   mode     PATH  MODE     the mode before
#   module   NAME           a module of the kernel that was loaded

readonly KEPT="$ROOT_DIR/var/lib/docker-node/hardening"

declare -A NOTES=()

read_notes() {
  local unit kind name
  for unit in "${EVERY[@]}"; do
    [[ -e $KEPT/$unit ]] || continue
    while IFS=$'\t' read -r kind name _; do NOTES["$unit $kind $name"]=kept; done <"$KEPT/$unit"
  done
}

# keep UNIT KIND NAME [VALUE]: only the first note counts, because it has the state before us.
keep() {
  ! checking || return 0
  [[ -z ${NOTES["$1 $2 $3"]:-} ]] || return 0
  install -d -m 0700 "$KEPT"
  printf '%s\t%s\t%s\n' "$2" "$3" "${4:-}" >>"$KEPT/$1"
  NOTES["$1 $2 $3"]=kept
}

# A mark beside the notes: services have not read a file yet. It survives a killed run.
is_pending() { [[ -e $KEPT/$1.pending ]]; }
settled() { rm -f "$KEPT/$1.pending"; }

# put UNIT PATH MODE <<<TEXT: writes a file of the unit, whose name only we use. Do not call it at the end of a pipe.
put() {
  local text
  text=$(cat)
  keep "$1" file "$2"
  checking || cmp -s "$ROOT_DIR$2" <(printf '%s\n' "$text") || : >"$KEPT/$1.pending"
  write_if_changed "$ROOT_DIR$2" "$3" <<<"$text"
}

# withdraw UNIT PATH: removes a file that an earlier release of the unit wrote.
withdraw() {
  [[ -e $ROOT_DIR$2 ]] || return 0
  checking || : >"$KEPT/$1.pending"
  put_right "$2" '' present absent rm -f "$ROOT_DIR$2"
}

# put_value UNIT PATH TEXT: writes a file of /proc/sys. If it has the value already, there is nothing to go back to.
put_value() {
  local now
  now=$(<"$ROOT_DIR$2")
  [[ $now != "$3" ]] || return 0
  keep "$1" value "$2" "$now"
  put_right "$2" '' "$now" "$3" write_value "$2" "$3"
}
write_value() { printf '%s\n' "$2" >"$ROOT_DIR$1" || fail "$1 cannot be set to $2, it is $(<"$ROOT_DIR$1")"; }

is_there() { systemctl cat "$1" >/dev/null 2>&1; }
enabled() { systemctl is-enabled "$1" 2>/dev/null || true; }
states() { printf '%s %s' "$(enabled "$1")" "$(systemctl is-active "$1" 2>/dev/null || true)"; }

# run_service UNIT NAME: enables and starts a service, also one that was masked.
run_service() {
  keep "$1" service "$2" "$(states "$2")"
  systemctl is-enabled --quiet "$2" || put_right systemd "$2" "$(enabled "$2")" enabled enable_service "$2"
  start_unit "$2"
}
enable_service() {
  [[ $(enabled "$1") != masked* ]] || systemctl unmask --quiet "$1"
  systemctl enable --quiet "$1"
}

# stop_service UNIT NAME: stops and masks a service, so that nobody starts it.
stop_service() {
  is_there "$2" || return 0
  keep "$1" service "$2" "$(states "$2")"
  ! systemctl is-active --quiet "$2" || put_right systemd "$2" active inactive systemctl stop "$2"
  if is_local_file "$2"; then
    [[ $(enabled "$2") != enabled ]] || put_right systemd "$2" enabled disabled systemctl disable --quiet "$2"
  else
    [[ $(enabled "$2") == masked ]] || put_right systemd "$2" "$(enabled "$2")" masked systemctl mask --quiet "$2"
  fi
}
# A mask is a link in the place where somebody has put a file of their own, such as `systemctl edit --full` does: it is refused there.
is_local_file() { [[ -f $ROOT_DIR/etc/systemd/system/$1 && ! -L $ROOT_DIR/etc/systemd/system/$1 ]]; }

give_back_file() { rm -f "$ROOT_DIR$1"; }
give_back_value() { [[ ! -e $ROOT_DIR$1 ]] || printf '%s\n' "$2" >"$ROOT_DIR$1" || log "$1 stays at $(<"$ROOT_DIR$1")"; }
give_back_module() { modprobe "$1" 2>/dev/null || log "the module $1 is not loaded again"; }
give_back_mode() { [[ ! -e $ROOT_DIR$1 ]] || chmod "$2" "$ROOT_DIR$1"; }
give_back_service() {
  local enabled=${2% *} active=${2#* }
  # systemd still knows files of ours that are removed by now: then `systemctl cat` fails.
  systemctl daemon-reload
  is_there "$1" || [[ $enabled == masked ]] || return 0
  case $enabled in
    masked) systemctl mask --quiet "$1" ;;
    enabled) systemctl unmask --quiet "$1" && systemctl enable --quiet "$1" ;;
    *) systemctl unmask --quiet "$1" && systemctl disable --quiet "$1" ;;
  esac
  case $active in
    active) systemctl start "$1" ;;
    # auditd refuses to be stopped, but obeys the signal.
    *) systemctl stop "$1" 2>/dev/null || systemctl kill --signal=TERM "$1" ;;
  esac
}

turn_off() { # UNIT
  [[ ! -e $KEPT/$1 ]] || put_right "hardening.$1" '' on off give_back "$1"
}

# Services come last, because they may write the values themselves.
give_back() { # UNIT
  local kind name value
  while IFS=$'\t' read -r kind name value; do
    "give_back_$kind" "$name" "$value"
  done < <(sed '/^service\t/d' "$KEPT/$1" && sed '/^service\t/!d' "$KEPT/$1")
  "$1_reload"
  settled "$1"
  rm "$KEPT/$1"
}

# setting FILE KEY: the value in systemd's configuration FILE with all its drop-ins; the last one wins.
setting() { systemd-analyze cat-config "systemd/$1" | sed -n "s/^$2=//p" | tail -n 1; }

expect_setting() { # FILE KEY VALUE
  local found
  found=$(setting "$1" "$2")
  [[ $found == "$3" ]] || fail "$1: $2 is ${found:-not set}, not $3; another file comes after ours" "$(systemd-analyze cat-config "systemd/$1" | grep -E "^(# /|$2=)")"
}
