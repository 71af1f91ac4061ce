# shellcheck shell=bash
# Filesystems, protocols and buses that no node needs are never loaded. The list leaves out what Docker needs (overlay,
# br_netfilter, the netfilter family, 8021q, macvlan), and squashfs, which Ubuntu's snaps use.

readonly MODULES_FILE=/etc/modprobe.d/docker-node-hardening.conf
readonly MODULES=(cramfs freevxfs hfs hfsplus jffs2 udf dccp sctp rds tipc usb-storage firewire-core firewire-ohci firewire-sbp2)

modules_apply() {
  local text name
  # `blacklist` keeps devices from loading a module, `install` keeps everybody else from it.
  text=$(printf 'blacklist %s\n' "${MODULES[@]}" && printf 'install %s /bin/false\n' "${MODULES[@]}")
  put modules "$MODULES_FILE" 0644 <<<"$text"
  ! checking || return 0
  for name in $(modules_loaded); do
    rmmod "$name" 2>/dev/null || log "the module $name is in use; it is gone after a reboot"
  done
}

# Nothing to reload: the next attempt to load a module reads it.
modules_reload() { :; }

modules_loaded() { awk '{ print $1 }' "$ROOT_DIR/proc/modules" | grep -xF -e "$(printf '%s\n' "${MODULES[@]//-/_}")" || true; }

modules_check() {
  local name rules
  rules=$(modprobe --showconfig)
  for name in "${MODULES[@]//-/_}"; do
    grep -qxF "install $name /bin/false" <<<"$rules" || fail "the module $name can still be loaded"
  done
}
