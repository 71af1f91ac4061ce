# shellcheck shell=bash
# Filesystems, protocols and buses that no node needs are never loaded. The list leaves out what Docker needs (overlay,
# br_netfilter, the netfilter family, 8021q, macvlan, ipvlan), and squashfs, which Ubuntu's snaps use.

readonly MODULES_FILE=/etc/modprobe.d/docker-node-hardening.conf
readonly MODULES=(cramfs freevxfs hfs hfsplus jffs2 udf dccp sctp rds tipc usb-storage firewire-core firewire-ohci firewire-sbp2)

modules_apply() {
  local text
  # `blacklist` keeps devices from loading a module, `install` keeps everybody else from it.
  text=$(printf 'blacklist %s\n' "${MODULES[@]}" && printf 'install %s /bin/false\n' "${MODULES[@]}")
  put modules "$MODULES_FILE" 0644 <<<"$text"
  each_loaded modules_one
}

# each_loaded COMMAND: calls it with name and number of users, for every module of the list that is loaded.
each_loaded() {
  local name users
  while read -r name _ users _; do
    [[ " ${MODULES[*]//-/_} " != *" $name "* ]] || "$1" "$name" "$users"
  done <"$ROOT_DIR/proc/modules"
}

modules_one() { # NAME USERS
  if checking && (($2 > 0)); then
    differs /proc/modules "$1" loaded '' 'until a reboot'
  else
    put_right /proc/modules "$1" loaded '' unload_module "$1"
  fi
}
unload_module() {
  keep modules module "$1"
  rmmod "$1" 2>/dev/null || log "the module $1 is in use; it is gone after a reboot"
}

# Nothing to reload: the next attempt to load a module reads it.
modules_reload() { :; }

modules_check() {
  local name rules
  rules=$(modprobe --showconfig)
  for name in "${MODULES[@]//-/_}"; do
    grep -qxF "install $name /bin/false" <<<"$rules" || fail "the module $name can still be loaded"
  done
}
