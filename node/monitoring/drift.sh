# shellcheck shell=bash
# Writes what was changed on the node by hand, as metrics for node-exporter's textfile collector. monitoring.sh installs it, and a
# timer runs it every six hours. It only reads.
# DIRECTORY  the collector's folder
# CHECKS     a script that prints a line of JSON for each difference (node/checks.ts)
SCRIPT=monitoring-drift
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

# shellcheck disable=SC2016 # Python
COUNT='
import collections, json, sys, time
found, failed = collections.Counter(), set()
for line in sys.stdin:
    try:
        row = json.loads(line)
    except ValueError:
        continue
    if row.get("failed"):
        failed.add(row["step"])
    else:
        found[row["step"]] += 1

def metric(name, what, lines):
    print(f"# HELP docker_node_{name} {what}", f"# TYPE docker_node_{name} gauge", sep="\n")
    print(*(f"docker_node_{name}{line}" for line in lines), sep="\n")

steps = sys.argv[1].split()
metric("differences", "What is not as declared.", [f"{{step=\"{step}\"}} {found[step]}" for step in steps])
metric("check_failed", "1 when it could not be compared.", [f"{{step=\"{step}\"}} {int(step in failed)}" for step in steps])
metric("drift_timestamp_seconds", "When this was written.", [f" {int(time.time())}"])
'

# steps: names of the checked steps, taken from the last line of each check.
steps() { sed -n 's/^checked \([a-z]*\) \$?$/\1/p' <<<"$CHECKS" | xargs; }

main() {
  require DIRECTORY CHECKS
  local file="$ROOT_DIR$DIRECTORY/docker_node_drift.prom"
  bash -s <<<"$CHECKS" | python3 -c "$COUNT" "$(steps)" >"$file.new"
  chmod 0644 "$file.new"
  mv -f "$file.new" "$file"
}

main "$@" </dev/null
