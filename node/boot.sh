# shellcheck shell=bash
# Waits until the latest boot is over. The graph runs it again when a change of the machine may have rebooted it.
# MACHINE       what the machine boots with; not read, but a new value runs this again
# BOOT_TIMEOUT  seconds to wait (default: three quarters of the limit)
# Result: none
SCRIPT=boot
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

BOOT_TIMEOUT="${BOOT_TIMEOUT:-$((LIMIT * 3 / 4))}"

# `systemctl is-system-running --wait` returns when the boot is over: "running", or "degraded" if a unit failed, which monitoring
# reports. It fails at once while systemd is not up yet.
boot_is_over() {
  local left=$((BOOT_TIMEOUT > SECONDS ? BOOT_TIMEOUT - SECONDS : 1))
  [[ $(timeout "$left" systemctl is-system-running --wait 2>/dev/null) =~ ^(running|degraded)$ ]]
}

# For a node that has Docker already: waits for it and for the containers that start with it.
docker_is_up() { ! systemctl is-enabled --quiet docker.service 2>/dev/null || systemctl is-active --quiet docker.service; }

main() {
  limit_run
  wait_for "$BOOT_TIMEOUT" boot_is_over || fail "the boot was not over after $BOOT_TIMEOUT s" "$(systemctl list-jobs 2>&1 || true)"
  wait_for 120 docker_is_up || log "docker.service is not active"
}

main "$@" </dev/null
