# shellcheck shell=bash
# Decides who reaches the node and its Docker: SSH keys, members of the docker group (who are root in all but name), and how many
# SSH connections sshd accepts, since the provider opens many.
# DOCKER_GROUP_MEMBERS  users separated by spaces: these and nobody else
# NODE_USER             user whose SSH keys are declared; empty: nobody's
# AUTHORIZED_KEYS       the keys, one per line. Keys of an earlier run that are no longer listed are removed; any other key stays
# Result: {"dockerGroup":["ubuntu"],"maxStartups":"100:30:200","maxSessions":50}
SCRIPT=access
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"

DOCKER_GROUP_MEMBERS="${DOCKER_GROUP_MEMBERS:-}" NODE_USER="${NODE_USER:-}" AUTHORIZED_KEYS="${AUTHORIZED_KEYS:-}"
readonly DECLARED="$ROOT_DIR/var/lib/docker-node/authorized_keys"
readonly GROUP="$ROOT_DIR/etc/group" SSHD="$ROOT_DIR/etc/ssh/sshd_config.d/10-docker-node.conf"
# The provider opens a connection, or a session, for each resource: kreuzwerker/terraform-provider-docker#262 runs into sshd's
# defaults of 10:30:100 and 10.
readonly MAX_STARTUPS=100:30:200 MAX_SESSIONS=50

members() { getent group docker | cut -d: -f4 | tr , '\n' | sed '/^$/d' | sort; }
declared() { tr -s ' ' '\n' <<<"$DOCKER_GROUP_MEMBERS" | sed '/^$/d' | sort -u; }

group_member() { gpasswd "$1" "$2" docker >/dev/null; }

group_members() {
  local user
  if ! getent group docker >/dev/null; then
    checking || fail "there is no group docker: is docker installed?"
    differs "$GROUP" docker "" "$DOCKER_GROUP_MEMBERS"
    return
  fi
  for user in $(declared); do
    getent passwd "$user" >/dev/null || fail "DOCKER_GROUP_MEMBERS: there is no user $user"
  done
  for user in $(comm -13 <(members) <(declared)); do put_right "$GROUP" docker "" "$user" group_member -a "$user"; done
  for user in $(comm -23 <(members) <(declared)); do put_right "$GROUP" docker "$user" "" group_member -d "$user"; done
}

# Cloud-init writes keys on the first boot only, so later changes of keys come this way. A file without any key would lock us out,
# and so would one that the user does not own: sshd opens it as the user (openssh, auth2-pubkey.c).
authorized_keys() {
  local home owner file text earlier=/dev/null
  [[ -n $NODE_USER ]] || return 0
  require AUTHORIZED_KEYS
  home=$(getent passwd "$NODE_USER" | cut -d: -f6) || true
  [[ -n $home ]] || fail "NODE_USER: there is no user $NODE_USER"
  owner=$(getent passwd "$NODE_USER" | cut -d: -f3,4)
  file="$ROOT_DIR$home/.ssh/authorized_keys"
  if [[ -e $DECLARED ]]; then earlier=$DECLARED; fi
  text=$({ grep -vxFf "$earlier" "$file" 2>/dev/null || true; printf '%s\n' "$AUTHORIZED_KEYS"; } | awk 'NF && !seen[$0]++')
  own_folder "${file%/*}" "$owner"
  write_if_changed "$file" 0600 "$owner" <<<"$text"
  write_if_changed "$DECLARED" 0600 <<<"$AUTHORIZED_KEYS"
}

own_folder() { # FOLDER UID:GID
  local found=absent
  [[ ! -d $1 ]] || found=$(stat -c %u:%g "$1")
  [[ $found == "$2" ]] || put_right "$1" owner "$found" "$2" make_folder "$@"
}
make_folder() { # FOLDER UID:GID
  mkdir -p "$1"
  chown "$2" "$1"
}

# When an address or name changes, Proxmox gives cloud-init a new instance id, and on a new instance cloud-init starts over: it
# replaces the host keys that every connection pins (cloud-init, module "SSH", ssh_deletekeys), brings back SSH keys that were
# removed since, and upgrades all packages, since `ciupgrade` is on by default and only root@pam may turn it off. Cloud-init still
# sets network and name.
cloud_init() {
  local etc="$ROOT_DIR/etc/cloud" text
  [[ -d $etc/cloud.cfg.d ]] || return 0
  text=$(printf 'ssh_deletekeys: false\n' && modules_left "$etc/cloud.cfg")
  write_if_changed "$etc/cloud.cfg.d/99-docker-node.cfg" 0644 <<<"$text"
}

# A list in a file of cloud.cfg.d replaces the whole list.
modules_left() {
  [[ -r $1 ]] || return 0
  awk '/^[^ #-]/ { inside = /^cloud_(init|config|final)_modules:/ }
    inside && !/^ *- *\[? *(ssh|users[-_]groups|package[-_]update[-_]upgrade[-_]install)( *[],].*| *)$/ && !/^ *(#|$)/' "$1"
}

# sshd uses the first value it reads, and Debian and Ubuntu include this folder before everything else.
ssh_limits() {
  local before=absent output
  if [[ -e $SSHD ]]; then before=$(<"$SSHD"); fi
  write_if_changed "$SSHD" 0644 <<<"MaxStartups $MAX_STARTUPS"$'\n'"MaxSessions $MAX_SESSIONS"
  [[ $CHANGED == yes ]] || return 0
  if ! output=$(ask_sshd -t 2>&1); then
    if [[ $before == absent ]]; then rm -f "$SSHD"; else write_if_changed "$SSHD" 0644 <<<"$before"; fi
    fail "sshd does not accept its configuration; nothing was changed" "$output"
  fi
  reload_sshd
}

enable_services() {
  local unit
  for unit in containerd.service docker.socket docker.service; do
    enable_unit "$unit"
  done
}

main() {
  local list
  begin_change
  group_members
  authorized_keys
  cloud_init
  ssh_limits
  enable_services
  ! checking || return 0
  list=$(declared | sed 's/.*/"&"/' | paste -sd, -)
  json_object "dockerGroup:=[$list]" "maxStartups=$MAX_STARTUPS" "maxSessions:=$MAX_SESSIONS"
}

main "$@" </dev/null
