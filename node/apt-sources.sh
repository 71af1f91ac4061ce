# shellcheck shell=bash
# The part of storage.sh and install.sh that knows where packages come from, and takes a source out of files that others have made.
# Goes after apt.sh.

# deb_source URI SUITES COMPONENTS KEYRING prints one deb822 stanza.
deb_source() { printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n' "$@"; }

# distribution_sources URL: Debian keeps its security updates in a sibling archive, Ubuntu in the same one.
distribution_sources() {
  local id codename components=main keyring
  id=$(os_release ID)
  codename=$(os_release VERSION_CODENAME)
  keyring="/usr/share/keyrings/$id-archive-keyring.gpg"
  [[ $id != ubuntu ]] || components='main restricted universe multiverse'
  deb_source "$1" "$codename $codename-updates" "$components" "$keyring"
  printf '\n'
  deb_source "$(security_source "$1")" "$codename-security" "$components" "$keyring"
}

security_source() { # URL
  if [[ $(os_release ID) == debian ]]; then printf %s "$1-security"; else printf %s "$1"; fi
}

# use_distribution_mirror URL: takes the distribution's packages from there, and sets the distribution's own source files aside as
# `.disabled` (a suffix that apt skips silently, Dir::Ignore-Files-Silently). An empty URL brings them back. What other files have of
# the same archive goes too: with another Signed-By, apt would report an error and read no source at all.
use_distribution_mirror() {
  local apt="$ROOT_DIR/etc/apt" url=${1%/} stock text
  local file="$apt/sources.list.d/docker-node-distribution.sources"
  [[ -n $url || -e $file ]] || return 0
  for stock in "$apt/sources.list" "$apt/sources.list.d/ubuntu.sources" "$apt/sources.list.d/debian.sources"; do
    if [[ -n $url && -e $stock ]]; then put_right "$stock" "" present absent move_source "$stock" "$stock.disabled"; fi
    if [[ -z $url && -e $stock.disabled ]]; then put_right "$stock" "" absent present move_source "$stock.disabled" "$stock"; fi
  done
  if [[ -z $url ]]; then
    put_right "$file" "" present absent remove_source "$file"
    return
  fi
  take_out "the distribution's archive" "$file" "$url" "$(security_source "$url")"
  text=$(distribution_sources "$url")
  cmp -s "$file" - <<<"$text" || mark_unread
  write_if_changed "$file" 0644 <<<"$text"
}
move_source() { # FROM TO
  mark_unread
  mv -f "$1" "$2"
}
remove_source() { # FILE
  mark_unread
  rm -f "$1"
}

# Exists from before a source changes until apt has read all sources.
readonly UNREAD="$ROOT_DIR/var/lib/docker-node/apt-sources-unread"
mark_unread() { checking || write_if_changed "$UNREAD" 0644 <<<'apt-get update is due'; }

# take_out NAME OURS URI...: leaves no source of these but the one in the file OURS, whatever other files are called.
take_out() {
  local name=$1 found
  shift
  found=$(edit_sources list "$@")
  [[ -n $found ]] || return 0
  if checking; then
    while read -r found; do differs "$found" "$name" present absent; done <<<"$found"
    return
  fi
  mark_unread
  edit_sources remove "$@" >/dev/null
  log "took $name out of ${found//$'\n'/ }; a copy is in /var/lib/docker-node/apt"
}

readonly EDIT_SOURCES='
import glob, os, re, shutil, sys
action, root, ours, *uris = sys.argv[1:]
keep = f"{root}/var/lib/docker-node/apt"
docker = "docker" in uris
def plain(uri): return re.sub(r"^[a-z+]+:/*", "", uri).rstrip("/")
named = {plain(uri) for uri in uris if uri not in ("", "docker")}
def is_named(uri):
    return plain(uri) in named or docker and (plain(uri).split("/")[0] == "download.docker.com" or "/docker-ce/" in plain(uri) + "/")
def is_channel(path, components):
    return docker and os.path.basename(path) == "docker.list" and {"stable", "test", "nightly", "edge"} & set(components.split())
def line(path, text):
    found = re.match(r"\s*deb(?:-src)?\s+(?:\[[^]]*\]\s*)?(\S+)(?:\s+\S+)?([^#\n]*)", text)
    return "" if found and (is_named(found[1]) or is_channel(path, found[2])) else text
def stanza(text):
    found = re.search(r"(?mi)^URIs:(.*(?:\n[ \t].*)*)", text)
    uris = found[1].split() if found else []
    others = [uri for uri in uris if not is_named(uri)]
    if uris == others: return text
    return text[:found.start(1)] + " " + " ".join(others) + text[found.end(1):] if others else ""
def without(path, text):
    if path.endswith(".list"): return "".join(line(path, one) for one in text.splitlines(True))
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

# edit_sources list|remove OURS URI... prints the source files that name one of these archives. `remove` takes them out, and removes a
# file that holds nothing else. For the word `docker` it recognises Docker's own host, the path that public mirrors use, and Docker's
# channels in docker.list, the name in its manual. It never touches OURS, and keeps a copy of each file it changes.
edit_sources() { python3 -c "$EDIT_SOURCES" "$1" "$ROOT_DIR" "${@:2}"; }
