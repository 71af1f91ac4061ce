# shellcheck shell=bash
# Sets up what Prometheus reads on the node: node-exporter, and scripts that write files for its textfile collector.
# LISTEN     address and port of node-exporter (empty: it is removed, if we installed it)
# DIRECTORY  folder of the textfile collector (node-exporter's own, without HEALTH)
# HEALTH     script that writes the state of the node (empty: it is removed)
# PROXY      yes: cAdvisor asks Docker through a proxy, whose configuration is written (else it is removed)
# DRIFT      script that writes what was changed by hand (empty: it is removed)
# REMOVE     yes: everything is removed
# With MODE=check, HEALTH and DRIFT are digests of the files with these scripts (node/monitoring.ts).
# Result: {"parts":"node-exporter proxy health drift"}
SCRIPT=monitoring
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

LISTEN="${LISTEN:-}" HEALTH="${HEALTH:-}" DRIFT="${DRIFT:-}" PROXY="${PROXY:-}"
DIRECTORY="${DIRECTORY:-/var/lib/prometheus/node-exporter}"

# shellcheck disable=SC2034 # the parts' in monitoring/
readonly UNITS="$ROOT_DIR/etc/systemd/system"

PARTS=()

# run_unit UNIT RESTART: enables and starts a unit, and restarts it if its files changed.
run_unit() {
  reload_units
  enable_unit "$1"
  if [[ $2 == yes ]] && systemctl is-active --quiet "$1"; then systemctl restart "$1"; else start_unit "$1"; fi
}

set_up_exporter_or_not() {
  if [[ -z $LISTEN ]]; then
    take_away_exporter
  else
    set_up_exporter
    PARTS+=(node-exporter)
  fi
}

set_up_proxy_or_not() {
  if [[ -z $PROXY ]]; then
    take_away_proxy
  else
    set_up_proxy
    PARTS+=(proxy)
  fi
}

# job_or_not NAME TEXT WHEN...
job_or_not() {
  if [[ -z $2 ]]; then
    take_away_job "$1"
  else
    job "$@"
    PARTS+=("$1")
  fi
}

main() {
  begin_change
  if [[ ${REMOVE:-no} == yes ]]; then LISTEN='' HEALTH='' DRIFT='' PROXY=''; fi
  if [[ -n $LISTEN$HEALTH && ! -d $ROOT_DIR$DIRECTORY ]]; then
    put_right "$DIRECTORY" "" absent present mkdir -p "$ROOT_DIR$DIRECTORY"
  fi
  # Some images lack openssl, which reads the certificate.
  if [[ -n $HEALTH ]]; then need_command openssl openssl; fi
  set_up_exporter_or_not
  set_up_proxy_or_not
  job_or_not health "$HEALTH" OnActiveSec=0 OnBootSec=1min OnUnitActiveSec=1min AccuracySec=5s
  job_or_not drift "$DRIFT" OnActiveSec=1min OnBootSec=10min OnUnitActiveSec=6h RandomizedDelaySec=5min
  checking || json_object "parts=${PARTS[*]}"
}

main "$@" </dev/null
