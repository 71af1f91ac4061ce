#!/usr/bin/env bash
# Creates what the program needs on Proxmox VE: roles, a user, an API token, and access to exactly the named
# paths. An administrator runs it on a Proxmox node; it may be run again. docs/reference/proxmox-privileges.md says
# what each privilege is for.
#
#   npx docker-node doctor --print-role --stack prod | ssh root@<node> bash -s -- --dry-run
#
# prints this script with the stack's paths as its first arguments.
set -euo pipefail

USER_ID=automation@pve
TOKEN=pulumi
DRY_RUN=0
ROTATE=0
GRANTS=()

usage() {
  cat <<'END'
usage: proxmox-role.sh [--grant ROLE PATH]... [--user USER@REALM] [--token NAME] [--rotate] [--dry-run]

  --grant ROLE PATH  give ROLE on PATH, such as: --grant DockerNodeImages /storage/local
  --user, --token    default: automation@pve, pulumi
  --rotate           make a new secret; the old one stops working at once
  --dry-run          only print the commands
END
}

fail() {
  printf '%s\n' "$1" >&2
  exit 2
}

# arguments
while [ $# -gt 0 ]; do
  case "$1" in
    --grant)
      [ $# -ge 3 ] || fail "--grant takes a role and a path"
      GRANTS+=("$2 $3")
      shift 2
      ;;
    --user)
      USER_ID="${2:?--user takes a user id}"
      shift
      ;;
    --token)
      TOKEN="${2:?--token takes a name}"
      shift
      ;;
    --rotate) ROTATE=1 ;;
    --dry-run) DRY_RUN=1 ;;
    --help)
      usage
      exit 0
      ;;
    *) fail "unknown argument: $1" ;;
  esac
  shift
done
[ "${#GRANTS[@]}" -gt 0 ] || {
  usage >&2
  exit 2
}
command -v pveum >/dev/null || fail "pveum is not installed here: run this on a Proxmox VE node"

declare -A PRIVS BELOW
# privileges: begin
PRIVS[DockerNode]="VM.Allocate VM.Audit VM.Config.CDROM VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.PowerMgmt"
BELOW[DockerNode]=1
PRIVS[DockerNodeTemplate]="VM.Audit VM.Clone"
BELOW[DockerNodeTemplate]=1
PRIVS[DockerNodeImages]="Datastore.Allocate Datastore.AllocateTemplate Datastore.Audit"
BELOW[DockerNodeImages]=1
PRIVS[DockerNodeDisks]="Datastore.AllocateSpace Datastore.Audit"
BELOW[DockerNodeDisks]=1
PRIVS[DockerNodeHost]="Sys.AccessNetwork"
BELOW[DockerNodeHost]=0
PRIVS[DockerNodeBridge]="SDN.Use"
BELOW[DockerNodeBridge]=0
PRIVS[DockerNodeCluster]="Sys.Modify"
BELOW[DockerNodeCluster]=0
PRIVS[DockerNodeFirewall]="Sys.Audit"
BELOW[DockerNodeFirewall]=0
PRIVS[DockerNodeAvailability]="Sys.Audit Sys.Console"
BELOW[DockerNodeAvailability]=0
PRIVS[DockerNodeReplication]="VM.Replicate"
BELOW[DockerNodeReplication]=1
PRIVS[DockerNodeBackup]="Sys.Audit Sys.Modify"
BELOW[DockerNodeBackup]=0
PRIVS[DockerNodeBackupStorage]="Datastore.Allocate Datastore.Audit"
BELOW[DockerNodeBackupStorage]=0
# privileges: end

run() {
  if [ "$DRY_RUN" = 1 ]; then
    printf '%q ' "$@"
    printf '\n'
  else
    "$@"
  fi
}

# Whether a list of pveum has an entry. Takes the field, its value, and the command that lists.
listed() {
  local field="$1" value="$2"
  shift 2
  "$@" --output-format json | grep -Eq "\"$field\" *: *\"$value\""
}

make_role() {
  if listed roleid "$1" pveum role list; then
    run pveum role modify "$1" --privs "${PRIVS[$1]}"
  else
    run pveum role add "$1" --privs "${PRIVS[$1]}"
  fi
}

make_user() {
  listed userid "$USER_ID" pveum user list ||
    run pveum user add "$USER_ID" --comment "docker-node: automation, no login"
}

has_token() {
  listed userid "$USER_ID" pveum user list && listed tokenid "$TOKEN" pveum user token list "$USER_ID"
}

# Proxmox shows the secret now, and never again.
make_token() {
  if has_token; then
    [ "$ROTATE" = 1 ] || return 0
    run pveum user token remove "$USER_ID" "$TOKEN"
  fi
  run pveum user token add "$USER_ID" "$TOKEN" --privsep 1 --comment "docker-node"
}

# A token with separated privileges may do only what its user may do too, so both get the role.
grant() {
  local role="$1" path="$2"
  run pveum acl modify "$path" --users "$USER_ID" --roles "$role" --propagate "${BELOW[$role]}"
  run pveum acl modify "$path" --tokens "$USER_ID!$TOKEN" --roles "$role" --propagate "${BELOW[$role]}"
}

declare -A MADE
for entry in "${GRANTS[@]}"; do
  role="${entry%% *}"
  [ -n "${PRIVS[$role]:-}" ] || fail "unknown role: $role; allowed: ${!PRIVS[*]}"
  [ -n "${MADE[$role]:-}" ] || make_role "$role"
  MADE[$role]=1
done
make_user
make_token
for entry in "${GRANTS[@]}"; do
  grant "${entry%% *}" "${entry#* }"
done
