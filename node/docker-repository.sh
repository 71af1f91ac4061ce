# shellcheck shell=bash
# The part of install.sh that knows where Docker's packages come from: one source and one key, whatever somebody has set up before.
# Goes between apt.sh and install.sh, which sets DOCKER_MIRROR and REPOSITORY_KEY_FINGERPRINT.

REPOSITORY_KEY_FINGERPRINT="${REPOSITORY_KEY_FINGERPRINT:-9DC858229FC7DD38854AE2D88D81803C0EBFCD88}"
readonly SOURCES="$ROOT_DIR/etc/apt/sources.list.d" KEYRING="$ROOT_DIR/etc/apt/keyrings/docker.asc"
LISTS_READ=no
# Exists from before a source changes until apt has read all sources.
readonly UNREAD="$ROOT_DIR/var/lib/docker-node/apt-sources-unread"

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

mark_unread() { checking || write_if_changed "$UNREAD" 0644 <<<'apt-get update is due'; }

# set_aside MIRROR OURS: leaves no source of Docker's packages but ours, whatever its file is called.
set_aside() {
  local found
  found=$(docker_sources list "$1" "$2")
  [[ -n $found ]] || return 0
  if checking; then
    while read -r found; do differs "$found" "Docker's repository" present absent; done <<<"$found"
    return
  fi
  mark_unread
  docker_sources remove "$1" "$2" >/dev/null
  log "took Docker's repository out of ${found//$'\n'/ }; a copy is in /var/lib/docker-node/apt"
}

read_sources() {
  apt_get update
  rm -f "$UNREAD"
  # shellcheck disable=SC2034 # install.sh's
  LISTS_READ=yes
}

readonly EDIT_SOURCES='
import glob, os, re, shutil, sys
action, mirror, ours, root = sys.argv[1:]
keep = f"{root}/var/lib/docker-node/apt"
def plain(uri): return re.sub(r"^[a-z+]+:/*", "", uri).rstrip("/")
def is_docker(uri):
    return plain(uri).split("/")[0] == "download.docker.com" or "/docker-ce/" in plain(uri) + "/" or plain(uri) == plain(mirror)
def line(text):
    found = re.match(r"\s*deb(?:-src)?\s+(?:\[[^]]*\]\s*)?(\S+)", text)
    return "" if found and is_docker(found[1]) else text
def stanza(text):
    found = re.search(r"(?mi)^URIs:(.*(?:\n[ \t].*)*)", text)
    uris = found[1].split() if found else []
    others = [uri for uri in uris if not is_docker(uri)]
    if uris == others: return text
    return text[:found.start(1)] + " " + " ".join(others) + text[found.end(1):] if others else ""
def without(path, text):
    if os.path.basename(path) == "docker.list": return ""
    if path.endswith(".list"): return "".join(map(line, text.splitlines(True)))
    return "".join(map(stanza, re.split(r"(\n[ \t]*\n)", text)))
def remove(path, text):
    os.makedirs(keep, exist_ok=True)
    shutil.copy2(path, keep)
    if not re.search(r"(?m)^\s*[^#\s]", text): return os.remove(path)
    with open(f"{path}.new", "w", errors="surrogateescape") as file: file.write(text)
    shutil.copymode(path, f"{path}.new")
    os.replace(f"{path}.new", path)
apt = f"{root}/etc/apt"
for path in sorted([f"{apt}/sources.list", *glob.glob(f"{apt}/sources.list.d/*.list"), *glob.glob(f"{apt}/sources.list.d/*.sources")]):
    if path == ours or not os.path.isfile(path): continue
    with open(path, errors="surrogateescape") as file: before = file.read()
    after = without(path, before)
    if after == before: continue
    print(path)
    if action == "remove": remove(path, after)
'

# docker_sources list|remove MIRROR OURS prints the source files that name Docker's repository, whatever they are called. `remove`
# takes the repository out of them, and removes a file that holds nothing else. It recognises Docker's own host, the declared
# mirror, the path that public mirrors use, and docker.list, the name in Docker's manual. It never touches OURS, and keeps a copy of
# each file it changes.
docker_sources() { python3 -c "$EDIT_SOURCES" "$1" "$2" "$3" "$ROOT_DIR"; }
