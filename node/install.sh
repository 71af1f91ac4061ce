# shellcheck shell=bash
# Installs docker at one version and holds it there. Never removes a docker that has containers, images or volumes.
# And the guest agent, which the machine's settings announce to Proxmox and no cloud image brings.
# PACKAGE_SOURCE              official (docker-ce ...) or distribution (docker.io)
# VERSION                     29.10.0, a prefix ending at a dot (29, 29.10), or an exact package version; empty: newest at the
#                             first installation. What is installed stays as long as it satisfies this.
# DOCKER_MIRROR               base of the official repository (default https://download.docker.com/linux/<id>)
# REPOSITORY_KEY_FINGERPRINT  the only key accepted from there (default: Docker's)
# DISTRIBUTION_MIRROR         archive of the distribution to use instead of the configured one
# DATA_ROOT                   looked through before another source's Docker is removed (default /var/lib/docker)
# Result: {"source":"official","version":"29.10.0","package":"5:29.10.0-1~ubuntu.24.04~noble"}
SCRIPT=install
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
declare -F apt_get >/dev/null || . "${BASH_SOURCE[0]%/*}/apt.sh"
# shellcheck source-path=SCRIPTDIR source=docker-repository.sh
declare -F set_aside >/dev/null || . "${BASH_SOURCE[0]%/*}/docker-repository.sh"

VERSION="${VERSION:-}" DOCKER_MIRROR="${DOCKER_MIRROR:-}" DISTRIBUTION_MIRROR="${DISTRIBUTION_MIRROR:-}"
DATA_ROOT="${DATA_ROOT:-/var/lib/docker}"
readonly PIN="$ROOT_DIR/etc/apt/preferences.d/docker-node"
readonly GATE="$ROOT_DIR/etc/systemd/system/docker.service.d/00-docker-node-first-start.conf"
readonly OFFICIAL=(docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin)
# Debian and Ubuntu name the same upstream code so (docs.docker.com/engine/install/ubuntu "Uninstall old versions").
readonly DISTRIBUTION=(docker.io docker-cli docker-compose docker-compose-v2 docker-doc docker-buildx podman-docker containerd runc)

installed() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true; }
version_of() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || true; }

# 5:29.10.0-1~ubuntu.24.04~noble and 26.1.5+dfsg1-9+b4 become 29.10.0 and 26.1.5; 29.0.0~rc.1 keeps its mark.
upstream() {
  local version=${1#*:}
  printf %s "${version%%[-+]*}"
}

# satisfies PACKAGE_VERSION: a prefix ends at a dot (29.1 is not 29.10) and never means a release candidate.
satisfies() {
  local plain
  plain=$(upstream "$1")
  [[ $1 == "$VERSION" || $plain == "$VERSION" ]] && return 0
  [[ $plain != *~* && (-z $VERSION || $plain == "$VERSION".*) ]]
}

# resolve PACKAGE prints the newest version that satisfies; `apt-cache madison` lists newest first.
resolve() {
  local version available
  available=$(apt-cache madison "$1" | awk -F ' *[|] *' '{ print $2 }' | uniq)
  for version in $available; do
    if satisfies "$version"; then
      printf %s "$version"
      return 0
    fi
  done
  fail "no version of $1 satisfies '$VERSION'" "available: ${available//$'\n'/, }"
}

packages() {
  case $PACKAGE_SOURCE in
    official) printf '%s\n' "${OFFICIAL[@]}" ;;
    distribution)
      echo docker.io
      # The client is a package of its own since Debian 13; Ubuntu 24.04 has it inside docker.io.
      [[ -z $(apt-cache madison docker-cli) ]] || echo docker-cli
      ;;
  esac
}

# Two families of packages own the same files. Moving between them is a removal, so only an empty docker moves. Prints its names.
other_family() {
  local main=docker.io others=("${OFFICIAL[@]}" docker-ce-rootless-extras) found inventory
  if [[ $PACKAGE_SOURCE == official ]]; then main=docker-ce others=("${DISTRIBUTION[@]}"); fi
  [[ -z $(installed "$main") ]] || return 0
  found=$(installed "${others[@]}" | xargs)
  [[ -n $found ]] || return 0
  inventory=$(docker_inventory "$DATA_ROOT" "$DATA_ROOT/*.*")
  [[ -z $inventory ]] || fail "refused: $found is installed and has $inventory" "move them away before changing PACKAGE_SOURCE"
  printf %s "$found"
}

# The packages start dockerd as they are installed, which would lay out the data root before userns-remap and the storage driver
# are known. A condition instead of a temporary policy-rc.d or mask: there is no moment, a kill or a reboot included, at which
# it is missing or left over, and starting a unit whose condition is not met is not an error to the packages' scripts.
gate_first_start() { # PACKAGE
  [[ -z $(version_of "$1") && ! -e $ROOT_DIR/etc/docker/daemon.json ]] || return 0
  write_if_changed "$GATE" 0644 <<<"[Unit]"$'\n'"ConditionPathExists=/etc/docker/daemon.json"
  systemctl daemon-reload
}

# install_packages VERSION PACKAGE...: running containers outlive the restart that a change of version brings if live-restore is on.
install_packages() {
  local version=$1 name wanted=() pinned=()
  shift
  gate_first_start "$1"
  for name in "$@"; do
    case $name in
      docker-ce | docker-ce-cli | docker.io) wanted+=("$name=$version") pinned+=("$name") ;;
      *) wanted+=("$name") ;;
    esac
  done
  write_if_changed "$PIN" 0644 <<<"Package: ${pinned[*]}"$'\n'"Pin: version $version"$'\n'"Pin-Priority: 1001"
  # apparmor, for the docker-default profile, is only a recommendation of the packages.
  apt_get install --no-install-recommends --allow-downgrades --allow-change-held-packages "${wanted[@]}" apparmor ca-certificates
}

hold() {
  local loose
  loose=$(comm -23 <(installed "$@" | sort) <(apt-mark showhold | sort))
  # shellcheck disable=SC2086 # a list of package names
  [[ -z $loose ]] || apt-mark hold $loose >/dev/null
}

# Without it Proxmox backs up a filesystem as it happens to be, and a shutdown depends on ACPI. udev starts it with its device, for
# which a machine that ran before its settings named the agent has to be stopped and started.
guest_agent() {
  local unit=qemu-guest-agent.service
  if [[ -z $(installed qemu-guest-agent) ]]; then
    [[ $LISTS_READ == yes ]] || read_sources
    apt_get install --no-install-recommends qemu-guest-agent
  fi
  if [[ ! -e $ROOT_DIR/dev/virtio-ports/org.qemu.guest_agent.0 ]]; then
    log "the machine has no channel for the guest agent: stop and start it in Proxmox, a reboot does not do"
    return 0
  fi
  systemctl is-enabled --quiet "$unit" || systemctl enable --quiet "$unit"
  systemctl is-active --quiet "$unit" || systemctl start "$unit"
}

main() {
  local names version others
  begin_change
  require PACKAGE_SOURCE
  [[ $PACKAGE_SOURCE =~ ^(official|distribution)$ ]] || fail "PACKAGE_SOURCE is neither official nor distribution: $PACKAGE_SOURCE"
  others=$(other_family)
  use_distribution_mirror "$DISTRIBUTION_MIRROR"
  if [[ $PACKAGE_SOURCE == official ]]; then use_official_repository; else set_aside "$DOCKER_MIRROR" ""; fi
  mapfile -t names < <(packages)
  version=$(version_of "${names[0]}")
  if [[ $(installed "${names[@]}" | wc -l) != "${#names[@]}" ]] || ! satisfies "$version"; then
    read_sources
    mapfile -t names < <(packages)
    version=$(resolve "${names[0]}")
    # Remove the old packages last: every step above may still fail.
    # shellcheck disable=SC2086 # a list of package names
    [[ -z $others ]] || apt_get remove --allow-change-held-packages $others
    install_packages "$version" "${names[@]}"
  elif [[ -e $UNREAD ]]; then
    read_sources
  fi
  guest_agent
  hold "${names[@]}" containerd runc
  json_object "source=$PACKAGE_SOURCE" "version=$(upstream "$version")" "package=$version"
}

main "$@" </dev/null
