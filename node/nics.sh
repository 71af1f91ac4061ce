# shellcheck shell=bash
# Each NIC beside the first has its address, and nothing else: the node asks for names, and reaches other networks, by the first one.
# cloud-init gives every NIC the name servers of all (cloudinit/net/netplan.py), so systemd-resolved asks them by each, and waits for
# those that cannot answer there (systemd#40534). systemd-networkd takes addresses and routes of any router that announces itself.
# ADDRESSES  the addresses of these NICs, separated by spaces (none: what an earlier run wrote is removed)
# MODE       see check.sh
# Result: {"nics":["eth1"]}
SCRIPT=nics
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"

ADDRESSES="${ADDRESSES:-}"
# A NIC has its address soon after the boot; one that was added without a reboot has none before the next.
readonly NETWORKS="$ROOT_DIR/etc/systemd/network" FILE=docker-node.conf
readonly ADDRESS_TIMEOUT="${ADDRESS_TIMEOUT:-30}" NARROW_TIMEOUT="${NARROW_TIMEOUT:-15}"
readonly SETTINGS='[Network]
DNS=
Domains=
DNSDefaultRoute=no
IPv6AcceptRA=no'

nic_of() { ip -o address show to "$1" | awk '{ print $2; exit }'; } # ADDRESS
has_nic() { [[ -n $(nic_of "$1") ]]; }

# The file that systemd-networkd has the NIC from; drop-ins go by its name. Nothing where something else manages the NIC.
network_file() { # NIC
  (networkctl status --no-pager --lines=0 "$1" 2>/dev/null || true) | sed -n 's/^ *Network File: *\(\/.*\)/\1/p'
}

# What the NIC has beside its address, in one line; nothing when all is well.
extras() { # NIC
  {
    (resolvectl dns "$1" 2>/dev/null || true) | sed 's/^[^:]*: *//'
    ip -o -6 route show default dev "$1"
  } | xargs
}
has_no_extras() { [[ -z $(extras "$1") ]]; }

take_up() { # NIC
  networkctl reload
  networkctl reconfigure "$1"
  wait_for "$NARROW_TIMEOUT" has_no_extras "$1" || fail "$1 has more than its address" "$(extras "$1")"
}

WRITTEN=()
narrow() { # NIC
  local file
  file=$(network_file "$1")
  if [[ -z $file ]]; then
    checking || log "$1 is not managed by systemd-networkd: what it has beside its address stays"
    return
  fi
  file=$NETWORKS/${file##*/}.d/$FILE
  WRITTEN+=("$file")
  write_if_changed "$file" 0644 <<<"$SETTINGS"
  if [[ $CHANGED == yes ]]; then
    take_up "$1"
  elif ! has_no_extras "$1"; then
    put_right "$1" '' "$(extras "$1")" '' take_up "$1"
  fi
}

# Of NICs that are gone.
remove_others() {
  local file
  for file in "$NETWORKS"/*.d/"$FILE"; do
    [[ ! -e $file || " ${WRITTEN[*]} " == *" $file "* ]] || put_right "$file" '' present '' remove "$file"
  done
}
remove() {
  rm -f "$1"
  rmdir --ignore-fail-on-non-empty "${1%/*}"
}

main() {
  local address nic nics=()
  begin_change
  for address in $ADDRESSES; do
    checking || wait_for "$ADDRESS_TIMEOUT" has_nic "$address" || true
    nic=$(nic_of "$address")
    if [[ -n $nic ]]; then
      nics+=("$nic")
      narrow "$nic"
    elif checking; then
      differs "$address" '' 'on no NIC' 'on a NIC' 'until the VM boots'
    else
      log "no NIC has the address $address; the VM has to boot"
    fi
  done
  remove_others
  checking || json_object "nics:=[$(printf '"%s"\n' "${nics[@]}" | sed '/^""$/d' | paste -sd, -)]"
}

main "$@" </dev/null
