# shellcheck shell=bash
# Reports how a node differs from what it was given. With MODE=check a script changes nothing, starts nothing and takes no lock: it
# prints what it would change, one line of JSON each, and nothing when all is as declared. Goes after lib.sh.
#   {"step":"daemon","file":"/etc/docker/daemon.json","key":"log-opts.max-file","found":"\"9\"","declared":"\"3\""}
# An empty value means that there is none. `left` is there when a run would not change it either, and says why. Values never hold
# secrets.

readonly REPORTER='
import collections, json, re, sys
action, step, path, *rest = sys.argv[1:]

def shown(key, text):
    if text and re.search("token|password|secret", key, re.I):
        return "[secret]"
    return re.sub(r"(://)[^/@\s]*@", r"\1[secret]@", text)[:300]

def say(key, found, declared, left=""):
    line = {"step": step, "file": path, "key": key, "found": shown(key, found), "declared": shown(key, declared)}
    print(json.dumps(line | ({"left": left} if left else {}), separators=(",", ":")))

# The first word of a line is its key, such as Pin-Priority, MaxSessions or UUID.
def by_key(text):
    keys = collections.defaultdict(collections.Counter)
    for line in filter(str.strip, text.splitlines()):
        key, value = re.match(r"\s*([^\s:=]*)[\s:=]*(.*)", line).groups()
        keys[key][value or key] += 1
    return keys

def compare(before, after):
    found, declared = by_key(before), by_key(after)
    for key in [*declared, *(key for key in found if key not in declared)]:
        gone, missing = found[key] - declared[key], declared[key] - found[key]
        if gone or missing:
            say(key, "\n".join(gone), "\n".join(missing))

if action == "rows":
    for row in filter(None, sys.stdin.read().splitlines()):
        say(*row.split("\t"), *rest)
elif action == "lines":
    with open(rest[0], errors="replace") as file:
        compare(file.read(), rest[1])
else:
    say(*rest)
'
reporter() { # ACTION FILE ARGUMENT...
  local action=$1 file=${2#"$ROOT_DIR"}
  shift 2
  python3 -c "$REPORTER" "$action" "$SCRIPT" "$file" "$@"
}

# differs FILE KEY FOUND DECLARED [LEFT]
differs() { reporter one "$@"; }

# rows_differ FILE [LEFT] <<<ROWS: key, found and declared value, separated by tabs.
rows_differ() { reporter rows "$@"; }

# put_right FILE KEY FOUND DECLARED COMMAND...: runs the command, or with MODE=check reports the difference.
put_right() {
  if checking; then
    differs "${@:1:4}"
  else
    "${@:5}"
  fi
}

# enable_unit UNIT and start_unit UNIT: enable or start a unit of systemd, if it is not.
enable_unit() {
  systemctl is-enabled --quiet "$1" || put_right systemd "$1" disabled enabled systemctl enable --quiet "$1"
}
start_unit() {
  systemctl is-active --quiet "$1" || put_right systemd "$1" stopped started systemctl start "$1"
}

# ask_sshd ARGUMENT...: -t and -T need the folder that ssh.service has only while it runs. Where ssh.socket starts it, as on Ubuntu
# since 22.10, a change of the package stops both and starts the socket alone, while sessions go on.
ask_sshd() {
  mkdir -p "$ROOT_DIR/run/sshd"
  sshd "$@"
}

# Only the listener reads its configuration again: open sessions, this one included, go on. If a socket starts it and none is running,
# the next one reads it. One that has its port from ssh.socket ends with "Cannot bind any address" when it is told to read again
# (Debian 13's 1:10.0p1), so it starts anew, with the socket's port.
reload_sshd() {
  local verb=reload
  systemctl is-active --quiet ssh.service || return 0
  ! systemctl is-active --quiet ssh.socket || verb=restart
  systemctl "$verb" ssh.service
}

# write_unit PATH [MODE] <<<TEXT: writes a file that systemd reads, or that such a file runs. Sets CHANGED. Call reload_units after
# the last one.
RELOAD=no
write_unit() {
  write_if_changed "$1" "${2:-0644}"
  [[ $CHANGED == no ]] || RELOAD=yes
}
reload_units() {
  [[ $RELOAD == no ]] || checking || systemctl daemon-reload
  RELOAD=no
}

# file_differs PATH MODE TEXT [UID:GID]: reports what write_if_changed would change.
file_differs() {
  local found
  if [[ ! -f $1 || -L $1 ]]; then
    differs "$1" '' "$([[ -L $1 ]] && echo link || echo absent)" present
    return
  fi
  found=$(stat -c %a "$1")
  [[ $found == "${2#0}" ]] || differs "$1" mode "0$found" "$2"
  found=$(stat -c %u:%g "$1")
  [[ $found == "${4:-$found}" ]] || differs "$1" owner "$found" "$4"
  reporter lines "$1" "$1" "$3"
}

# digest_differs PATH MODE SHA256 [OWNER]: reports that a file is another one than was written, of which no line is shown: it is a
# secret, or means nothing to a reader. An empty SHA256 stands for any content.
digest_differs() {
  local found wanted="$2${4:+, owner $4}"
  if [[ ! -f $1 || -L $1 ]]; then
    differs "$1" '' '' present
    return
  fi
  found=$(sha256_of <"$1")
  [[ -z $3 || $found == "$3" ]] || differs "$1" '' 'another content' 'as written'
  found=$(stat -c "0%a${4:+, owner %u}" "$1")
  [[ $found == "$wanted" ]] || differs "$1" mode "$found" "$wanted"
}
sha256_of() { sha256sum | cut -d' ' -f1; }

# The steps of a bundle (node/checks.ts) run in subshells. A step that could not be checked has printed why on standard error.
checked() { # STEP STATUS
  [[ $2 == 0 ]] || json_object "step=$1" "failed:=true"
}

# Lanes of steps are checked at the same time, and what they print comes one lane after the other.
LANES=()
begin_lane() { # COMMAND
  local lane
  exec {lane}< <("$1")
  LANES+=("$lane")
}
print_lanes() {
  local lane
  for lane in "${LANES[@]}"; do cat <&"$lane"; done
}
