# shellcheck shell=bash
# Installs scripts that write files for node-exporter's textfile collector, each with a timer. Goes between apt.sh and
# monitoring.sh.

readonly FOLDER=/usr/local/lib/docker-node

# job NAME TEXT WHEN...: installs a script that a timer runs.
job() {
  local name=$1 text=$2 unit="docker-node-$1"
  shift 2
  write_if_changed "$ROOT_DIR$FOLDER/$name" 0700 <<<"#!/bin/bash"$'\n'"$text"
  write_unit "$UNITS/$unit.service" <<UNIT
[Unit]
Description=Metrics of docker-node: $name

[Service]
Type=oneshot
ExecStart=$FOLDER/$name
Nice=10
IOSchedulingClass=idle
TimeoutStartSec=300
NoNewPrivileges=yes
UNIT
  write_unit "$UNITS/$unit.timer" <<UNIT
[Unit]
Description=Metrics of docker-node: $name

[Timer]
$(printf '%s\n' "$@")

[Install]
WantedBy=timers.target
UNIT
  run_unit "$unit.timer" "$CHANGED"
}

take_away_job() {
  local unit="docker-node-$1" path
  if [[ -e $UNITS/$unit.timer ]]; then
    put_right systemd "$unit.timer" enabled absent systemctl disable --quiet --now "$unit.timer"
    # shellcheck disable=SC2034 # reload_units reads it
    checking || RELOAD=yes
  fi
  for path in "$UNITS/$unit.timer" "$UNITS/$unit.service" "$ROOT_DIR$FOLDER/$1" "$ROOT_DIR$DIRECTORY/docker_node_$1.prom"; do
    [[ ! -e $path ]] || put_right "$path" "" present absent rm "$path"
  done
  reload_units
}
