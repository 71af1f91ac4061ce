# shellcheck shell=bash
# Brings docker to a daemon.json: checked before it is written, swapped in whole, reloaded or restarted as the keys need,
# health-checked, taken back when the daemon does not come back. Containers keep running (live-restore).
# DAEMON_JSON          the whole file
# RELOADABLE           keys of it that a running daemon takes over, DOCKER0_KEYS those that describe docker0 (config/daemon)
# HEALTH_TIMEOUT       seconds the daemon has to answer (default 120)
# DATA_LOSS_CONFIRMED  hide-existing lets a change hide the containers, images and volumes there are
# Result: {"sha256":"...","dockerRootDir":"...","dockerGroup":"...","storageDriver":"...","serverVersion":"...","apiVersion":"..."}
SCRIPT=daemon
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/config.sh
declare -F config >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/config.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/validate.sh
declare -F validate_daemon_json >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/validate.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/service.sh
declare -F restart >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/service.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/forwarding.sh
declare -F forwarding >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/forwarding.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/metrics.sh
declare -F await_metrics_address >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/metrics.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/checks.sh
declare -F check_keys >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/checks.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/differences.sh
declare -F report_differences >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/differences.sh"

HEALTH_TIMEOUT="${HEALTH_TIMEOUT:-120}" DATA_LOSS_CONFIRMED="${DATA_LOSS_CONFIRMED:-}"
RELOADABLE="${RELOADABLE:-}" DOCKER0_KEYS="${DOCKER0_KEYS:-}"
readonly FOLDER="$ROOT_DIR/etc/docker"
readonly CURRENT="$FOLDER/daemon.json" PREVIOUS="$FOLDER/daemon.json.previous" CANDIDATE="$FOLDER/.daemon.json.candidate"
# There from before the swap until the daemon has answered; says what to go back to: three words and the stopped containers.
readonly APPLYING="$FOLDER/.daemon.json.applying"

# begin WAS_ACTIVE RUNNING: from here until the end of `apply` a killed run leaves enough behind for the next one.
begin() {
  local previous=absent stopped=''
  if [[ -e $CURRENT ]]; then
    previous=present
    write_if_changed "$PREVIOUS" 0644 <"$CURRENT"
  fi
  if [[ $HIDES == yes ]]; then stopped=$(cut -d' ' -f1 <<<"$2" | xargs); fi
  write_if_changed "$APPLYING" 0644 <<<"$previous $1 $stopped"
  # Left running by live-restore, containers that are about to be hidden would belong to no dockerd.
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $stopped ]] || docker_cli stop $stopped >/dev/null
}

# To the file, the state and the containers from before `begin`.
go_back() {
  local previous was_active stopped status=0
  read -r previous was_active stopped <"$APPLYING"
  if [[ $previous == present ]]; then write_if_changed "$CURRENT" 0644 <"$PREVIOUS"; else rm -f "$CURRENT"; fi
  if [[ $was_active == no ]]; then
    systemctl stop docker.service || status=1
  else
    back_in_force || restart || status=1
  fi
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $stopped ]] || docker_cli start $stopped >/dev/null || log "not all of these could be started again: $stopped"
  rm -f "$APPLYING"
  return "$status"
}

# A daemon that refused a file at a reload went on with the earlier one: no reason to stop containers that would not outlive it.
back_in_force() {
  [[ ${APPLIED_BY:-} == reload && $(docker_cli info --format '{{.LiveRestoreEnabled}}' 2>/dev/null) == false ]] &&
    reload && [[ -z $(unlike) ]]
}

roll_back() { # REASON
  local lines
  lines=$(journal)
  go_back || fail "rolled back, but the daemon is down with its earlier configuration too: $1" "$lines"
  fail "rolled back: $1" "$lines"
}

# A run that was killed, or lost its machine, between swap and answer: nobody knows whether the daemon runs, and with which file.
recover() {
  [[ -e $APPLYING ]] || return 0
  log "an earlier run was interrupted while it applied a configuration: going back to the one before"
  go_back || log "the daemon does not start with the configuration before it"
}

# Live-restore has to be on before the restart that containers shall survive; a reload is enough to turn it on.
keep_containers() { # RUNNING
  local text
  [[ -n $1 && $HIDES == no && $(config get "$CANDIDATE" live-restore) == true ]] || return 0
  [[ $(docker_cli info --format '{{.LiveRestoreEnabled}}') == false ]] || return 0
  text=$(config alive "$CURRENT")
  write_if_changed "$CURRENT" 0644 <<<"$text"
  reload || log "live-restore could not be turned on before the restart"
}

apply() { # KEY...
  local was_active=no before lost
  if active; then was_active=yes; fi
  before=$(running)
  begin "$was_active" "$before"
  APPLIED_BY=restart
  # shellcheck disable=SC2086 # a list of keys
  if [[ $was_active == yes ]]; then APPLIED_BY=$(config effect "$CURRENT" "$CANDIDATE" $RELOADABLE); fi
  if [[ $APPLIED_BY == restart ]]; then keep_containers "$before"; fi
  swap
  bring_in_force
  [[ -z $REASON ]] || roll_back "$REASON"
  rm -f "$APPLYING"
  lost=$(comm -23 <(printf %s "$before") <(running) | awk '{ print $2 }' | xargs)
  [[ $HIDES == yes || -z $lost ]] || log "containers that did not keep running: $lost"
  [[ -z $before ]] || check_docker0 "$@"
}

# Makes the file in force; REASON says why it is not.
bring_in_force() {
  REASON=''
  if [[ $APPLIED_BY == reload ]]; then
    reload || REASON=$(complaint)
    taken_over || REASON="${REASON:-the daemon did not say that it took the new configuration over}"
  else
    restart || REASON="the daemon did not come up with the new configuration"
  fi
  REASON="${REASON:-$(unlike)}"
  remapped || REASON="${REASON:-userns-remap is set but not in effect}"
}

swap() { mv -fT "$CANDIDATE" "$CURRENT" && sync "$FOLDER"; }

main() {
  begin_change
  require DAEMON_JSON
  if checking; then report_differences; else bring_to_declared; fi
}

bring_to_declared() {
  local changed output
  recover
  write_if_changed "$CANDIDATE" 0644 <<<"$DAEMON_JSON"
  output=$(config normal "$CANDIDATE" 2>&1) || refuse "DAEMON_JSON is not a JSON object" "$(tail -n 1 <<<"$output")"
  config normal "$CURRENT" >/dev/null 2>&1 || fail "refused: the daemon.json on the node is not JSON; mend or remove it first"
  changed=$(config changed "$CURRENT" "$CANDIDATE")
  if [[ -e $CURRENT && -z $changed ]]; then
    rm -f "$CANDIDATE"
    await_metrics_address
    if by_nftables; then forwarding; elif [[ -e $FORWARDING ]]; then restart || true; fi
    healthy || restart || fail "the daemon is down, its configuration unchanged" "$(journal)"
    check_in_effect
  else
    check_keys
    check_needs
    check_hidden
    output=$(validate_daemon_json "$CANDIDATE") || refuse "dockerd does not accept this daemon.json" "$output"
    # shellcheck disable=SC2086 # a list of keys
    apply $changed
  fi
  facts
}

main "$@" </dev/null
