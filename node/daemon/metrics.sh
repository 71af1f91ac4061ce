# shellcheck shell=bash
# Waits for the address of dockerd's metrics. Goes between config.sh and daemon.sh; CURRENT is the daemon.json in effect. dockerd
# does not start if it cannot listen there (moby, daemon/command/metrics.go), and systemd gives up after three attempts. So at a
# boot dockerd waits until the machine has the address.

readonly METRICS="$ROOT_DIR/etc/systemd/system/docker.service.d/30-docker-node-metrics.conf"

# The address, if it is a single address of the machine's network.
metrics_address() {
  local at
  at=$(config get "$CURRENT" metrics-addr)
  at=${at%:*}
  [[ ! $at =~ ^[0-9.]+$ || $at =~ ^(127\.|0\.0\.0\.0$) ]] || printf %s "$at"
}

# After two minutes dockerd starts anyway and reports what is missing.
metrics_text() { # ADDRESS
  printf "[Service]\nExecStartPre=/bin/sh -c 'n=0; until ip -o address show to %s | grep -q . || [ \$\$n -ge 120 ]; do n=\$\$((n + 1)); sleep 1; done'\n" "$1"
}

await_metrics_address() {
  local address text
  address=$(metrics_address)
  if [[ -n $address ]]; then
    text=$(metrics_text "$address")
    write_if_changed "$METRICS" 0644 <<<"$text"
    [[ $CHANGED == no ]] || checking || systemctl daemon-reload
  elif [[ -e $METRICS ]]; then
    put_right "$METRICS" "" present absent await_nothing
  fi
}

await_nothing() {
  rm -f "$METRICS"
  systemctl daemon-reload
}
