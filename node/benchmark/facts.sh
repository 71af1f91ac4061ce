# shellcheck shell=bash
# Collects what the checks of the Docker benchmark look at. It reads and does not judge.
# Result: {"command":[...],"config":{...},"info":{...},"bridge":{...},"files":[...],"audited":[...],"mounts":[...],"group":[...],
#          "contentTrust":false,"containers":[...],"images":[...],"volumes":[...]}; files: {"path","type","mode","owner","group"};
#          volumes: {"name","device"}
SCRIPT=benchmark
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../hardening/audit-rules.sh
declare -F recorded_paths >/dev/null || . "${BASH_SOURCE[0]%/*}/../hardening/audit-rules.sh"

# lines: turns standard input into a JSON array of strings.
lines() { python3 -c 'import json, sys; print(json.dumps(sys.stdin.read().splitlines()))'; }

# The command line that dockerd was started with.
command_line() {
  local pid
  pid=$(systemctl show --property=MainPID --value docker.service)
  [[ -r $ROOT_DIR/proc/$pid/cmdline ]] || fail "dockerd does not run as docker.service"
  tr '\0' '\n' <"$ROOT_DIR/proc/$pid/cmdline" | lines
}

config() { python3 -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))))' "$ROOT_DIR/etc/docker/daemon.json" 2>/dev/null || printf '{}'; }

# Docker's programs, units, sockets and settings, in the places of each distribution, and the files that daemon.json names.
paths() { # CONFIG
  local name folder
  for name in dockerd containerd containerd-shim containerd-shim-runc-v1 containerd-shim-runc-v2 runc; do
    for folder in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin; do printf '%s\n' "$folder/$name"; done
  done
  systemctl show --property=FragmentPath --value docker.service docker.socket containerd.service
  printf '%s\n' /run/docker.sock /run/containerd /run/containerd/containerd.sock /var/lib/docker /etc/docker /etc/docker/daemon.json \
    /etc/default/docker /etc/sysconfig/docker /etc/containerd/config.toml
  python3 -c 'import json, sys; c = json.loads(sys.argv[1]); print("\n".join(c.get(k, "") for k in ("tlscacert", "tlscert", "tlskey")))' "$1"
  find "$ROOT_DIR/etc/docker/certs.d" -type f 2>/dev/null | sed "s|^$ROOT_DIR||" || true
}

# One object for each path that exists. A link counts as its target.
files() {
  sed '/^$/d' | sort -u | python3 -c '
import grp, json, os, pwd, stat, sys
def known(find, number):
    try:
        return find(number)[0]
    except KeyError:
        return str(number)
found = []
for path in sys.stdin.read().splitlines():
    try:
        entry = os.stat(sys.argv[1] + path)
    except OSError:
        continue
    kind = "directory" if stat.S_ISDIR(entry.st_mode) else "socket" if stat.S_ISSOCK(entry.st_mode) else "file"
    found.append({"path": path, "real": os.path.realpath(sys.argv[1] + path)[len(sys.argv[1]):], "type": kind,
        "mode": stat.S_IMODE(entry.st_mode), "owner": known(pwd.getpwuid, entry.st_uid), "group": known(grp.getgrgid, entry.st_gid)})
print(json.dumps(found))' "$ROOT_DIR"
}

audited() { { auditctl -l 2>/dev/null || true; } | recorded_paths | lines; }

group_members() { { getent group docker || true; } | cut -d: -f4 | tr ',' '\n' | sed '/^$/d' | lines; }

inspect() { # TYPE NAME...
  local type=$1
  shift
  if (($# == 0)); then printf '[]'; else docker_cli inspect --type "$type" "$@" 2>/dev/null || true; fi
}

# Volumes that are a folder of the node by another name. Other options may hold a password, and stay here.
bound_volumes() {
  local names
  names=$(docker_cli volume ls --quiet)
  # shellcheck disable=SC2086 # names of volumes, which hold no space
  inspect volume $names | python3 -c '
import json, sys
def is_bound(options):
    return not {"bind", "rbind"}.isdisjoint((options.get("o") or "").split(","))
options = {volume["Name"]: volume.get("Options") or {} for volume in json.load(sys.stdin)}
print(json.dumps([{"name": name, "device": own["device"]} for name, own in options.items() if "device" in own and is_bound(own)]))'
}

main() {
  local info command config files volumes trust=false
  limit_run
  info=$(docker_cli info --format '{{json .}}') || fail "Docker does not answer"
  command=$(command_line)
  config=$(config)
  files=$(paths "$config" | files)
  volumes=$(bound_volumes)
  ! grep -qsE '^DOCKER_CONTENT_TRUST=1$' "$ROOT_DIR/etc/environment" || trust=true
  # Uses the shell's own printf: an argument of a program may have at most 128 KiB (execve(2)).
  # shellcheck disable=SC2046 # lists of ids, which hold no space
  printf '{"command":%s,"config":%s,"info":%s,"bridge":%s,"files":%s,"audited":%s,"mounts":%s,"group":%s,"contentTrust":%s,"containers":%s,"images":%s,"volumes":%s}\n' \
    "$command" "$config" "$info" "$(inspect network bridge)" "$files" "$(audited)" "$(findmnt -rno TARGET | lines)" \
    "$(group_members)" "$trust" "$(inspect container $(docker_cli ps --quiet --no-trunc))" \
    "$(inspect image $(docker_cli image ls --all --quiet --no-trunc | sort -u))" "$volumes"
}

main "$@" </dev/null
