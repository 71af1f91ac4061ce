# shellcheck shell=bash
# Writes the state of the node as metrics for node-exporter's textfile collector. monitoring.sh installs it, and a timer runs it
# every minute. It only reads. If something does not answer, its metric is missing or 0, and all others are still written.
# DIRECTORY  the collector's folder
# AGENT      address and port of the Portainer agent (none)
# RPO        a line `KIND SECONDS` for each kind of backup (none)
SCRIPT=monitoring-health
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

AGENT="${AGENT:-}" RPO="${RPO:-}"
# A daemon that hangs counts as down.
DOCKER_TIMEOUT=20

# metric NAME HELP <<<LINES: lines of labels and value. Without lines there is no metric.
metric() {
  local lines line kind=gauge
  lines=$(grep . || true)
  [[ -n $lines ]] || return 0
  [[ $1 != *_total ]] || kind=counter
  printf '# HELP docker_node_%s %s\n# TYPE docker_node_%s %s\n' "$1" "$2" "$1" "$kind"
  while IFS= read -r line; do printf 'docker_node_%s%s\n' "$1" "$line"; done <<<"$lines"
}

# Name, state, health, restarts and restart policy of each container. A container that is gone meanwhile is left out.
inspect_all() {
  local ids
  ids=$(docker_cli ps --all --quiet --no-trunc) || return 1
  [[ -n $ids ]] || return 0
  # shellcheck disable=SC2086 # a list of ids
  docker_cli inspect --type container --format \
    '{{.Name}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}-{{end}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}' \
    $ids || true
}

# shellcheck disable=SC2016 # awk
containers() {
  local rows up=1
  rows=$(inspect_all 2>/dev/null) || up=0
  rows=${rows//'/'/}
  metric docker_up "1 when dockerd answers." <<<" $up"
  metric container_running "1 when the container runs." < <(rows_of '{ print "{container=\"" $1 "\",restart=\"" $5 "\"} " ($2 == "running") }')
  metric container_healthy "0 when its health check fails; not there without a health check." < <(rows_of '$3 != "-" { print "{container=\"" $1 "\"} " ($3 != "unhealthy") }')
  metric container_restarts_total "How often docker has started it again by itself." < <(rows_of '{ print "{container=\"" $1 "\"} " $4 }')
}
rows_of() { awk "$1" <<<"$rows" | grep -v 'container=""' || true; }

# What the backup container reports, and how old a backup may be.
backups() {
  local file="$ROOT_DIR/var/lib/docker-node/backup/metrics/docker_node_backup.prom"
  [[ -n $RPO ]] || return 0
  [[ ! -e $file ]] || cat "$file"
  metric backup_rpo_seconds "How old the last good backup may be." < <(awk '{ print "{kind=\"" $1 "\"} " $2 }' <<<"$RPO")
}

certificate() {
  local end
  [[ -n $AGENT ]] || return 0
  end=$(timeout 20 openssl s_client -connect "$AGENT" </dev/null 2>/dev/null | openssl x509 -noout -enddate 2>/dev/null) || return 0
  metric certificate_expiry_timestamp_seconds "When the certificate ends." <<<"{service=\"portainer-agent\"} $(date -d "${end#*=}" +%s)"
}

machine() {
  local synchronized=0 reboot=0
  [[ $(timedatectl show --property=NTPSynchronized --value) != yes ]] || synchronized=1
  [[ ! -e $ROOT_DIR/run/reboot-required ]] || reboot=1
  metric time_synchronized "1 when the clock follows a time server." <<<" $synchronized"
  metric reboot_required "1 when updates wait for a reboot." <<<" $reboot"
  metric health_timestamp_seconds "When this was written." <<<" $(date +%s)"
}

main() {
  require DIRECTORY
  local file="$ROOT_DIR$DIRECTORY/docker_node_health.prom"
  { containers; backups; certificate; machine; } >"$file.new"
  # The collector must read the whole file or nothing.
  chmod 0644 "$file.new"
  mv -f "$file.new" "$file"
}

main "$@" </dev/null
