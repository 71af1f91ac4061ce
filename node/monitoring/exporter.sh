# shellcheck shell=bash
# Sets up node-exporter, the distribution's package, to listen at the node's address alone. Goes between apt.sh and monitoring.sh.

readonly EXPORTER=prometheus-node-exporter
readonly DROP_IN="$ROOT_DIR/etc/systemd/system/$EXPORTER.service.d/10-docker-node.conf"
# A package that we installed is removed with its part; one that was there before stays.
readonly INSTALLED="$ROOT_DIR/var/lib/docker-node/monitoring/installed"

# Written before the package is installed, so that node-exporter never listens at every address. Its unit has no ProtectSystem,
# which would make every filesystem look read-only in its metrics.
exporter_unit() {
  cat <<UNIT
[Unit]
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=
ExecStart=/usr/bin/$EXPORTER --web.listen-address=$LISTEN --collector.textfile.directory=$DIRECTORY
Restart=always
RestartSec=5
CPUWeight=50
MemoryMax=128M
TasksMax=64
NoNewPrivileges=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
UNIT
}

listens() {
  python3 -c '
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
socket.create_connection((host, int(port)), 5).close()' "$LISTEN" 2>/dev/null
}

install_exporter() {
  mkdir -p "${INSTALLED%/*}"
  : >"$INSTALLED"
  install_command "$EXPORTER"
}

set_up_exporter() {
  local text changed
  text=$(exporter_unit)
  write_unit "$DROP_IN" <<<"$text"
  # shellcheck disable=SC2153 # lib.sh's
  changed=$CHANGED
  command -v "$EXPORTER" >/dev/null || put_right packages "$EXPORTER" "" installed install_exporter
  run_unit "$EXPORTER.service" "$changed"
  checking || wait_for 30 listens || fail "node-exporter does not listen at $LISTEN" "$(journalctl --no-pager --lines 5 --unit "$EXPORTER")"
}

# The drop-in goes after the package, whose own unit listens at every address. The marker goes last: it brings an interrupted run back.
take_away_exporter() {
  [[ -e $DROP_IN || -e $INSTALLED ]] || return 0
  if [[ -e $INSTALLED ]]; then put_right packages "$EXPORTER" installed "" apt_get purge "$EXPORTER"; fi
  if [[ -e $DROP_IN ]]; then put_right "$DROP_IN" "" present absent rm -r "${DROP_IN%/*}"; fi
  ! checking || return 0
  systemctl daemon-reload
  if [[ -e $INSTALLED ]]; then rm "$INSTALLED"; else systemctl try-restart "$EXPORTER.service"; fi
}
