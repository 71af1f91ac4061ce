# shellcheck shell=bash
# The gate of the graph: returns when the first boot is over, and prints the host key that later connections pin.
# READY_TIMEOUT  seconds to wait for cloud-init (default: nine tenths of the limit)
# Result: `ssh-ed25519 AAAA...`, two fields, no comment.
SCRIPT=ready
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

READY_TIMEOUT="${READY_TIMEOUT:-$((LIMIT * 9 / 10))}"

# Exit status of `cloud-init status` since 23.4: 0 done, 1 failed, 2 done with errors that it recovered from, such as a deprecated
# key in the vendor data (docs.cloud-init.io, "Return codes"). An adopted machine without cloud-init has nothing to wait for.
wait_for_first_boot() {
  local status=0
  command -v cloud-init >/dev/null || return 0
  timeout "$READY_TIMEOUT" cloud-init status --wait >/dev/null 2>&1 || status=$?
  case $status in
    0) ;;
    2) log "cloud-init recovered from errors: see 'cloud-init status --long' on the node" ;;
    1)
      only_packages_failed || fail "cloud-init failed (exit status 1)" "$(cloud_init_detail)"
      log "the package upgrade of the first boot failed; the next steps ask the archive themselves: $(apt_complaints)"
      ;;
    124) fail "cloud-init was still running after $READY_TIMEOUT s" "$(cloud_init_detail)" ;;
    *) fail "cloud-init failed (exit status $status)" "$(cloud_init_detail)" ;;
  esac
}

# An archive that was out of reach makes cloud-init's account an error until the next boot, so that no later `up` would get past
# here. Errors of a module are `('name', exception)`, one a line (cloudinit/cmd/main.py, status_wrapper); names had hyphens before 23.
only_packages_failed() {
  local errors
  errors=$(sed -n '/"errors": \[$/,/^ *\]/{//!p}' "$ROOT_DIR/run/cloud-init/result.json" 2>/dev/null) || return 1
  [[ -n $errors ]] && ! grep -Evq "^ *\"\('(package.update.upgrade.install|apt.configure)', " <<<"$errors"
}

cloud_init_detail() {
  timeout 20 cloud-init status --long 2>&1 | tail -n 20 || true
  apt_complaints
}

# cloud-init itself tells no more of apt than its exit status.
apt_complaints() { grep -E '^[EW]: ' "$ROOT_DIR/var/log/cloud-init-output.log" 2>/dev/null | tail -n 3 || true; }

main() {
  local key="$ROOT_DIR/etc/ssh/ssh_host_ed25519_key.pub"
  limit_run
  wait_for_first_boot
  [[ -r $key ]] || fail "there is no ed25519 host key: $key"
  awk '{ print $1, $2; exit }' "$key"
}

main "$@" </dev/null
