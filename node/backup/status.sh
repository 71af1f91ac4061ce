# shellcheck shell=bash
# What is known of each item, in STATE_DIR/status.json, and the same for Prometheus' textfile collector.

# The status as it is; an unreadable one counts as none, so that everything is due.
current() {
  jq -ce 'select(.items | type == "object")' "$STATUS" 2>/dev/null || printf '{"items":{}}\n'
}

# update JQ-ARGUMENT...: a reader sees the old file or the new one.
update() {
  local text
  text=$(current | jq --arg node "$NODE_NAME" --arg now "$(now)" "$@")
  jq '{node: $node, updated: $now, items: .items}' --arg node "$NODE_NAME" --arg now "$(now)" <<<"$text" >"$STATUS.new"
  sync "$STATUS.new"
  mv -f "$STATUS.new" "$STATUS"
  metrics
}

# record_good ITEM KIND SNAPSHOT BYTES SECONDS
record_good() {
  # shellcheck disable=SC2016 # jq's variables
  update --arg item "$1" --arg kind "$2" --arg snapshot "$3" --argjson bytes "$4" --argjson seconds "$5" '
    .items[$item] = {$kind, lastGood: $now, $snapshot, lastTry: $now, result: "ok", error: null, $bytes, $seconds}'
}

# record_failed ITEM KIND ERROR SECONDS [WAITS]: the last good one stays known. WAITS: held or spared, see owners.sh.
record_failed() {
  # shellcheck disable=SC2016
  update --arg item "$1" --arg kind "$2" --arg error "$3" --argjson seconds "$4" --arg waits "${5:-}" '
    .items[$item] = {lastGood: null, snapshot: null, bytes: null} + (.items[$item] // {} | del(.waits))
      + {$kind, lastTry: $now, result: "failed", $error, $seconds} + (if $waits == "" then {} else {$waits} end)'
}

# record_unchanged ITEM: the last snapshot still is what there is.
record_unchanged() {
  # shellcheck disable=SC2016
  update --arg item "$1" '.items[$item] += {lastGood: $now, lastTry: $now, result: "ok", error: null}'
}

# keep_volumes NAME...: what is no volume any more, or is not to be backed up, is no item either.
keep_volumes() {
  # shellcheck disable=SC2016
  update '.items |= with_entries(select((.key | startswith("volume/") | not)
    or (.key | ltrimstr("volume/") | IN($ARGS.positional[]))))' --args "$@"
}

# forget ITEM
forget() {
  # shellcheck disable=SC2016
  update --arg item "$1" 'del(.items[$item])'
}

# is_due ITEM KIND: never good, failed last time, or good longer ago than its schedule has it. One that would stop containers
# again waits for its schedule, or as long as that is apart.
is_due() {
  # shellcheck disable=SC2016
  current | jq -e --arg item "$1" --argjson period "$(period "$2")" '
    def past($time): now - ($time | fromdate) >= $period;
    .items[$item] as $i
    | if $i.waits then past($i.lastTry) else ($i.lastGood == null) or $i.result != "ok" or past($i.lastGood) end' >/dev/null
}

# was_held: names of volumes, a line each, whose containers were stopped for nothing the last time.
was_held() {
  current | jq -r '.items | to_entries[] | select(.value.waits == "held") | .key | ltrimstr("volume/")'
}

# metrics: replaced whole, readable by the collector's user.
metrics() {
  local folder="$STATE_DIR/metrics"
  (umask 022 && mkdir -p "$folder")
  jq -r --from-file "$HERE/metrics.jq" "$STATUS" >"$folder/.new"
  chmod 0644 "$folder/.new"
  mv -f "$folder/.new" "$folder/docker_node_backup.prom"
}

# A table for people.
show_status() {
  current | jq -r '"ITEM\tRESULT\tLAST GOOD\tSNAPSHOT\tERROR", (.items | to_entries[] |
    [.key, .value.result, .value.lastGood // "never", .value.snapshot // "-", .value.error // "-"] | join("\t"))'
}
