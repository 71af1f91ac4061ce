# shellcheck shell=bash
# Keeps what is known of each item in STATE_DIR/status.json, and the same for Prometheus' textfile collector.

# The current status. An unreadable file counts as empty, so that everything is due.
current() {
  jq -ce 'select(.items | type == "object")' "$STATUS" 2>/dev/null || printf '{"items":{}}\n'
}

# update JQ-ARGUMENT...: a reader sees the old file or the new one, never a half.
update() {
  local text
  text=$(current | jq --arg node "$NODE_NAME" --arg now "$(now)" "$@")
  jq '{node: $node, updated: $now, items: .items}' --arg node "$NODE_NAME" --arg now "$(now)" <<<"$text" >"$STATUS.new"
  sync "$STATUS.new"
  mv -f "$STATUS.new" "$STATUS"
  metrics
}

# record_good ITEM KIND SNAPSHOT BYTES SECONDS [EXCLUDES]: a .pxarexclude in the volume, whose list the snapshot lacks.
record_good() {
  # shellcheck disable=SC2016 # jq's variables
  update --arg item "$1" --arg kind "$2" --arg snapshot "$3" --argjson bytes "$4" --argjson seconds "$5" \
    --arg excludes "${6:-}" '
    .items[$item] = {$kind, lastGood: $now, $snapshot, lastTry: $now, result: "ok", error: null, $bytes, $seconds}
      + (if $excludes == "" then {} else {$excludes} end)'
}

# record_failed ITEM KIND ERROR SECONDS [WAITS [INCOMPLETE]]: the last good snapshot stays known. WAITS: held or spared, see owners.sh;
# later, if another attempt before the schedule would only cost. INCOMPLETE: a snapshot that lacks files.
record_failed() {
  # shellcheck disable=SC2016
  update --arg item "$1" --arg kind "$2" --arg error "$3" --argjson seconds "$4" --arg waits "${5:-}" --arg incomplete "${6:-}" '
    .items[$item] = {lastGood: null, snapshot: null, bytes: null} + (.items[$item] // {} | del(.waits))
      + {$kind, lastTry: $now, result: "failed", $error, $seconds} + (if $waits == "" then {} else {$waits} end)
      + (if $incomplete == "" then {} else {$incomplete} end)'
}

# record_unchanged ITEM: the last snapshot is still current.
record_unchanged() {
  # shellcheck disable=SC2016
  update --arg item "$1" '.items[$item] += {lastGood: $now, lastTry: $now, result: "ok", error: null}'
}

# keep_volumes NAME...: removes items whose volume is gone or is no longer to be backed up.
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

# is_due ITEM KIND: true if the item was never backed up, failed last time, or is older than its schedule allows. An item that would
# stop containers or fill a disk again waits for its schedule, or for one period after its last attempt.
is_due() {
  # shellcheck disable=SC2016
  current | jq -e --arg item "$1" --argjson period "$(period "$2")" '
    def past($time): now - ($time | fromdate) >= $period;
    .items[$item] as $i
    | if $i.waits then past($i.lastTry) else ($i.lastGood == null) or $i.result != "ok" or past($i.lastGood) end' >/dev/null
}

# was_held: names of volumes, one per line, whose containers were stopped in vain the last time.
was_held() {
  current | jq -r '.items | to_entries[] | select(.value.waits == "held") | .key | ltrimstr("volume/")'
}

# metrics: replaces the whole file, which the collector's user can read.
metrics() {
  local folder="$STATE_DIR/metrics"
  (umask 022 && mkdir -p "$folder")
  jq -r --from-file "$HERE/metrics.jq" "$STATUS" >"$folder/.new"
  chmod 0644 "$folder/.new"
  mv -f "$folder/.new" "$folder/docker_node_backup.prom"
}

# Prints a table for people.
show_status() {
  current | jq -r '"ITEM\tRESULT\tLAST GOOD\tSNAPSHOT\tERROR", (.items | to_entries[] |
    [.key, .value.result, .value.lastGood // "never", .value.snapshot // "-", .value.error // "-"] | join("\t"))'
}
