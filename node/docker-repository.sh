# shellcheck shell=bash
# The part of install.sh that knows where Docker's packages come from: one source and one key, whatever somebody has set up before.
# Goes between apt-sources.sh and install.sh, which sets DOCKER_MIRROR and REPOSITORY_KEY_FINGERPRINT.

REPOSITORY_KEY_FINGERPRINT="${REPOSITORY_KEY_FINGERPRINT:-9DC858229FC7DD38854AE2D88D81803C0EBFCD88}"
readonly SOURCES="$ROOT_DIR/etc/apt/sources.list.d" KEYRING="$ROOT_DIR/etc/apt/keyrings/docker.asc"
LISTS_READ=no

# The file must hold the expected key and no other, because apt would trust every key in it.
key_is_expected() {
  [[ -r $1 ]] && [[ $(gpg --batch --show-keys --with-colons "$1" 2>/dev/null |
    awk -F: '$1 == "pub" { primary = 1 } $1 == "fpr" && primary { print $10; primary = 0 }') == "$REPOSITORY_KEY_FINGERPRINT" ]]
}

use_official_repository() {
  local url text
  url=${DOCKER_MIRROR:-https://download.docker.com/linux/$(os_release ID)}
  need_command gpg gpg
  key_is_expected "$KEYRING" || put_right "$KEYRING" key "" "$REPOSITORY_KEY_FINGERPRINT" fetch_key "${url%/}/gpg"
  text=$(deb_source "${url%/}" "$(os_release VERSION_CODENAME)" stable /etc/apt/keyrings/docker.asc)
  text+=$'\n'"Architectures: $(dpkg --print-architecture)"
  # If another file names the same repository with another Signed-By, apt reports an error and reads no source at all.
  set_aside "${url%/}" "$SOURCES/docker.sources"
  cmp -s "$SOURCES/docker.sources" - <<<"$text" || mark_unread
  write_if_changed "$SOURCES/docker.sources" 0644 <<<"$text"
}

# apt_proxy URL prints the proxy that apt has for it, if any: that of the host before that of the scheme, and https takes http's if it
# has none (apt-transport-http(1), apt-transport-https(1)).
apt_proxy() {
  local scheme=${1%%:*} host=${1#*://} key found
  host=${host%%[:/]*}
  for key in "$scheme::Proxy::$host" "http::Proxy::$host" "$scheme::Proxy" http::Proxy; do
    found=$(apt-config shell FOUND "Acquire::$key" | sed -n "s/^FOUND='\(.*\)'\$/\1/p")
    [[ -n $found ]] || continue
    [[ $found == DIRECT ]] || printf %s "$found"
    return
  done
}

# curl gets the proxy, which may have a password, by its environment: others see its arguments.
fetch_key() { # URL
  local text proxy download="$KEYRING.download"
  need_command curl curl
  mkdir -p "${KEYRING%/*}"
  proxy=$(apt_proxy "$1")
  if [[ -n $proxy ]]; then local -x http_proxy=$proxy https_proxy=$proxy; fi
  text=$(curl -fsSL --retry 5 --max-time 60 -o "$download" "$1" 2>&1) || fail "cannot download the repository key from $1" "$text"
  key_is_expected "$download" || fail "refused: $1 is not exactly the key $REPOSITORY_KEY_FINGERPRINT"
  chmod 0644 "$download"
  mv -fT "$download" "$KEYRING"
}

# set_aside MIRROR OURS: leaves no source of Docker's packages but ours, whatever its file is called.
set_aside() { take_out "Docker's repository" "$2" docker "$1"; }

read_sources() {
  apt_get update
  rm -f "$UNREAD"
  # shellcheck disable=SC2034 # install.sh's
  LISTS_READ=yes
}
