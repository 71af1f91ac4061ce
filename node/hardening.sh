# shellcheck shell=bash
# Hardens the node, unit by unit. Each unit is a file of hardening/ and can be turned off on its own: then the files it wrote are
# removed, and what it replaced comes back from /var/lib/docker-node/hardening. The run fails if a unit does not take effect.
# UNITS        units that are on, separated by spaces; the others are off
# NODE_USER    user of this connection and of every later one
# SSH_USERS    further users whom sshd lets in, separated by spaces
# FORWARDING   true: sshd forwards ports and agents (default false)
# DATA_ROOT    Docker's data (default /var/lib/docker)
# MODE         see check.sh
# Result: {"units":["ssh","sysctl",...]}
SCRIPT=hardening
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
declare -F apt_get >/dev/null || . "${BASH_SOURCE[0]%/*}/apt.sh"
if ! declare -F turn_off >/dev/null; then
  for part in kept ssh ssh-others sudo sysctl modules coredumps journal updates time resolved services modes apparmor audit-rules audit; do
    # shellcheck source=/dev/null
    . "${BASH_SOURCE[0]%/*}/hardening/$part.sh"
  done
fi

# audit comes last, because it watches what the others have made.
readonly EVERY=(ssh sudo sysctl modules coredumps journal updates time resolved services modes apparmor audit)
UNITS="${UNITS:-}"

is_on() { [[ " $UNITS " == *" $1 "* ]]; }

# Installs what the units need, all at once, because reading the package lists takes longer than everything else. When a unit is
# turned off, the service that came with its package is turned off too; the package stays.
install_missing() {
  local missing=()
  if is_on audit && ! command -v auditctl >/dev/null; then
    keep audit service auditd.service 'disabled inactive'
    missing+=(auditd)
  fi
  if is_on time && ! is_there "$(time_service)"; then
    keep time service systemd-timesyncd.service 'disabled inactive'
    missing+=(systemd-timesyncd)
  fi
  ! is_on updates || command -v unattended-upgrade >/dev/null || missing+=(unattended-upgrades)
  ((${#missing[@]} == 0)) || put_right packages "${missing[*]}" absent installed install_packages "${missing[@]}"
}

install_packages() {
  apt_get update
  apt_get install --no-install-recommends "$@"
}

# A unit that is not in effect, for whatever reason, is loaded once more before it counts as failed.
turn_on() { # UNIT
  "$1_apply"
  if is_pending "$1" || ! ("$1_check") >/dev/null 2>&1; then
    "$1_reload"
    settled "$1"
    "$1_check"
  fi
}

# A unit whose files and services are as declared may still not be in effect, because another file overrides ours.
check_unit() { # UNIT
  local said reason
  said=$("$1_apply")
  if [[ -n $said ]]; then
    printf '%s\n' "$said"
  elif is_pending "$1"; then
    differs "hardening.$1" '' 'written, not read by its service' 'in effect'
  elif ! reason=$( ("$1_check") 2>&1); then
    differs "hardening.$1" '' "${reason#docker-node: hardening: }" 'in effect'
  fi
}

main() {
  local unit list act=turn_on
  begin_change
  ! checking || act=check_unit
  for unit in $UNITS; do
    [[ " ${EVERY[*]} " == *" $unit "* ]] || fail "UNITS: there is no unit $unit"
  done
  read_notes
  for unit in "${EVERY[@]}"; do is_on "$unit" || turn_off "$unit"; done
  install_missing
  for unit in "${EVERY[@]}"; do ! is_on "$unit" || "$act" "$unit"; done
  ! checking || return 0
  list=$(tr -s ' ' '\n' <<<"$UNITS" | sed '/^$/d; s/.*/"&"/' | paste -sd, -)
  json_object "units:=[$list]"
}

main "$@" </dev/null
