# shellcheck shell=bash
# Services that no node needs do not run, whether the image or a person brought them.

readonly UNNEEDED=(
  avahi-daemon.socket avahi-daemon.service cups.socket cups.path cups.service cups-browsed.service rpcbind.socket rpcbind.service
  ModemManager.service bluetooth.service whoopsie.service
)

# rpcbind is needed to mount NFS version 3.
services_wanted() {
  local mounted
  mounted=$(findmnt -nfro FSTYPE -t nfs || true)
  if [[ -n $mounted ]]; then printf '%s\n' "${UNNEEDED[@]}" | grep -v ^rpcbind; else printf '%s\n' "${UNNEEDED[@]}"; fi
}

services_apply() {
  local unit
  for unit in $(services_wanted); do stop_service services "$unit"; done
}

services_reload() { :; }

services_check() {
  local unit
  for unit in $(services_wanted); do
    ! systemctl is-active --quiet "$unit" || fail "$unit still runs"
  done
}
