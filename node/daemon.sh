# shellcheck shell=bash
# Brings the engine to a daemon.json: checked before it is written, swapped in whole, reloaded or restarted as the keys need,
# health-checked, taken back when the daemon does not come back. Containers keep running (live-restore).
# DAEMON_JSON          the whole file
# HEALTH_TIMEOUT       seconds the daemon has to answer (default 120)
# DATA_LOSS_CONFIRMED  hide-existing lets a change hide the containers, images and volumes there are
# Result: {"sha256":"...","dockerRootDir":"...","storageDriver":"...","serverVersion":"...","apiVersion":"..."}
SCRIPT=daemon
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=daemon-checks.sh
declare -F check_keys >/dev/null || . "${BASH_SOURCE[0]%/*}/daemon-checks.sh"

HEALTH_TIMEOUT="${HEALTH_TIMEOUT:-120}" DATA_LOSS_CONFIRMED="${DATA_LOSS_CONFIRMED:-}"
readonly FOLDER="$ROOT_DIR/etc/docker"
readonly CURRENT="$FOLDER/daemon.json" PREVIOUS="$FOLDER/daemon.json.previous" CANDIDATE="$FOLDER/.daemon.json.candidate"
# There from before the swap until the daemon has answered; says what to go back to: three words and the stopped containers.
readonly APPLYING="$FOLDER/.daemon.json.applying"
# What SIGHUP applies: docs.docker.com/reference/cli/dockerd, "Configuration reload behavior". `config changed` reports the image
# store, which a reload of `features` would not change, under a name of its own.
readonly RELOADABLE=(debug labels live-restore max-concurrent-downloads max-concurrent-uploads max-download-attempts
  default-runtime runtimes authorization-plugins insecure-registries registry-mirrors shutdown-timeout features)

active() { systemctl is-active --quiet docker.service; }
healthy() { active && DOCKER_TIMEOUT=10 docker_cli version --format '{{.Server.Version}}' >/dev/null 2>&1; }
settled() { healthy || systemctl is-failed --quiet docker.service; }
answers() { wait_for "$HEALTH_TIMEOUT" settled && healthy; }
journal() { journalctl --unit docker.service --lines 20 --no-pager --output cat 2>&1 || true; }

# systemd gives docker.service three starts a minute; failed ones must not use up the start of the good file.
restart() {
  systemctl reset-failed docker.service docker.socket 2>/dev/null || true
  timeout "$HEALTH_TIMEOUT" systemctl restart docker.service 2>/dev/null && answers
}
reload() { systemctl reload docker.service 2>/dev/null && answers; }

reloadable() { # KEY...
  local key
  for key in "$@"; do [[ " ${RELOADABLE[*]} " == *" $key "* ]] || return 1; done
}

# id, name, process and start of every running container: what a restart must leave as it is.
running() {
  local ids
  ids=$(docker_cli ps --quiet --no-trunc 2>/dev/null) || return 0
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $ids ]] || docker_cli inspect --format '{{.Id}} {{.Name}} {{.State.Pid}} {{.State.StartedAt}}' $ids | sort
}

# begin WAS_ACTIVE RUNNING: from here until the end of `apply` a killed run leaves enough behind for the next one.
begin() {
  local previous=absent stopped=''
  if [[ -e $CURRENT ]]; then
    previous=present
    write_if_changed "$PREVIOUS" 0644 <"$CURRENT"
  fi
  if [[ $HIDES == yes ]]; then stopped=$(cut -d' ' -f1 <<<"$2" | xargs); fi
  write_if_changed "$APPLYING" 0644 <<<"$previous $1 $stopped"
  # Left running by live-restore, containers that are about to be hidden would belong to no engine.
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $stopped ]] || docker_cli stop $stopped >/dev/null
}

# To the file, the state and the containers from before `begin`.
go_back() {
  local previous was_active stopped status=0
  read -r previous was_active stopped <"$APPLYING"
  if [[ $previous == present ]]; then write_if_changed "$CURRENT" 0644 <"$PREVIOUS"; else rm -f "$CURRENT"; fi
  if [[ $was_active == yes ]]; then restart || status=1; else systemctl stop docker.service || status=1; fi
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
  local was_active=no before reason=''
  if active; then was_active=yes; fi
  before=$(running)
  begin "$was_active" "$before"
  if [[ $was_active == no ]] || ! reloadable "$@"; then
    keep_containers "$before"
    swap
    restart || reason="the daemon did not come up with the new configuration"
  else
    swap
    reload || reason="the daemon did not answer after reloading"
  fi
  remapped || reason="${reason:-userns-remap is set but not in effect}"
  [[ -z $reason ]] || roll_back "$reason"
  rm -f "$APPLYING"
  reason=$(comm -23 <(printf %s "$before") <(running) | awk '{ print $2 }' | xargs)
  [[ $HIDES == yes || -z $reason ]] || log "containers that did not keep running: $reason"
  # moby leaves docker0 as it is when it restores running containers ("updated network configuration will not take affect").
  [[ -z $before || ! " $* " =~ ' '(bip|fixed-cidr|icc|ip|mtu)' ' ]] || log "docker0 changes when no container runs at a start"
}

swap() { mv -fT "$CANDIDATE" "$CURRENT" && sync "$FOLDER"; }
# With userns-remap the engine's root ends in the ids it maps to, 231072.231072.
remapped() {
  [[ -z $(config get "$CURRENT" userns-remap) || $(docker_cli info --format '{{.DockerRootDir}}' 2>/dev/null) =~ /[0-9]+\.[0-9]+$ ]]
}

facts() {
  local sum info version root driver server api
  sum=$(config normal "$CURRENT" | sha256sum)
  info=$(docker_cli info --format '{{.DockerRootDir}}|{{.Driver}}')
  version=$(docker_cli version --format '{{.Server.Version}}|{{.Server.APIVersion}}')
  IFS='|' read -r root driver <<<"$info"
  IFS='|' read -r server api <<<"$version"
  json_object "sha256=${sum%% *}" "dockerRootDir=$root" "storageDriver=$driver" "serverVersion=$server" "apiVersion=$api"
}

main() {
  local changed output
  begin_change
  require DAEMON_JSON
  recover
  write_if_changed "$CANDIDATE" 0644 <<<"$DAEMON_JSON"
  output=$(config normal "$CANDIDATE" 2>&1) || refuse "DAEMON_JSON is not a JSON object" "$(tail -n 1 <<<"$output")"
  config normal "$CURRENT" >/dev/null 2>&1 || fail "refused: the daemon.json on the node is not JSON; mend or remove it first"
  changed=$(config changed "$CURRENT" "$CANDIDATE")
  if [[ -e $CURRENT && -z $changed ]]; then
    rm -f "$CANDIDATE"
    healthy || restart || fail "the daemon is down, its configuration unchanged" "$(journal)"
  else
    check_keys
    check_hidden
    validate
    # shellcheck disable=SC2086 # a list of keys
    apply $changed
  fi
  facts
}

main "$@" </dev/null
