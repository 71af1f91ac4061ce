# shellcheck shell=bash
# Installs Docker at one version and holds it there. It can replace the distribution's Docker with Docker's own, which keeps all
# data, but never the other way round: it refuses a Docker that could not read the existing containers, images or volumes. It also
# installs the guest agent, which the machine's settings announce to Proxmox and no cloud image includes.
# PACKAGE_SOURCE              official (docker-ce ...) or distribution (docker.io)
# VERSION                     29.10.0, a prefix ending at a dot (29, 29.10), or an exact package version; empty: newest at the
#                             first installation. An installed version stays as long as it satisfies this.
# DOCKER_MIRROR               base of the official repository (default https://download.docker.com/linux/<id>)
# REPOSITORY_KEY_FINGERPRINT  the only key accepted from there (default: Docker's)
# DISTRIBUTION_MIRROR         archive of the distribution to use instead of the configured one
# DATA_ROOT                   checked for data before Docker changes (default /var/lib/docker)
# SOCKET_USERS                the program's containers that mount Docker's socket
# Result: {"source":"official","version":"29.10.0","package":"5:29.10.0-1~ubuntu.24.04~noble"}
SCRIPT=install
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
declare -F apt_get >/dev/null || . "${BASH_SOURCE[0]%/*}/apt.sh"
# shellcheck source-path=SCRIPTDIR source=apt-sources.sh
declare -F take_out >/dev/null || . "${BASH_SOURCE[0]%/*}/apt-sources.sh"
# shellcheck source-path=SCRIPTDIR source=docker-repository.sh
declare -F set_aside >/dev/null || . "${BASH_SOURCE[0]%/*}/docker-repository.sh"
# shellcheck source-path=SCRIPTDIR source=packages.sh
declare -F lacking >/dev/null || . "${BASH_SOURCE[0]%/*}/packages.sh"
# shellcheck source-path=SCRIPTDIR source=sockets.sh
declare -F reconnect >/dev/null || . "${BASH_SOURCE[0]%/*}/sockets.sh"

VERSION="${VERSION:-}" DOCKER_MIRROR="${DOCKER_MIRROR:-}" DISTRIBUTION_MIRROR="${DISTRIBUTION_MIRROR:-}"
DATA_ROOT="${DATA_ROOT:-/var/lib/docker}" SOCKET_USERS="${SOCKET_USERS:-}"
readonly GATE="$ROOT_DIR/etc/systemd/system/docker.service.d/00-docker-node-first-start.conf"

# The packages start dockerd as they are installed, which would lay out the data root before userns-remap and the storage driver are
# known. A condition is better than a temporary policy-rc.d or mask: a kill or a reboot at any moment neither skips it nor leaves it
# behind, and the packages' scripts do not treat a unit whose condition is not met as an error.
gate_first_start() { # PACKAGE
  [[ -z $(version_of "$1") && ! -e $ROOT_DIR/etc/docker/daemon.json ]] || return 0
  write_gate
}
write_gate() {
  write_unit "$GATE" <<<"[Unit]"$'\n'"ConditionPathExists=/etc/docker/daemon.json"
  reload_units
}

# install_packages GOING VERSION PACKAGE...: with live-restore, running containers survive the restart that a new version brings.
# GOING are removed in the same transaction, so nothing is removed before everything new can be installed.
install_packages() {
  local going=$1 version=$2 name wanted=()
  gate_first_start "$3"
  for name in "${@:3}"; do
    if is_docker "$name"; then wanted+=("$name=$version"); else wanted+=("$name"); fi
  done
  for name in $going; do wanted+=("$name-"); done
  pin "${@:2}"
  # The packages only recommend apparmor, which the docker-default profile needs.
  apt_get install --no-install-recommends --allow-downgrades --allow-change-held-packages "${wanted[@]}" apparmor ca-certificates
}

# Without the agent, Proxmox backs up a filesystem in whatever state it is, and a shutdown depends on ACPI. udev starts the agent
# together with its device; a machine that ran before its settings named the agent has to be stopped and started to get the device.
guest_agent() {
  local unit=qemu-guest-agent.service
  [[ -n $(installed qemu-guest-agent) ]] || put_right packages qemu-guest-agent "" installed install_guest_agent
  if [[ ! -e $ROOT_DIR/dev/virtio-ports/org.qemu.guest_agent.0 ]]; then
    log "the machine has no channel for the guest agent: stop and start it in Proxmox, a reboot is not enough"
    return 0
  fi
  enable_unit "$unit"
  start_unit "$unit"
}

install_guest_agent() {
  [[ $LISTS_READ == yes ]] || read_sources
  apt_get install --no-install-recommends qemu-guest-agent
}

# docker.io leaves this script behind when it is removed (debian/docker.io.prerm), and purging its remains runs it: that would
# delete all of Docker's data, whichever Docker is installed by then.
disarm_purge() {
  local script=$ROOT_DIR/var/lib/docker/nuke-graph-directory.sh
  [[ $PACKAGE_SOURCE != official || ! -e $script ]] || put_right "$script" "" present absent rm -f "$script"
}

# Runs after the installation.
keep() { # PACKAGE...
  if [[ -e $GATE ]]; then write_gate; fi
  disarm_purge
  guest_agent
  hold "$@" containerd runc
}

use_sources() {
  use_distribution_mirror "$DISTRIBUTION_MIRROR"
  if [[ $PACKAGE_SOURCE == official ]]; then use_official_repository; else set_aside "$DOCKER_MIRROR" ""; fi
}

require_source() {
  require PACKAGE_SOURCE
  [[ $PACKAGE_SOURCE =~ ^(official|distribution)$ ]] || fail "PACKAGE_SOURCE is neither official nor distribution: $PACKAGE_SOURCE"
}

main() {
  local names version others lacks
  begin_change
  require_source
  others=$(other_family)
  keep_readable "$others"
  use_sources
  mapfile -t names < <(packages)
  version=$(version_of "${names[0]}")
  lacks=$(lacking "${names[@]}")
  if checking; then
    rows_differ packages <<<"$lacks"
  elif [[ -n $lacks ]]; then
    read_sources
    mapfile -t names < <(packages)
    version=$(resolve "${names[0]}")
    install_packages "$others" "$version" "${names[@]}"
  elif [[ -e $UNREAD ]]; then
    read_sources
  fi
  [[ -n $lacks ]] || pin "$version" "${names[@]}"
  keep "${names[@]}"
  reconnect
  checking || json_object "source=$PACKAGE_SOURCE" "version=$(upstream "$version")" "package=$version"
}

main "$@" </dev/null
