# shellcheck shell=bash
# What the server has: datastore, namespaces, users, tokens with their rights, jobs. Each is made only if it is not there.

# Tokens made in this run, since nodes may share one.
declare -A MADE

run() {
  if [ "$DRY_RUN" = 1 ]; then
    printf '%q ' "$@"
    printf '\n'
  else
    "$@"
  fi
}

# Is there an entry in a list? Takes field, value, and the command that lists.
listed() {
  local field="$1" value="$2" list
  shift 2
  list="$("$@" --output-format json)" || fail "this failed: $*"
  grep -Eq "\"$field\" *: *\"${value//./\\.}\"" <<<"$list"
}

make_datastore() {
  listed name "$STORE" proxmox-backup-manager datastore list && return
  [ -n "$STORE_PATH" ] || fail "there is no datastore '$STORE': name its directory by --path"
  run proxmox-backup-manager datastore create "$STORE" "$STORE_PATH" --gc-schedule daily
}

# Namespaces are not among what proxmox-backup-manager makes; the API is asked, without a password.
make_namespace() {
  local parent="$1" name="$2" path="/admin/datastore/$STORE/namespace"
  local full="${parent:+$parent/}$name"
  ! listed ns "$full" proxmox-backup-debug api get "$path" || return 0
  # Printed as text, its result makes the program panic, after the namespace is made.
  run proxmox-backup-debug api create "$path" --name "$name" ${parent:+--parent "$parent"} --output-format json
}

make_user() {
  listed userid "$1" proxmox-backup-manager user list ||
    run proxmox-backup-manager user create "$1" --comment "docker-node: automation, no login"
}

has_token() {
  listed userid "${1%%!*}" proxmox-backup-manager user list &&
    listed tokenid "$1" proxmox-backup-manager user list-tokens "${1%%!*}"
}

# Takes a token and whether it gets a new secret. The server shows it once, now, and never again.
make_token() {
  local token="$1" rights=''
  [ -z "${MADE[$token]:-}" ] || return 0
  MADE[$token]=yes
  make_user "${token%%!*}"
  if has_token "$token"; then
    [ "$2" = yes ] || return 0
    rights="$(rights_of "$token")"
    run proxmox-backup-manager user delete-token "${token%%!*}" "${token#*!}"
  fi
  run proxmox-backup-manager user generate-token "${token%%!*}" "${token#*!}" --comment "docker-node"
  give_back "$token" "$rights"
}

# The rights of a token, as path, role and whether they are handed down, a line each.
rights_of() {
  local list
  list="$(proxmox-backup-manager acl list --output-format json)" || fail "this failed: proxmox-backup-manager acl list"
  tr -d '\n' <<<"$list" | grep -o '{[^}]*}' | grep -E "\"ugid\" *: *\"${1//./\\.}\"" |
    sed -E 's/.*"path" *: *"([^"]*)".*/& \1/; s/.*"propagate" *: *([a-z0-9]*).*"roleid" *: *"([^"]*)".* ([^ ]*)$/\3 \2 \1/' || true
}

# Newer servers take a token's rights away with it, also those for nodes that this run does not name.
give_back() {
  local path role propagate
  while read -r path role propagate; do
    [ -n "$path" ] || continue
    run proxmox-backup-manager acl update "$path" "$role" --auth-id "$1" --propagate "${propagate:-true}"
  done <<<"$2"
}

# A token has what both it and its user have, so both are given the role.
grant() {
  local role="$1" path="$2" token="$3"
  run proxmox-backup-manager acl update "$path" "$role" --auth-id "${token%%!*}"
  run proxmox-backup-manager acl update "$path" "$role" --auth-id "$token"
}

# Takes the kind of job, its id, and its options.
make_job() {
  local kind="$1" id="$2" verb=create
  shift 2
  if listed id "$id" proxmox-backup-manager "$kind" list; then verb=update; fi
  run proxmox-backup-manager "$kind" "$verb" "$id" --store "$STORE" "$@"
}
