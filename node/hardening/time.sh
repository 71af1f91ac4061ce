# shellcheck shell=bash
# The clock follows a time server: with chrony or ntpsec if one of them is there, else with systemd-timesyncd.

time_service() {
  local unit
  for unit in chrony.service chronyd.service ntpsec.service; do
    if is_there "$unit"; then echo "$unit" && return 0; fi
  done
  echo systemd-timesyncd.service
}

time_apply() {
  local unit
  unit=$(time_service)
  run_service time "$unit"
  checking || [[ $(timedatectl show --property=NTPSynchronized --value) == yes ]] ||
    log "the clock is not synchronised yet: look at $unit if it stays so, its servers may not be reachable"
}
time_reload() { :; }

# Whether a server answers depends on the network and takes a while, so it is told and not required; monitoring watches it. That the node
# asks is checked here.
time_check() {
  local unit
  unit=$(time_service)
  systemctl is-active --quiet "$unit" || fail "$unit is not active"
  [[ $(timedatectl show --property=CanNTP --value) == yes || $unit != systemd-timesyncd.service ]] || fail "the clock cannot be synchronised"
}
