# shellcheck shell=bash
# Confirms the rules on trial: it runs over a fresh connection, so they let SSH in. Fails if they were taken back already. It does not
# wait for other runs on the node, because the trial would end meanwhile.
# ID  name of the rules
# Result: {"confirmed":"..."}
SCRIPT=firewall-confirm
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=guard.sh
declare -F firewall_load >/dev/null || . "${BASH_SOURCE[0]%/*}/guard.sh"
# shellcheck source-path=SCRIPTDIR source=connection.sh
declare -F connection >/dev/null || . "${BASH_SOURCE[0]%/*}/connection.sh"
# shellcheck source-path=SCRIPTDIR source=units.sh
declare -F units >/dev/null || . "${BASH_SOURCE[0]%/*}/units.sh"

is_on_trial() { [[ -e $FIREWALL_RUN/trial.nft && $(<"$FIREWALL_RUN/trial.id") == "$ID" ]]; }

say_why() {
  local again="The earlier ones are in force; the next run tries these again."
  [[ -e $FIREWALL_STATE/taken-back ]] ||
    fail "the rules of the firewall are not on trial any more: the node has rebooted, or another run has ended it" "$again"
  fail "the rules of the firewall were taken back at $(<"$FIREWALL_STATE/taken-back"): no fresh SSH connection came in $TRIAL_SECONDS s" \
    "network.firewall.managementNetworks has to have the address from which pulumi reaches the node. $again"
}

confirm() {
  if ! is_on_trial; then
    is_confirmed || say_why
    return 0
  fi
  [[ -z $SSH_CONNECTION || $SSH_CONNECTION != "$(<"$FIREWALL_RUN/trial.from")" ]] ||
    fail "this connection has loaded the rules; a fresh one has to confirm them"
  # From here on, the timer of the trial would go back to these rules.
  write_if_changed "$FIREWALL_RULES" 0600 <"$FIREWALL_RUN/trial.nft"
  write_if_changed "$FIREWALL_STATE/confirmed" 0600 <<<"$ID"
  rm -f "$FIREWALL_RUN"/trial.*
  disarm
}

main() {
  require ID
  limit_run
  firewall_alone confirm
  json_object "confirmed=$ID"
}

main "$@" </dev/null
