# shellcheck shell=bash
# Services that no node needs do not run, whether the image or a person brought them.

readonly UNNEEDED=(
  avahi-daemon.socket avahi-daemon.service cups.socket cups.path cups.service cups-browsed.service rpcbind.socket rpcbind.service
  ModemManager.service bluetooth.service whoopsie.service
)

# rpcbind is needed to mount NFS of version 3, which a mount without a version may be, and to export it.
needs_rpcbind() {
  local mounted
  mounted=$(findmnt -nfro FSTYPE -t nfs || true)
  [[ -n $mounted ]] || systemctl is-enabled --quiet nfs-server.service 2>/dev/null || has_nfs_line || has_nfs_volume
}
has_nfs_line() {
  awk '$1 !~ /^#/ && $3 == "nfs" && $4 !~ /(^|,)(nfs)?vers=4/ { found = 1 } END { exit !found }' "$ROOT_DIR/etc/fstab" 2>/dev/null
}
# Docker mounts a volume with its first container. These are the options of its driver "local" (moby, volume/local/local.go).
has_nfs_volume() {
  local file text
  for file in "$ROOT_DIR${DATA_ROOT:-/var/lib/docker}"/{,*.*/}volumes/*/opts.json; do
    [[ -r $file ]] || continue
    text=$(<"$file")
    [[ $text == *'"MountType":"nfs"'* && ! $text =~ \"MountOpts\":\"([^\"]*,)?(nfs)?vers=4 ]] || continue
    return 0
  done
  return 1
}

services_unwanted() {
  if needs_rpcbind; then printf '%s\n' "${UNNEEDED[@]}" | grep -v ^rpcbind; else printf '%s\n' "${UNNEEDED[@]}"; fi
}

services_apply() {
  local unit
  for unit in $(services_unwanted); do stop_service services "$unit"; done
  ! needs_rpcbind || rpcbind_back
}

# An NFS that came after rpcbind was stopped.
rpcbind_back() {
  local unit states
  for unit in rpcbind.socket rpcbind.service; do
    states=$(awk -F '\t' -v unit="$unit" '$1 == "service" && $2 == unit { print $3 }' "$KEPT/services" 2>/dev/null || true)
    [[ -z $states || $states == masked* || $(enabled "$unit") != masked ]] ||
      put_right systemd "$unit" masked "${states% *}" give_back_service "$unit" "$states"
  done
}

services_reload() { :; }

services_check() {
  local unit
  for unit in $(services_unwanted); do
    ! systemctl is-active --quiet "$unit" || fail "$unit still runs"
  done
}
