# shellcheck shell=bash
# Installs scripts that write files for node-exporter's textfile collector, each with a timer. Goes between apt.sh and
# monitoring.sh.

readonly FOLDER=/usr/local/lib/docker-node

# write_script PATH TEXT: with MODE=check TEXT is the digest of the file, which is long and for nobody to read.
write_script() {
  if checking; then
    script_differs "$@"
  else
    write_if_changed "$1" 0700 <<<"#!/bin/bash"$'\n'"$2"
  fi
}
script_differs() { # PATH DIGEST
  local found
  if [[ ! -f $1 || -L $1 ]]; then
    differs "$1" '' "$([[ -L $1 ]] && echo link || echo absent)" present
    return
  fi
  found=$(stat -c %a "$1")
  [[ $found == 700 ]] || differs "$1" mode "0$found" 0700
  found=$(sha256sum <"$1")
  [[ ${found%% *} == "$2" ]] || differs "$1" sha256 "${found%% *}" "$2"
}

# job NAME TEXT WHEN...: installs a script that a timer runs.
job() {
  local name=$1 text=$2 unit="docker-node-$1"
  shift 2
  write_script "$ROOT_DIR$FOLDER/$name" "$text"
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
