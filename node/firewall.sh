# shellcheck shell=bash
# The node's own firewall. Confirmed rules are loaded at every boot. New rules are on trial: a timer takes them back after a minute
# unless firewall/confirm.sh runs over a fresh connection before.
# RULES        for nft, a whole table; empty: the node has no firewall, and its earlier one is removed
# ID           name of the rules
# SSH_SOURCES  networks from which the rules let in SSH, separated by spaces
# ADDRESS      address of the node
# Result: {"firewall":"in force"}, "on trial" or "off"
SCRIPT=firewall
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
declare -F apt_get >/dev/null || . "${BASH_SOURCE[0]%/*}/apt.sh"
# shellcheck source-path=SCRIPTDIR source=firewall/guard.sh
declare -F firewall_load >/dev/null || . "${BASH_SOURCE[0]%/*}/firewall/guard.sh"
# shellcheck source-path=SCRIPTDIR source=firewall/connection.sh
declare -F connection >/dev/null || . "${BASH_SOURCE[0]%/*}/firewall/connection.sh"
# shellcheck source-path=SCRIPTDIR source=firewall/units.sh
declare -F units >/dev/null || . "${BASH_SOURCE[0]%/*}/firewall/units.sh"

RULES="${RULES:-}" ID="${ID:-}" SSH_SOURCES="${SSH_SOURCES:-}" ADDRESS="${ADDRESS:-}"

lets_in() { # ADDRESS NETWORK...
  python3 -c '
import ipaddress, sys
text, *networks = sys.argv[1:]
address = ipaddress.ip_address(text.split("%")[0])
address = getattr(address, "ipv4_mapped", None) or address
sys.exit(not any(address in ipaddress.ip_network(one, strict=False) for one in networks))' "$@"
}

refuse_lock_out() {
  local client port
  read -r client _ _ port <<<"$SSH_CONNECTION" || true
  [[ -n ${port:-} ]] || return 0
  [[ $port == 22 ]] || fail "refused: this connection came to port $port, and the rules let in SSH at port 22 alone"
  # shellcheck disable=SC2086 # a list of networks
  lets_in "$client" $SSH_SOURCES ||
    fail "refused: this connection came from $client, and the rules let in SSH from ${SSH_SOURCES// /, } alone" \
      "network.firewall.managementNetworks has to have it"
}

# The rules recognise containers by their bridges.
refuse_bridge() {
  local name
  name=$(ip -o -4 address show to "$ADDRESS" | awk '{ print $2; exit }')
  [[ -z $name || ! -e $ROOT_DIR/sys/class/net/$name/bridge ]] ||
    fail "refused: the node's own address is on a bridge, $name, and would count as a container's"
}

refuse_rules() {
  local reason
  reason=$(nft --check --file - <<<"$RULES" 2>&1) || fail "nft does not take the rules; nothing was changed" "$reason"
}

# Confirmed rules are put in force again, whatever has changed them.
keep_confirmed() {
  if [[ -e $FIREWALL_RUN/trial.nft ]]; then put_right nft "table ${FIREWALL_TABLE[*]}" 'on trial' confirmed firewall_end_trial; fi
  write_if_changed "$FIREWALL_RULES" 0600 <<<"$RULES"
  firewall_is_whole "$FIREWALL_RULES" || put_right nft "table ${FIREWALL_TABLE[*]}" changed 'as declared' firewall_load
}

say_taken_back() {
  [[ ! -e $FIREWALL_STATE/taken-back ]] ||
    log "at $(<"$FIREWALL_STATE/taken-back") rules were taken back that no fresh connection had confirmed"
  rm -f "$FIREWALL_STATE/taken-back"
}

try_rules() {
  say_taken_back
  printf '%s\n' "$ID" >"$FIREWALL_RUN/trial.id"
  printf '%s\n' "$SSH_CONNECTION" >"$FIREWALL_RUN/trial.from"
  arm
  write_if_changed "$FIREWALL_RUN/trial.nft" 0600 <<<"$RULES"
  firewall_load && return
  firewall_end_trial
  disarm
  fail "the rules could not be loaded; the earlier ones are in force"
}

turn_off() {
  if [[ ! -e $UNITS/$LOADER && ! -e $FIREWALL_RULES ]]; then return; fi
  disarm
  units_off
  firewall_remove
  rm -rf "$FIREWALL_RUN" "$FIREWALL_STATE" "$FIREWALL_RULES"
  rmdir --ignore-fail-on-non-empty "${FIREWALL_RULES%/*}"
}

turn_on() {
  require ID SSH_SOURCES ADDRESS
  need_command nft nftables
  if checking && ! command -v nft >/dev/null; then return; fi
  if ! checking; then
    refuse_lock_out
    refuse_bridge
    refuse_rules
  fi
  units
  if checking; then
    keep_confirmed
  elif is_confirmed; then
    firewall_alone keep_confirmed
  else
    firewall_alone try_rules
  fi
}

main() {
  local result=off
  begin_change
  if [[ -n $RULES ]]; then
    turn_on
    if is_confirmed; then result='in force'; else result='on trial'; fi
  elif checking; then
    [[ ! -e $UNITS/$LOADER ]] || differs "$FIREWALL_RULES" '' present absent
  else
    turn_off
  fi
  checking || json_object "firewall=$result"
}

main "$@" </dev/null
