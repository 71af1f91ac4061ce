# shellcheck shell=bash
# Brings Docker to the declared daemon.json: validates it, swaps it in whole, reloads or restarts as the keys need, checks the
# daemon's health, and rolls back if the daemon does not come up. Containers keep running (live-restore).
# DAEMON_JSON          the whole file
# RELOADABLE           keys of it that a running daemon accepts; DOCKER0_KEYS: keys that describe docker0 (config/daemon)
# HEALTH_TIMEOUT       seconds the daemon has to answer (default 120)
# RUNTIME              text of the runtime of containers outside the user namespace (none)
# DATA_LOSS_CONFIRMED  hide-existing allows a change to hide the existing containers, images and volumes
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
# shellcheck source-path=SCRIPTDIR source=daemon/runtime.sh
declare -F place_runtime >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/runtime.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/checks.sh
declare -F check_keys >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/checks.sh"
# shellcheck source-path=SCRIPTDIR source=daemon/differences.sh
declare -F report_differences >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon/differences.sh"

HEALTH_TIMEOUT="${HEALTH_TIMEOUT:-120}" DATA_LOSS_CONFIRMED="${DATA_LOSS_CONFIRMED:-}"
RELOADABLE="${RELOADABLE:-}" DOCKER0_KEYS="${DOCKER0_KEYS:-}" RUNTIME="${RUNTIME:-}"
readonly FOLDER="$ROOT_DIR/etc/docker"
readonly CURRENT="$FOLDER/daemon.json" PREVIOUS="$FOLDER/daemon.json.previous" CANDIDATE="$FOLDER/.daemon.json.candidate"
# Exists from before the swap until the daemon answers. Holds what to go back to: had a file, was active, stopped containers.
readonly APPLYING="$FOLDER/.daemon.json.applying"

# begin WAS_ACTIVE RUNNING: from here to the end of `apply`, a killed run leaves enough behind for the next one to go back.
begin() {
  local previous=absent stopped=''
  if [[ -e $CURRENT ]]; then
    previous=present
    write_if_changed "$PREVIOUS" 0644 <"$CURRENT"
  fi
  if [[ $HIDES == yes ]]; then stopped=$(cut -d' ' -f1 <<<"$2" | xargs); fi
  write_if_changed "$APPLYING" 0644 <<<"$previous $1 $stopped"
  # Live-restore would leave these containers running without a dockerd that knows them.
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $stopped ]] || docker_cli stop $stopped >/dev/null
}

# Goes back to the file, the state and the containers from before `begin`.
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

roll_back() { # REASON
  local lines
  lines=$(journal)
  go_back || fail "rolled back, but the daemon is down with its earlier configuration too: $1" "$lines"
  fail "rolled back: $1" "$lines"
}

# If a run was killed between swap and answer, or the machine went down, nobody knows whether the daemon runs, and with which file.
recover() {
  [[ -e $APPLYING ]] || return 0
  log "an earlier run was interrupted while it applied a configuration: going back to the one before"
  go_back || log "the daemon does not start with the configuration before it"
}

# Live-restore has to be on before the restart, or containers do not survive it. A reload is enough to turn it on.
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

# Makes the file take effect. If that fails, REASON says why.
bring_in_force() {
  REASON=''
  if [[ $APPLIED_BY == reload ]]; then
    reload || REASON=$(complaint)
    taken_over || REASON="${REASON:-the daemon did not confirm the new configuration}"
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
  place_runtime
  changed=$(config changed "$CURRENT" "$CANDIDATE")
  if [[ -e $CURRENT && -z $changed ]]; then
    rm -f "$CANDIDATE"
    await_metrics_address
    if by_nftables; then forwarding; elif [[ -e $FORWARDING ]]; then restart || true; fi
    comes_up "$HEALTH_TIMEOUT" || restart || fail "the daemon is down, its configuration unchanged" "$(journal)"
    check_in_effect
  else
    check_keys
    check_needs
    check_hidden
    output=$(validate_daemon_json "$CANDIDATE") || refuse "dockerd does not accept this daemon.json" "$output"
    # shellcheck disable=SC2086 # a list of keys
    apply $changed
  fi
  take_away_runtime
  facts
}

main "$@" </dev/null
