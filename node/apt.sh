# shellcheck shell=bash
# The part of the scripts that talks to apt: it waits for apt's locks. Goes between lib.sh and the script.

os_release() { sed -n "s/^$1=\"\\?\\([^\"]*\\)\"\\?\$/\\1/p" "$ROOT_DIR/etc/os-release"; }

# What apt and dpkg print when another process holds their lock (apt-pkg/contrib/fileutl.cc, apt-pkg/deb/debsystem.cc, dpkg's
# src/main.c).
readonly APT_LOCKED='Could not get lock|Unable to lock|Unable to acquire the dpkg frontend lock|(is|was) locked by another process'

# apt_get ARGUMENT...: keeps our configuration files, and prints nothing unless it fails. `apt-get update` calls a missing index a
# warning, hence the Error-Mode.
apt_get() {
  local failures=0
  until with_locks "apt-get $1" apt_get_once "$@"; do
    ((++failures < 3)) || fail "apt-get $1 failed" "$(tail -n 20 <<<"$OUTPUT")"
    # Only a killed run leaves dpkg in this state.
    [[ $OUTPUT != *'dpkg was interrupted'* ]] || dpkg --force-confold --configure -a >/dev/null 2>&1 || true
    sleep $((failures * ${APT_PAUSE:-10}))
  done
}

# with_locks NAME COMMAND...: waits for another apt as long as the step may take, then says what it printed in OUTPUT. On a first
# boot, apt-daily and unattended-upgrades hold the locks for many minutes; `apt-get update` does not wait for its own lock at all, and
# neither does dpkg.
with_locks() {
  local name=$1 told=no
  shift
  until OUTPUT=$("$@" 2>&1); do
    grep -Eq "$APT_LOCKED" <<<"$OUTPUT" || return 1
    time_is_left || fail "$name: another apt had not ended after $SECONDS s" "$(tail -n 20 <<<"$OUTPUT")"
    [[ $told == yes ]] || log "waiting for another apt: $(apt_holder <<<"$OUTPUT")"
    told=yes
    sleep "${APT_PAUSE:-5}"
  done
}

apt_get_once() {
  apt-get -q -y -o DPkg::Lock::Timeout=20 -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@"
}

# apt says no more than "It is held by process 1234 (apt-get)".
apt_holder() {
  local holder
  holder=$(sed -n 's/.*[Hh]eld by \(process [0-9]* ([^)]*)\).*/\1/p' | head -n 1)
  printf '%s, for at most %s s' "${holder:-a process apt does not name}" "$((LIMIT - SECONDS))"
}

# need_command COMMAND PACKAGE
need_command() {
  command -v "$1" >/dev/null || put_right packages "$2" "" installed install_command "$2"
}
install_command() {
  apt_get update
  apt_get install --no-install-recommends "$1"
}
