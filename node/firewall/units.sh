# shellcheck shell=bash
# Systemd's units for the firewall: one loads the rules before the network is up, a timer looks after them, another timer ends a trial.
# Goes after guard.sh. It also holds what firewall.sh and firewall/confirm.sh share.

is_confirmed() { [[ $(cat "$FIREWALL_STATE/confirmed" 2>/dev/null || true) == "$ID" ]]; }

readonly GUARD=/usr/local/sbin/docker-node-firewall
readonly UNITS="$ROOT_DIR/etc/systemd/system"
readonly LOADER=docker-node-firewall.service HEALER=docker-node-firewall-heal TRIAL=docker-node-firewall-trial
readonly TRIAL_SECONDS="${TRIAL_SECONDS:-60}"

guard_text() {
  printf '#!/bin/bash\n# Made of node/firewall/guard.sh by docker-node. Argument: load, heal or take_back.\nset -euo pipefail\n'
  declare -f firewall_{names,alone,say,file,sum,is_whole,load,heal,remove,end_trial,take_back}
  # shellcheck disable=SC2016 # its own argument
  printf 'ROOT_DIR="${ROOT_DIR:-}"\nfirewall_names\nfirewall_alone "firewall_$1"\n'
}

# The distribution's service, if somebody has enabled it, begins with `flush ruleset`. So ours starts after it, each time it starts.
loader_text() {
  cat <<TEXT
[Unit]
Description=Firewall of docker-node
DefaultDependencies=no
RequiresMountsFor=$GUARD
After=local-fs.target nftables.service
Before=network-pre.target docker.service shutdown.target
Wants=network-pre.target
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$GUARD load
ExecReload=$GUARD load

[Install]
WantedBy=sysinit.target
TEXT
}

# Without LogLevelMax, systemd would log every run.
healer_text() {
  cat <<TEXT
[Unit]
Description=Look after the firewall of docker-node
After=$LOADER

[Service]
Type=oneshot
LogLevelMax=notice
ExecStart=$GUARD heal
TEXT
}

timer_text() {
  cat <<TEXT
[Unit]
Description=Look after the firewall of docker-node

[Timer]
OnActiveSec=30s
OnUnitInactiveSec=30s
AccuracySec=1s

[Install]
WantedBy=timers.target
TEXT
}

units() {
  local text unit
  text=$(guard_text)
  write_unit "$ROOT_DIR$GUARD" 0755 <<<"$text"
  text=$(loader_text)
  write_unit "$UNITS/$LOADER" <<<"$text"
  text=$(healer_text)
  write_unit "$UNITS/$HEALER.service" <<<"$text"
  text=$(timer_text)
  write_unit "$UNITS/$HEALER.timer" <<<"$text"
  reload_units
  for unit in "$LOADER" "$HEALER.timer"; do
    enable_unit "$unit"
    start_unit "$unit"
  done
}

units_off() {
  [[ -e $UNITS/$LOADER ]] || return 0
  systemctl disable --quiet --now "$LOADER" "$HEALER.timer"
  rm -f "$UNITS/$LOADER" "$UNITS/$HEALER".{service,timer} "$ROOT_DIR$GUARD"
  systemctl daemon-reload
}

# The timer is started before the rules are loaded: it takes them back even if this connection is lost.
arm() {
  disarm
  systemd-run --quiet --collect --unit="$TRIAL" --on-active="$TRIAL_SECONDS" --timer-property=AccuracySec=1s \
    "$GUARD" take_back || fail "nothing could be found to take the rules back; nothing was changed"
}

disarm() { systemctl stop "$TRIAL.timer" 2>/dev/null || true; }
