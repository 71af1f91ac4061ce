# shellcheck shell=bash
# Loads and guards the node's firewall: a table of its own in nftables, beside Docker's. firewall.sh uses these functions, and writes
# them to the node as a program (GUARD), which systemd runs.
# Confirmed rules are in FIREWALL_RULES. Rules on trial are in memory only, so a reboot ends the trial.

firewall_names() {
  FIREWALL_RULES="$ROOT_DIR/etc/docker-node/firewall.nft"
  FIREWALL_STATE="$ROOT_DIR/var/lib/docker-node/firewall"
  FIREWALL_RUN="$ROOT_DIR/run/docker-node/firewall"
  FIREWALL_TABLE=(inet docker_node)
}
firewall_names

# firewall_alone COMMAND...: runs it under a lock, because a run, its confirmation and the timers may overlap.
firewall_alone() {
  local lock
  mkdir -p "$FIREWALL_RUN"
  exec {lock}>"$FIREWALL_RUN/lock"
  flock "$lock"
  "$@"
  exec {lock}>&-
}

# Systemd reads <5> as the severity of the line: a notice.
firewall_say() { printf '<5>docker-node: firewall: %s\n' "$1" >&2; }

# The file whose rules must be in force, if there is one.
firewall_file() {
  local file
  for file in "$FIREWALL_RUN/trial.nft" "$FIREWALL_RULES"; do
    [[ ! -e $file ]] || { printf %s "$file" && return; }
  done
}

# Sum of the file and of the kernel's table; fails if the kernel has no such table.
firewall_sum() { # FILE
  { cat "$1" && nft --stateless list table "${FIREWALL_TABLE[@]}"; } 2>/dev/null | sha256sum
}

firewall_is_whole() { # FILE
  local found
  found=$(firewall_sum "$1") && [[ $(cat "$FIREWALL_RUN/loaded" 2>/dev/null) == "$found" ]]
}

# nft loads a file as a whole or not at all.
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

# Goes back to the confirmed rules. If there are none, the table goes.
firewall_end_trial() {
  rm -f "$FIREWALL_RUN"/trial.*
  if [[ -e $FIREWALL_RULES ]]; then firewall_load; else firewall_remove; fi
}

# The timer of a trial runs this.
firewall_take_back() {
  [[ -e $FIREWALL_RUN/trial.nft ]] || return 0
  mkdir -p "$FIREWALL_STATE"
  TZ=UTC printf '%(%FT%TZ)T\n' -1 >"$FIREWALL_STATE/taken-back"
  firewall_end_trial
  firewall_say "nobody has confirmed the new rules over a fresh connection; the earlier ones are back"
}
