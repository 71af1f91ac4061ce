# shellcheck shell=bash
# The part of storage.sh and install.sh that talks to apt: it waits for apt's locks and knows where packages come from. Goes between
# lib.sh and the script.

os_release() { sed -n "s/^$1=\"\\?\\([^\"]*\\)\"\\?\$/\\1/p" "$ROOT_DIR/etc/os-release"; }

# What apt and dpkg print when another process holds their lock (apt-pkg/contrib/fileutl.cc, apt-pkg/deb/debsystem.cc, dpkg's
# src/main.c).
readonly APT_LOCKED='Could not get lock|Unable to lock|Unable to acquire the dpkg frontend lock|is locked by another process'

# apt_get ARGUMENT...: keeps our configuration files, and prints nothing unless it fails. `apt-get update` calls a missing index a
# warning, hence the Error-Mode. It waits for another apt as long as the step may take: on a first boot, apt-daily and
# unattended-upgrades hold the locks for many minutes, and `apt-get update` does not wait for its own lock at all.
apt_get() {
  local output failures=0 told=no
  until output=$(apt_get_once "$@"); do
    if grep -Eq "$APT_LOCKED" <<<"$output"; then
      time_is_left || fail "apt-get $1: another apt had not ended after $SECONDS s" "$(tail -n 20 <<<"$output")"
      [[ $told == yes ]] || log "waiting for another apt: $(apt_holder <<<"$output")"
      told=yes
      sleep "${APT_PAUSE:-5}"
      continue
    fi
    ((++failures < 3)) || fail "apt-get $1 failed" "$(tail -n 20 <<<"$output")"
    # Only a killed run leaves dpkg in this state.
    [[ $output != *'dpkg was interrupted'* ]] || dpkg --force-confold --configure -a >/dev/null 2>&1 || true
    sleep $((failures * ${APT_PAUSE:-10}))
  done
}

apt_get_once() {
  apt-get -q -y -o DPkg::Lock::Timeout=20 -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" 2>&1
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

# deb_source URI SUITES COMPONENTS KEYRING prints one deb822 stanza.
deb_source() { printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n' "$@"; }

# distribution_sources URL: Debian keeps its security updates in a sibling archive, Ubuntu in the same one.
distribution_sources() {
  local id codename components=main security=$1 keyring
  id=$(os_release ID)
  codename=$(os_release VERSION_CODENAME)
  keyring="/usr/share/keyrings/$id-archive-keyring.gpg"
  [[ $id != ubuntu ]] || components='main restricted universe multiverse'
  [[ $id != debian ]] || security="$1-security"
  deb_source "$1" "$codename $codename-updates" "$components" "$keyring"
  printf '\n'
  deb_source "$security" "$codename-security" "$components" "$keyring"
}

# use_distribution_mirror URL: takes the distribution's packages from there, and sets the distribution's own source files aside as
# `.disabled` (a suffix that apt skips silently, Dir::Ignore-Files-Silently). An empty URL brings them back.
use_distribution_mirror() {
  local apt="$ROOT_DIR/etc/apt" stock text
  local file="$apt/sources.list.d/docker-node-distribution.sources"
  [[ -n $1 || -e $file ]] || return 0
  if [[ -n $1 ]]; then
    text=$(distribution_sources "${1%/}")
    write_if_changed "$file" 0644 <<<"$text"
  fi
  for stock in "$apt/sources.list" "$apt/sources.list.d/ubuntu.sources" "$apt/sources.list.d/debian.sources"; do
    if [[ -n $1 && -e $stock ]]; then put_right "$stock" "" present absent mv -f "$stock" "$stock.disabled"; fi
    if [[ -z $1 && -e $stock.disabled ]]; then put_right "$stock" "" absent present mv -f "$stock.disabled" "$stock"; fi
  done
  if [[ -z $1 ]]; then put_right "$file" "" present absent rm -f "$file"; fi
}
