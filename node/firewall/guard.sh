# shellcheck shell=bash
# The node's firewall at work: a table of its own in nftables, beside Docker's, in the form that it has at every boot. firewall.sh
# uses these functions, and writes them as a program of the node (GUARD) for systemd.
# Confirmed rules are in FIREWALL_RULES. Rules on trial are in memory alone, so that a reboot ends the trial too.

firewall_names() {
  FIREWALL_RULES="$ROOT_DIR/etc/docker-node/firewall.nft"
  FIREWALL_STATE="$ROOT_DIR/var/lib/docker-node/firewall"
  FIREWALL_RUN="$ROOT_DIR/run/docker-node/firewall"
  FIREWALL_TABLE=(inet docker_node)
}
firewall_names

# firewall_alone COMMAND...: one at a time, because a run, its confirmation and the timers meet here.
firewall_alone() {
  local lock
  mkdir -p "$FIREWALL_RUN"
  exec {lock}>"$FIREWALL_RUN/lock"
  flock "$lock"
  "$@"
  exec {lock}>&-
}

# Systemd takes <5> for the severity of the line: a notice.
firewall_say() { printf '<5>docker-node: firewall: %s\n' "$1" >&2; }

# The file whose rules are to be in force, if any.
firewall_file() {
  local file
  for file in "$FIREWALL_RUN/trial.nft" "$FIREWALL_RULES"; do
    [[ ! -e $file ]] || { printf %s "$file" && return; }
  done
}

# Of the file and of what the kernel has; fails while the kernel has no such table.
firewall_sum() { # FILE
  { cat "$1" && nft --stateless list table "${FIREWALL_TABLE[@]}"; } 2>/dev/null | sha256sum
}

firewall_is_whole() { # FILE
  local found
  found=$(firewall_sum "$1") && [[ $(cat "$FIREWALL_RUN/loaded" 2>/dev/null) == "$found" ]]
}

# nft takes a file whole or not at all.
firewall_load() {
  local file
  file=$(firewall_file)
  [[ -n $file ]] || return 0
  nft --file "$file" || return
  mkdir -p "$FIREWALL_RUN"
  firewall_sum "$file" >"$FIREWALL_RUN/loaded"
}

firewall_heal() {
  local file
  file=$(firewall_file)
  if [[ -z $file ]] || firewall_is_whole "$file"; then return; fi
  firewall_say "the rules were not in force as loaded; they are loaded again"
  firewall_load
}

firewall_remove() {
  nft delete table "${FIREWALL_TABLE[@]}" 2>/dev/null || true
  rm -f "$FIREWALL_RUN/loaded"
}

# Back to the confirmed rules; without any, to none.
firewall_end_trial() {
  rm -f "$FIREWALL_RUN"/trial.*
  if [[ -e $FIREWALL_RULES ]]; then firewall_load; else firewall_remove; fi
}

# What the timer of a trial does.
firewall_take_back() {
  [[ -e $FIREWALL_RUN/trial.nft ]] || return 0
  mkdir -p "$FIREWALL_STATE"
  TZ=UTC printf '%(%FT%TZ)T\n' -1 >"$FIREWALL_STATE/taken-back"
  firewall_end_trial
  firewall_say "nobody has confirmed the new rules over a fresh connection; the earlier ones are back"
}
