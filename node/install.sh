# shellcheck shell=bash
# Installs docker at one version and holds it there. The distribution's docker gives way to Docker's own with all it has, and never
# the other way: a docker that could not read the containers, images or volumes there are is not installed.
# And the guest agent, which the machine's settings announce to Proxmox and no cloud image brings.
# PACKAGE_SOURCE              official (docker-ce ...) or distribution (docker.io)
# VERSION                     29.10.0, a prefix ending at a dot (29, 29.10), or an exact package version; empty: newest at the
#                             first installation. What is installed stays as long as it satisfies this.
# DOCKER_MIRROR               base of the official repository (default https://download.docker.com/linux/<id>)
# REPOSITORY_KEY_FINGERPRINT  the only key accepted from there (default: Docker's)
# DISTRIBUTION_MIRROR         archive of the distribution to use instead of the configured one
# DATA_ROOT                   looked through before Docker changes (default /var/lib/docker)
# SOCKET_USERS                the program's containers that mount Docker's socket
# Result: {"source":"official","version":"29.10.0","package":"5:29.10.0-1~ubuntu.24.04~noble"}
SCRIPT=install
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
declare -F apt_get >/dev/null || . "${BASH_SOURCE[0]%/*}/apt.sh"
# shellcheck source-path=SCRIPTDIR source=docker-repository.sh
declare -F set_aside >/dev/null || . "${BASH_SOURCE[0]%/*}/docker-repository.sh"
# shellcheck source-path=SCRIPTDIR source=packages.sh
declare -F lacking >/dev/null || . "${BASH_SOURCE[0]%/*}/packages.sh"
# shellcheck source-path=SCRIPTDIR source=sockets.sh
declare -F reconnect >/dev/null || . "${BASH_SOURCE[0]%/*}/sockets.sh"

VERSION="${VERSION:-}" DOCKER_MIRROR="${DOCKER_MIRROR:-}" DISTRIBUTION_MIRROR="${DISTRIBUTION_MIRROR:-}"
DATA_ROOT="${DATA_ROOT:-/var/lib/docker}" SOCKET_USERS="${SOCKET_USERS:-}"
readonly GATE="$ROOT_DIR/etc/systemd/system/docker.service.d/00-docker-node-first-start.conf"

# The packages start dockerd as they are installed, which would lay out the data root before userns-remap and the storage driver
# are known. A condition instead of a temporary policy-rc.d or mask: there is no moment, a kill or a reboot included, at which
# it is missing or left over, and starting a unit whose condition is not met is not an error to the packages' scripts.
gate_first_start() { # PACKAGE
  [[ -z $(version_of "$1") && ! -e $ROOT_DIR/etc/docker/daemon.json ]] || return 0
  write_gate
}
write_gate() {
  write_unit "$GATE" <<<"[Unit]"$'\n'"ConditionPathExists=/etc/docker/daemon.json"
  reload_units
}

# install_packages GOING VERSION PACKAGE...: running containers outlive the restart that a change of version brings if live-restore is
# on. GOING go in the same transaction, so nothing has gone before all is there that comes.
install_packages() {
  local going=$1 version=$2 name wanted=()
  gate_first_start "$3"
  for name in "${@:3}"; do
    if is_docker "$name"; then wanted+=("$name=$version"); else wanted+=("$name"); fi
  done
  for name in $going; do wanted+=("$name-"); done
  pin "${@:2}"
  # apparmor, for the docker-default profile, is only a recommendation of the packages.
  apt_get install --no-install-recommends --allow-downgrades --allow-change-held-packages "${wanted[@]}" apparmor ca-certificates
}

# Without it Proxmox backs up a filesystem as it happens to be, and a shutdown depends on ACPI. udev starts it with its device, for
# which a machine that ran before its settings named the agent has to be stopped and started.
guest_agent() {
  local unit=qemu-guest-agent.service
  [[ -n $(installed qemu-guest-agent) ]] || put_right packages qemu-guest-agent "" installed install_guest_agent
  if [[ ! -e $ROOT_DIR/dev/virtio-ports/org.qemu.guest_agent.0 ]]; then
    log "the machine has no channel for the guest agent: stop and start it in Proxmox, a reboot does not do"
    return 0
  fi
  enable_unit "$unit"
  start_unit "$unit"
}

install_guest_agent() {
  [[ $LISTS_READ == yes ]] || read_sources
  apt_get install --no-install-recommends qemu-guest-agent
}

# docker.io leaves this behind when it is removed (debian/docker.io.prerm), and a purge of what is left of it runs it: all that Docker
# has would be gone, whichever Docker that is by then.
disarm_purge() {
  local script=$ROOT_DIR/var/lib/docker/nuke-graph-directory.sh
  [[ $PACKAGE_SOURCE != official || ! -e $script ]] || put_right "$script" "" present absent rm -f "$script"
}

# What goes on after the installation.
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

main() {
  local names version others lacks
  begin_change
  require PACKAGE_SOURCE
  [[ $PACKAGE_SOURCE =~ ^(official|distribution)$ ]] || fail "PACKAGE_SOURCE is neither official nor distribution: $PACKAGE_SOURCE"
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
