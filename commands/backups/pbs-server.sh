#!/usr/bin/env bash
# Prepares a Proxmox Backup Server for nodes: namespaces, tokens with exactly the access they need, prune and
# verify jobs. Run by root on the server; may be run again, as for a further node. docs/how-to/prepare-the-backup-server.md explains.
#
#   ssh root@pbs01 bash -s -- --dry-run --keep-volumes 30 proj-docker02 < commands/backups/pbs-server.sh
set -euo pipefail

STORE=docker
STORE_PATH=
VM_STORE=
VM_NAMESPACE=
# Days of VM backups, if the server prunes them rather than Proxmox VE.
VM_KEEP=
DRY_RUN=0
# Whose tokens get new secrets: nodes, restore, vm.
declare -A ROTATE=([nodes]=no [restore]=no [vm]=no)
NODES=()

RESTORE_TOKEN='restore@pbs!workstation'
PVE_TOKEN='pve@pbs!docker-node'
# By node, where it is not backup@pbs!<node>; and those made in this run, since nodes may share one.
declare -A TOKENS MADE

# What is kept, by kind: a prune job applies to one namespace.
KINDS=(volumes configuration images)
declare -A KEEP=([volumes]=30 [configuration]=90 [images]=4)
declare -A UNIT=([volumes]=daily [configuration]=daily [images]=weekly)

usage() {
  cat <<'END'
usage: pbs-server.sh [--datastore NAME] [--path DIRECTORY] [--vm-datastore NAME] [--vm-namespace NAME] [--vm-token ID]
                     [--keep-KIND NUMBER] [--rotate] [--rotate-restore] [--rotate-vm] [--dry-run] NODE[=TOKEN-ID]...

  TOKEN-ID                   API token the node has; default: backup@pbs!NODE
  --datastore NAME           where nodes back up to; default: docker
  --path DIRECTORY           make the datastore there if it does not exist
  --vm-datastore NAME        also give Proxmox VE a token for its backups of VMs there
  --vm-namespace NAME        namespace of those backups; default: none
  --vm-token ID              that token; default: pve@pbs!docker-node
  --keep-volumes DAYS        of how many days the last backup is kept; default: 30
  --keep-configuration DAYS  likewise; default: 90
  --keep-images WEEKS        of how many weeks the last backup is kept; default: 4
  --keep-vm DAYS             the server prunes backups of VMs, and Proxmox VE's token can only add some;
                             default: Proxmox VE prunes them by its own jobs
  --rotate                   make new secrets for the tokens of the nodes named; the old ones stop to work at once
  --rotate-restore           likewise for the workstation's token
  --rotate-vm                likewise for Proxmox VE's token
  --dry-run                  only print the commands

npx docker-node backups --server prints the command line for a stack's nodes.
END
}

fail() {
  printf '%s\n' "$1" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case "$1" in
    --datastore | --path | --vm-datastore | --vm-namespace | --vm-token | --keep-volumes | --keep-configuration | \
      --keep-images | --keep-vm)
      [ $# -ge 2 ] || fail "$1 takes a value"
      case "$1" in
        --datastore) STORE=$2 ;;
        --path) STORE_PATH=$2 ;;
        --vm-datastore) VM_STORE=$2 ;;
        --vm-namespace) VM_NAMESPACE=$2 ;;
        --vm-token) PVE_TOKEN=$2 ;;
        --keep-vm) VM_KEEP=$2 ;;
        --keep-*) KEEP[${1#--keep-}]=$2 ;;
      esac
      shift
      ;;
    --rotate) ROTATE[nodes]=yes ;;
    --rotate-restore | --rotate-vm) ROTATE[${1#--rotate-}]=yes ;;
    --dry-run) DRY_RUN=1 ;;
    --help)
      usage
      exit 0
      ;;
    -*) fail "unknown argument: $1" ;;
    *)
      NODES+=("${1%%=*}")
      [[ $1 != ?*=* ]] || TOKENS[${1%%=*}]=${1#*=}
      ;;
  esac
  shift
done
[ "${#NODES[@]}" -gt 0 ] || {
  usage >&2
  exit 2
}
for name in "$STORE" ${VM_STORE:+"$VM_STORE"} "${NODES[@]}"; do
  [[ $name =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]] || fail "not a name: '$name'; letters, digits and . _ - are allowed"
done
for token in "$PVE_TOKEN" ${TOKENS[@]+"${TOKENS[@]}"}; do
  [[ $token =~ ^[^[:space:]:/@!]+@[A-Za-z0-9_][A-Za-z0-9._-]*![A-Za-z0-9_][A-Za-z0-9._-]*$ ]] ||
    fail "not an API token: '$token'; user@realm!name is allowed, such as backup@pbs!proj-docker02"
done
[[ -z $VM_NAMESPACE || $VM_NAMESPACE =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$ ]] ||
  fail "not a namespace: '$VM_NAMESPACE'; names with / between them are allowed"
[ -n "$VM_STORE" ] || [ -z "$VM_KEEP$VM_NAMESPACE" ] || fail "--keep-vm and --vm-namespace need --vm-datastore"
[[ -z $VM_KEEP || $VM_KEEP =~ ^[1-9][0-9]{0,3}$ ]] || fail "--keep-vm: '$VM_KEEP'; 1 to 9999 is allowed"
for kind in "${KINDS[@]}"; do
  [[ ${KEEP[$kind]} =~ ^[1-9][0-9]{0,3}$ ]] || fail "--keep-$kind: '${KEEP[$kind]}'; 1 to 9999 is allowed"
done
for node in "${NODES[@]}"; do
  # Jobs are named <node>-configuration and so on, and may have 32 characters.
  [ "${#node}" -le 18 ] || fail "name of node too long for names of jobs: '$node'; 18 characters at most"
done
for program in proxmox-backup-manager proxmox-backup-debug; do
  command -v "$program" >/dev/null || fail "there is no $program: run this on the Proxmox Backup Server"
done

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

prepare_node() {
  local node="$1" kind token="${TOKENS[$1]:-backup@pbs!$1}"
  make_namespace "" "$node"
  for kind in "${KINDS[@]}"; do
    make_namespace "$node" "$kind"
    make_job prune-job "$node-$kind" --ns "$node/$kind" --max-depth 0 --schedule 05:00 "--keep-${UNIT[$kind]}" "${KEEP[$kind]}"
  done
  make_job verify-job "$node-verify" --ns "$node" --schedule 06:00 --ignore-verified true --outdated-after 30
  make_token "$token" "${ROTATE[nodes]}"
  grant DatastoreBackup "/datastore/$STORE/$node" "$token"
}

# A token that prunes is for jobs of Proxmox VE that prune: one that may not makes every such job a failed one.
prepare_vms() {
  local role=DatastorePowerUser
  make_token "$PVE_TOKEN" "${ROTATE[vm]}"
  if [ -n "$VM_KEEP" ]; then
    role=DatastoreBackup
    STORE=$VM_STORE make_job prune-job docker-node-vm ${VM_NAMESPACE:+--ns "$VM_NAMESPACE"} --max-depth 0 --schedule 05:30 \
      --keep-daily "$VM_KEEP"
  fi
  grant "$role" "/datastore/$VM_STORE" "$PVE_TOKEN"
}

explain() {
  cat <<END

On the workstation, for each stack (pulumi asks for the value, so that it is in no shell history):

  pulumi config set --secret backupToken      # the value of the node's token
  proxmox-backup-client key create --kdf none backup-key.json
  pulumi config set --secret backupKey < backup-key.json
END
  if [ -n "$VM_STORE" ]; then
    printf '  pulumi config set --secret pbsStorageToken  # the value of %s\n' "$PVE_TOKEN"
  fi
  cat <<END

Keep backup-key.json where the workstation's secrets are kept, and a copy on paper: without it there is no restore.
For a restore:

  export PBS_RESTORE_TOKEN_ID='$RESTORE_TOKEN' PBS_RESTORE_TOKEN_FILE=… PBS_RESTORE_KEYFILE=…

The server's certificate, for server.fingerprint in the configuration:

END
  proxmox-backup-manager cert info | grep -i '^Fingerprint'
}

make_datastore
for node in "${NODES[@]}"; do prepare_node "$node"; done
make_token "$RESTORE_TOKEN" "${ROTATE[restore]}"
grant DatastoreReader "/datastore/$STORE" "$RESTORE_TOKEN"
if [ -n "$VM_STORE" ]; then prepare_vms; fi
explain
