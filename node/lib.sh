# shellcheck shell=bash
# Common ground of the scripts in this folder. On a node it arrives on the standard input of `sudo -n bash -s`, between the
# `NAME='value'` lines and the script; by hand a script sources it. ROOT_DIR, empty on a node, moves every path: the tests use it.
set -euo pipefail
shopt -s inherit_errexit
umask 022
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
# The daemon of this machine is meant, whatever the caller's environment says.
unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
ROOT_DIR="${ROOT_DIR:-}"

log() { printf 'docker-node: %s: %s\n' "${SCRIPT:-lib}" "$*" >&2; }

# fail REASON [DETAIL]: one line to find in a log, then whatever explains it.
fail() {
  log "$1"
  [[ -z "${2:-}" ]] || printf '%s\n' "$2" >&2
  exit 1
}

# require NAME...: variables that the lines before the script have to set.
require() {
  local name
  for name in "$@"; do [[ -n ${!name:-} ]] || fail "$name is not set"; done
}

# wait_for SECONDS COMMAND...
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep "${POLL_SECONDS:-1}"
  done
}

# write_if_changed PATH MODE <<<TEXT sets CHANGED to yes or no. Never the end of a pipe: CHANGED would be lost in a subshell.
# A reader sees the old file or the new one, also after a power cut: written beside it, synced, renamed, directory synced.
write_if_changed() {
  local path=$1 mode=$2 text temporary
  temporary="${path%/*}/.${path##*/}.new"
  text=$(cat && printf .)
  text=${text%.}
  # shellcheck disable=SC2034 # the caller's
  CHANGED=no
  if [[ -f $path && ! -L $path && $(stat -c %a "$path") == "${mode#0}" ]] && cmp -s "$path" <(printf %s "$text"); then
    return 0
  fi
  mkdir -p "${path%/*}"
  (umask 077 && printf %s "$text" >"$temporary")
  chmod "$mode" "$temporary"
  sync "$temporary"
  mv -fT "$temporary" "$path"
  sync "${path%/*}"
  # shellcheck disable=SC2034
  CHANGED=yes
}

# json_object key=text key:=json ... prints one line, keys in the order given. python3 is on every cloud image (cloud-init is
# written in it), jq is not.
json_object() {
  python3 -c '
import json, sys
def pair(argument):
    key, value = argument.split("=", 1)
    return (key[:-1], json.loads(value)) if key.endswith(":") else (key, value)
print(json.dumps(dict(map(pair, sys.argv[1:])), separators=(",", ":")))' "$@"
}

# docker_cli ARGUMENT...: the local socket, and never for longer than a hung daemon deserves.
docker_cli() { timeout "${DOCKER_TIMEOUT:-60}" docker --host unix:///var/run/docker.sock "$@"; }

# count PATTERN: existing paths it matches.
count() { { compgen -G "$1" || true; } | wc -l; }

# engine_inventory ROOT... (patterns) prints "N containers, N images, N volumes", or nothing for an engine that holds nothing.
# Read from disk, so that it also answers for a daemon that is down. The containerd image store lies outside every root; its
# snapshots, layers rather than images, count as images. (Its blobs would not do: engines with overlay2 keep manifests there.)
engine_inventory() {
  local root containers=0 images volumes=0
  images=$(count "$ROOT_DIR/var/lib/containerd/io.containerd.snapshotter.v1.*/snapshots/*")
  for root in "${@/#/$ROOT_DIR}"; do
    containers=$((containers + $(count "$root/containers/*")))
    images=$((images + $(count "$root/image/*/imagedb/content/sha256/*")))
    volumes=$((volumes + $(count "$root/volumes/*/_data")))
  done
  ((containers + images + volumes == 0)) ||
    printf '%s containers, %s images, %s volumes' "$containers" "$images" "$volumes"
}

os_release() { sed -n "s/^$1=\"\\?\\([^\"]*\\)\"\\?\$/\\1/p" "$ROOT_DIR/etc/os-release"; }

# apt_get ARGUMENT...: waits for another apt (unattended-upgrades on a first boot), keeps our configuration files, silent unless
# it fails. `apt-get update` does not wait for its own lock and calls a missing index a warning: hence the retries, Error-Mode.
apt_get() {
  local output attempt
  for attempt in 1 2 3; do
    if output=$(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
      -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" 2>&1); then
      return 0
    fi
    sleep $((attempt * ${APT_PAUSE:-10}))
  done
  fail "apt-get $1 failed" "$(tail -n 20 <<<"$output")"
}

# need_command COMMAND PACKAGE
need_command() {
  ! command -v "$1" >/dev/null || return 0
  apt_get update
  apt_get install --no-install-recommends "$2"
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

# use_distribution_mirror URL: the distribution's archive from there, its own source files set aside as `.disabled` (a name apt
# skips in silence, Dir::Ignore-Files-Silently); an empty URL brings them back.
use_distribution_mirror() {
  local apt="$ROOT_DIR/etc/apt" stock text
  local file="$apt/sources.list.d/docker-node-distribution.sources"
  [[ -n $1 || -e $file ]] || return 0
  if [[ -n $1 ]]; then
    text=$(distribution_sources "${1%/}")
    write_if_changed "$file" 0644 <<<"$text"
  fi
  for stock in "$apt/sources.list" "$apt/sources.list.d/ubuntu.sources" "$apt/sources.list.d/debian.sources"; do
    if [[ -n $1 && -e $stock ]]; then mv -f "$stock" "$stock.disabled"; fi
    if [[ -z $1 && -e $stock.disabled ]]; then mv -f "$stock.disabled" "$stock"; fi
  done
  if [[ -z $1 ]]; then rm -f "$file"; fi
}
