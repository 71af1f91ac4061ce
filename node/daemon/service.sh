# shellcheck shell=bash
# dockerd as a service: whether it runs, how it starts and reloads, and whether the configuration took effect. Goes between
# config.sh and daemon.sh. CURRENT is the daemon.json in effect, HEALTH_TIMEOUT the seconds that one attempt may take in all,
# DOCKER0_KEYS the keys that describe docker0, APPLIED_BY how the last file was put in force (reload or restart).

active() { systemctl is-active --quiet docker.service; }
healthy() { active && DOCKER_TIMEOUT=10 docker_cli version --format '{{.Server.Version}}' >/dev/null 2>&1; }
# comes_up SECONDS: a busy node answers late, and a dockerd that starts does not answer yet. One that is down is not waited for.
comes_up() { wait_for "$1" up_or_down && ! down; }
up_or_down() { healthy || down; }
down() { [[ $(systemctl is-active docker.service) =~ ^(inactive|failed)$ ]]; }
journal() { journalctl --unit docker.service --lines 20 --no-pager --output cat 2>&1 || true; }

# systemd allows docker.service three starts a minute. Failed starts must not use up the start with the good file.
restart() {
  local begun=$SECONDS left
  forwarding
  await_metrics_address
  systemctl reset-failed docker.service docker.socket 2>/dev/null || true
  timeout "$HEALTH_TIMEOUT" systemctl restart docker.service 2>/dev/null || return 1
  left=$((HEALTH_TIMEOUT - (SECONDS - begun)))
  comes_up $((left > 1 ? left : 1))
}

# A signal that was sent proves nothing: dockerd announces in its events that it accepted a file, or in its journal that it did not,
# and then keeps the earlier one. A reload refuses some things that --validate does not check, such as registries.
reload() {
  SIGNALLED=$EPOCHREALTIME
  systemctl reload docker.service 2>/dev/null && wait_for "$HEALTH_TIMEOUT" decided && [[ -z $(complaint) ]] && taken_over && healthy
}
decided() { taken_over || [[ -n $(complaint) ]] || ! active; }

# moby sends the event after the new configuration has taken effect (daemon/reload.go).
taken_over() {
  [[ -n $(DOCKER_TIMEOUT=10 docker_cli events --since "$SIGNALLED" --until "$EPOCHREALTIME" --filter type=daemon \
    --filter event=reload --format '{{.Action}}' 2>/dev/null) ]]
}

# dockerd's answer to the last signal: reloadConfig in moby daemon/command/daemon.go, and the plain texts of 24.0 and before.
complaint() {
  local texts='Error reloading configuration|Error reconfiguring the daemon|Error validating authorization plugin'
  texts+='|unable to configure the Docker daemon|file configuration validation failed|conflict labels'
  [[ -z ${SIGNALLED:-} ]] || journalctl --unit docker.service --since "@$SIGNALLED" --no-pager --output cat 2>/dev/null |
    grep -E "$texts" | sed 's/^time="[^"]*" //' || true
}

# A daemon that refused a file at a reload keeps running with the earlier one. There is no reason to restart it if its containers
# would not survive that.
back_in_force() {
  [[ ${APPLIED_BY:-} == reload && $(docker_cli info --format '{{.LiveRestoreEnabled}}' 2>/dev/null) == false ]] &&
    reload && [[ -z $(unlike) ]]
}

# unlike [all]: values in effect that differ from the file, one per line. Nothing when dockerd does what the file says.
unlike() {
  docker_cli info --format '{{json .}}' 2>/dev/null | config unlike "$CURRENT" "$@" |
    awk -F '\t' 'NF { print $1 ": " $3 " as declared, dockerd has " $2 }' || true
}

# With userns-remap, docker's root directory ends in the ids it maps to, such as 231072.231072.
remapped() {
  [[ -z $(config get "$CURRENT" userns-remap) || $(docker_cli info --format '{{.DockerRootDir}}' 2>/dev/null) =~ /[0-9]+\.[0-9]+$ ]]
}

# Id, name, process and start time of every running container: a restart must not change them.
running() {
  local ids
  ids=$(docker_cli ps --quiet --no-trunc 2>/dev/null) || return 0
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $ids ]] || docker_cli inspect --format '{{.Id}} {{.Name}} {{.State.Pid}} {{.State.StartedAt}}' $ids | sort
}

# moby does not change docker0 when it restores running containers ("updated network configuration will not take affect").
check_docker0() { # KEY...
  local key
  for key in "$@"; do
    [[ " $DOCKER0_KEYS " != *" $key "* ]] || { log "docker0 changes when no container runs at a start" && return 0; }
  done
}

# Somebody edited the file without a restart, or dockerd refused it. This is reported, and left for a quiet time.
check_in_effect() {
  local unlike
  unlike=$(unlike all)
  [[ -z $unlike ]] || log "the daemon runs with other values, until it starts again: ${unlike//$'\n'/; }"
}

facts() {
  local sum info version group root driver server api
  sum=$(config normal "$CURRENT" | sha256sum)
  info=$(docker_cli info --format '{{.DockerRootDir}}|{{.Driver}}')
  version=$(docker_cli version --format '{{.Server.Version}}|{{.Server.APIVersion}}')
  # docker.socket gives the socket to this group.
  group=$({ getent group docker || true; } | cut -d: -f3)
  IFS='|' read -r root driver <<<"$info"
  IFS='|' read -r server api <<<"$version"
  json_object "sha256=${sum%% *}" "dockerRootDir=$root" "dockerGroup=$group" "storageDriver=$driver" "serverVersion=$server" "apiVersion=$api"
}
