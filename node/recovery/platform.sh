# shellcheck shell=bash
# One step of restoring Docker and its configuration.
# ACTION          save, restart, compare or back
# FILES           files that come from the backup, relative to /, one per line (save, back)
# SAVED           archive of what was there before (save, back)
# CHECKSUMS       lines for sha256sum --check (compare)
# OWNERS          lines of `stat -c '%u:%g %a %n'` for the same files (compare)
# HEALTH_TIMEOUT  seconds Docker has to answer (default 120)
# Result: how many files are as backed up (compare), otherwise none
SCRIPT=platform
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../daemon/validate.sh
declare -F validate_daemon_json >/dev/null || . "${BASH_SOURCE[0]%/*}/../daemon/validate.sh"

HEALTH_TIMEOUT="${HEALTH_TIMEOUT:-120}"

# Saves all of /etc/docker, because a file that exists only here is worth keeping, and everything else that will be replaced.
present() {
  local file
  while IFS= read -r file; do
    if [[ -e $ROOT_DIR/$file || -L $ROOT_DIR/$file ]]; then printf '%s\n' "$file"; fi
  done < <(printf 'etc/docker\n' && grep -v '^etc/docker/' <<<"$FILES")
}

save() {
  local paths
  paths=$(present)
  mkdir -p "$ROOT_DIR${SAVED%/*}"
  (umask 077 && tar -c --numeric-owner -C "$ROOT_DIR/" -f "$ROOT_DIR$SAVED.new" -T - < <(printf %s "$paths"))
  mv -f "$ROOT_DIR$SAVED.new" "$ROOT_DIR$SAVED"
}

answers() { docker_cli version >/dev/null 2>&1; }

# Checked before the restart: a running daemon is better than one that does not come back.
restart() {
  local file="$ROOT_DIR/etc/docker/daemon.json" complaint
  if [[ -e $file ]]; then
    complaint=$(validate_daemon_json "$file") || fail "the backed-up daemon.json is not valid" "$complaint"
  fi
  start_docker
}

start_docker() {
  systemctl daemon-reload
  systemctl reset-failed docker.service 2>/dev/null || true
  systemctl restart docker.service || fail "docker.service does not start" "$(journal)"
  wait_for "$HEALTH_TIMEOUT" answers || fail "Docker does not answer" "$(journal)"
}

journal() { journalctl --unit docker.service --no-pager --lines 15 --output cat 2>&1 || true; }

compare() {
  local differing
  differing=$(cd "$ROOT_DIR/" && sha256sum --check --quiet 2>&1 <<<"$CHECKSUMS") || fail "not as backed up" "$differing"
  differing=$(cd "$ROOT_DIR/" && cut -d ' ' -f 3- <<<"$OWNERS" | xargs -r -d '\n' stat -c '%u:%g %a %n' -- 2>&1 |
    diff - <(printf '%s\n' "$OWNERS")) || fail "not owned as backed up, or with other modes" "$differing"
  printf '%s files have the checksums, owners and modes of the backup\n' "$(wc -l <<<"$CHECKSUMS")"
}

back() {
  local file
  while IFS= read -r file; do
    rm -f -- "$ROOT_DIR/$file"
  done <<<"$FILES"
  tar -x -p --numeric-owner -C "$ROOT_DIR/" -f "$ROOT_DIR$SAVED"
  start_docker
}

main() {
  begin_change
  require ACTION FILES SAVED
  case $ACTION in
    save | restart | compare | back) "$ACTION" ;;
    *) fail "ACTION is $ACTION" ;;
  esac
}

main "$@" </dev/null
