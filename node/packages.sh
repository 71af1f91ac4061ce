# shellcheck shell=bash
# The part of install.sh that knows Docker's packages: their names, their versions, and which are missing. Goes between apt.sh and
# install.sh, which sets PACKAGE_SOURCE, VERSION and DATA_ROOT.

readonly PIN="$ROOT_DIR/etc/apt/preferences.d/docker-node"
readonly OFFICIAL=(docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin)
# Debian's and Ubuntu's names for the same upstream code (docs.docker.com/engine/install/ubuntu "Uninstall old versions").
readonly DISTRIBUTION=(docker.io docker-cli docker-compose docker-compose-v2 docker-doc docker-buildx podman-docker containerd runc)

is_docker() { [[ $1 =~ ^(docker-ce|docker-ce-cli|docker\.io)$ ]]; }
installed() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true; }
held() { dpkg-query -W -f '${db:Status-Want} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^hold //p' || true; }
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

# apt-cache updates its own cache files, which a check must not do.
known() {
  local options=(madison)
  if checking; then options+=(--no-generate); fi
  apt-cache "${options[@]}" "$1" 2>/dev/null
}

packages() {
  case $PACKAGE_SOURCE in
    official) printf '%s\n' "${OFFICIAL[@]}" ;;
    distribution)
      echo docker.io
      # Since Debian 13 the client is a package of its own; in Ubuntu 24.04 it is part of docker.io.
      [[ -z $(known docker-cli) ]] || echo docker-cli
      ;;
  esac
}

# Two families of packages own the same files. Prints the installed packages of the family that is not wanted.
other_family() {
  local main=docker.io others=("${OFFICIAL[@]}" docker-ce-rootless-extras)
  if [[ $PACKAGE_SOURCE == official ]]; then main=docker-ce others=("${DISTRIBUTION[@]}"); fi
  [[ -n $(installed "$main") ]] || installed "${others[@]}" | xargs
}

# The declared root, and the one that Docker has until the next step brings daemon.json there.
data_roots() {
  local now
  now=$(sed -n 's/.*"data-root": *"\([^"]*\)".*/\1/p' "$ROOT_DIR/etc/docker/daemon.json" 2>/dev/null) || true
  printf '%s\n' "$DATA_ROOT" "${now:-/var/lib/docker}" | sort -u | sed 'p; s|$|/*.*|'
}

# keep_readable OTHERS: refuses a change that would leave behind data which the wanted Docker cannot read. A newer Docker reads what
# an older one left. containerd's data cannot go back: the distribution's containerd is always older than Docker's own. Docker
# before 29 uses containerd's image store only if daemon.json says so.
keep_readable() {
  local inventory old new roots
  mapfile -t roots < <(data_roots)
  inventory=$(docker_inventory "${roots[@]}")
  [[ -n $inventory ]] || return 0
  old=$(upstream "$(version_of docker.io)$(version_of docker-ce)")
  old=${old:-0}
  new=$(upstream "${VERSION:-$old}")
  if [[ -n $1 ]]; then
    [[ $PACKAGE_SOURCE == official && ${new%%.*} -ge ${old%%.*} ]] ||
      fail "refused: $1 is installed and has $inventory, which the $PACKAGE_SOURCE Docker ${VERSION:-there is} could not read" \
        "move them away before changing PACKAGE_SOURCE"
  elif ((${old%%.*} >= 29 && ${new%%.*} < 29 && $(count_snapshots) > 0)) &&
    ! grep -Eq '"containerd-snapshotter": *true' "$ROOT_DIR/etc/docker/daemon.json" 2>/dev/null; then
    fail "refused: Docker $VERSION would not see what is in containerd's image store" \
      "set features.containerd-snapshotter to true in engine.daemon first, or move it away"
  fi
}

# lacking PACKAGE...: packages that are missing or have another version, one row each for rows_differ. The first package is
# docker's.
lacking() {
  local name found version
  version=$(version_of "$1")
  for name in "$@"; do
    found=$(version_of "$name")
    if [[ -z $(installed "$name") ]]; then
      printf '%s\t\tinstalled\n' "$name"
    elif is_docker "$name" && ! satisfies "$found"; then
      printf '%s\t%s\t%s\n' "$name" "$found" "$VERSION"
    elif is_docker "$name" && [[ $found != "$version" ]]; then
      printf '%s\t%s\t%s\n' "$name" "$found" "$version"
    fi
  done
}

pin() { # VERSION PACKAGE...
  local version=$1 name names=()
  for name in "${@:2}"; do if is_docker "$name"; then names+=("$name"); fi; done
  write_if_changed "$PIN" 0644 <<<"Package: ${names[*]}"$'\n'"Pin: version $version"$'\n'"Pin-Priority: 1001"
}

hold() {
  local loose
  loose=$(comm -23 <(installed "$@" | sort) <(held "$@" | sort))
  [[ -n $loose ]] || return 0
  if checking; then
    awk '{ print $0 "\tnot held\theld" }' <<<"$loose" | rows_differ packages
  else
    # shellcheck disable=SC2086 # a list of package names
    with_locks "apt-mark hold" apt-mark hold $loose || fail "apt-mark hold failed" "$OUTPUT"
  fi
}
