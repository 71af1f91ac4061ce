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
    124) fail "cloud-init was still running after $READY_TIMEOUT s" "$(cloud_init_detail)" ;;
    *) fail "cloud-init failed (exit status $status)" "$(cloud_init_detail)" ;;
  esac
}

cloud_init_detail() { timeout 20 cloud-init status --long 2>&1 | tail -n 20 || true; }

main() {
  local key="$ROOT_DIR/etc/ssh/ssh_host_ed25519_key.pub"
  limit_run
  wait_for_first_boot
  [[ -r $key ]] || fail "there is no ed25519 host key: $key"
  awk '{ print $1, $2; exit }' "$key"
}

main "$@" </dev/null
