# Status to Prometheus text format.
def quoted: tojson;
def metric($name; $help; value):
  "# HELP docker_node_backup_\($name) \($help)",
  "# TYPE docker_node_backup_\($name) gauge",
  (.items | to_entries[]
    | (.value | value) as $value
    | select($value != null)
    | "docker_node_backup_\($name){kind=\(.value.kind | quoted),item=\(.key | ltrimstr("volume/") | quoted)} \($value)");

metric("last_success_timestamp_seconds"; "When the item was last known to be backed up as it is."; .lastGood | if . then fromdate else null end),
metric("last_result"; "1 when the last run was good, 0 when it failed."; if .result == "ok" then 1 else 0 end),
metric("duration_seconds"; "How long the last run took."; .seconds),
metric("size_bytes"; "Size of what the last good snapshot holds."; .bytes)
