# shellcheck shell=bash
# Names are resolved by the declared servers alone: systemd-resolved uses neither LLMNR nor mDNS on the segment.

readonly RESOLVED_FILE=/etc/systemd/resolved.conf.d/99-docker-node.conf

resolved_apply() {
  is_there systemd-resolved.service || return 0
  put resolved "$RESOLVED_FILE" 0644 <<<'[Resolve]'$'\n''LLMNR=no'$'\n''MulticastDNS=no'
}

resolved_reload() { systemctl try-restart systemd-resolved.service; }

resolved_check() {
  local open
  open=$(ss -Hlnutp | awk '/"systemd-resolve/ && $5 ~ /:(5355|5353)$/') || true
  [[ -z $open ]] || fail "systemd-resolved listens to the segment" "$open"
}
