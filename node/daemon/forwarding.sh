# shellcheck shell=bash
# Does what dockerd leaves to the node when it filters by nftables. Goes between service.sh and daemon.sh; CURRENT is the
# daemon.json in effect. With iptables, dockerd turns forwarding on and drops all traffic that is not its own. With nftables it does
# neither: if forwarding is off, dockerd makes no docker0 and does not start; if it is on, the node is a router, and what iptables
# was told to drop stays dropped (moby, libnetwork/drivers/bridge/setup_ip_forwarding.go and internal/iptabler/cleaner.go).

readonly FORWARDING="$ROOT_DIR/etc/systemd/system/docker.service.d/20-docker-node-forwarding.conf"

# Runs before each start of dockerd, also after a boot.
forwarding_text() {
  local table='inet docker-node-forward'
  printf '[Service]\nExecStartPre=/usr/sbin/sysctl --quiet net.ipv4.ip_forward=1\n'
  if [[ $(config get "$CURRENT" ipv6) == true ]]; then
    printf 'ExecStartPre=/usr/sbin/sysctl --quiet net.ipv6.conf.%s.forwarding=1\n' default all
  fi
  printf 'ExecStartPre=-/usr/sbin/%s --policy FORWARD ACCEPT\n' iptables ip6tables
  [[ $(config get "$CURRENT" ip-forward-no-drop) != true ]] || return 0
  printf "ExecStartPre=/usr/sbin/nft 'add table %s; flush table %s'\n" "$table" "$table"
  printf "ExecStartPre=/usr/sbin/nft 'add chain %s forward { type filter hook forward priority filter; policy drop; }'\n" "$table"
  printf "ExecStartPre=/usr/sbin/nft 'add rule %s forward %s accept'\n" \
    "$table" 'ct state established,related' "$table" 'meta iifkind "bridge"' "$table" 'meta oifkind "bridge"'
}

by_nftables() {
  [[ $(config get "$CURRENT" firewall-backend) == nftables && $(config get "$CURRENT" ip-forward) != false ]]
}

# Runs before every start, because the file in effect may be the one that was rolled back to.
forwarding() {
  local text
  if by_nftables; then
    text=$(forwarding_text)
    write_unit "$FORWARDING" <<<"$text"
    reload_units
  elif [[ -e $FORWARDING ]]; then
    put_right "$FORWARDING" "" present absent iptables_forwards
  fi
}

# If forwarding is already on, dockerd does not drop forwarded traffic. Over IPv6 dockerd turns it on for a network with IPv6 only. So
# there it stays if the drop-in has not turned it on, and on a router, where dockerd drops nothing.
iptables_forwards() {
  local path paths=(ipv4/ip_forward)
  if grep -q 'net\.ipv6\.' "$FORWARDING" && [[ $(config get "$CURRENT" ip-forward-no-drop) != true ]]; then
    paths+=(ipv6/conf/default/forwarding ipv6/conf/all/forwarding)
  fi
  rm -f "$FORWARDING"
  systemctl daemon-reload
  nft delete table inet docker-node-forward 2>/dev/null || true
  for path in "${paths[@]}"; do
    [[ ! -e $ROOT_DIR/proc/sys/net/$path ]] || printf '0\n' >"$ROOT_DIR/proc/sys/net/$path"
  done
}
