# shellcheck shell=bash disable=SC2034  # the parts after this one read the variables
# Prepares a Proxmox Backup Server for nodes: namespaces, tokens with exactly the access they need, prune and
# verify jobs. Run by root on the server; may be run again, as for a further node. docs/how-to/prepare-the-backup-server.md explains.
#
# The files of this folder are one script, in the order of their names; prepare.sh starts it:
#
#   cat commands/backups/pbs-server/*.sh | ssh root@pbs01 bash -s -- --dry-run --keep-volumes 30 proj-docker02
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
# By node, where it is not backup@pbs!<node>.
declare -A TOKENS

# What is kept, by kind: a prune job applies to one namespace.
KINDS=(volumes configuration images)
declare -A KEEP=([volumes]=30 [configuration]=90 [images]=4)
declare -A UNIT=([volumes]=daily [configuration]=daily [images]=weekly)

usage() {
  cat <<'END'
usage: pbs-server [--datastore NAME] [--path DIRECTORY] [--vm-datastore NAME] [--vm-namespace NAME] [--vm-token ID]
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

parse_arguments() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --rotate) ROTATE[nodes]=yes ;;
      --rotate-restore | --rotate-vm) ROTATE[${1#--rotate-}]=yes ;;
      --dry-run) DRY_RUN=1 ;;
      --help)
        usage
        exit 0
        ;;
      -*)
        set_value "$@"
        shift
        ;;
      *)
        NODES+=("${1%%=*}")
        [[ $1 != ?*=* ]] || TOKENS[${1%%=*}]=${1#*=}
        ;;
    esac
    shift
  done
}

# An option with a value: the first two of what is left.
set_value() {
  case "$1" in
    --datastore | --path | --vm-datastore | --vm-namespace | --vm-token | --keep-volumes | --keep-configuration | \
      --keep-images | --keep-vm) [ $# -ge 2 ] || fail "$1 takes a value" ;;
    *) fail "unknown argument: $1" ;;
  esac
  case "$1" in
    --datastore) STORE=$2 ;;
    --path) STORE_PATH=$2 ;;
    --vm-datastore) VM_STORE=$2 ;;
    --vm-namespace) VM_NAMESPACE=$2 ;;
    --vm-token) PVE_TOKEN=$2 ;;
    --keep-vm) VM_KEEP=$2 ;;
    --keep-*) KEEP[${1#--keep-}]=$2 ;;
  esac
}

check_arguments() {
  [ "${#NODES[@]}" -gt 0 ] || {
    usage >&2
    exit 2
  }
  check_names
  check_keeps
  local program
  for program in proxmox-backup-manager proxmox-backup-debug; do
    command -v "$program" >/dev/null || fail "there is no $program: run this on the Proxmox Backup Server"
  done
}

check_names() {
  local name token node
  for name in "$STORE" ${VM_STORE:+"$VM_STORE"} "${NODES[@]}"; do
    [[ $name =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]] || fail "not a name: '$name'; letters, digits and . _ - are allowed"
  done
  for token in "$PVE_TOKEN" ${TOKENS[@]+"${TOKENS[@]}"}; do
    [[ $token =~ ^[^[:space:]:/@!]+@[A-Za-z0-9_][A-Za-z0-9._-]*![A-Za-z0-9_][A-Za-z0-9._-]*$ ]] ||
      fail "not an API token: '$token'; user@realm!name is allowed, such as backup@pbs!proj-docker02"
  done
  [[ -z $VM_NAMESPACE || $VM_NAMESPACE =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$ ]] ||
    fail "not a namespace: '$VM_NAMESPACE'; names with / between them are allowed"
  for node in "${NODES[@]}"; do
    # Jobs are named <node>-configuration and so on, and may have 32 characters.
    [ "${#node}" -le 18 ] || fail "name of node too long for names of jobs: '$node'; 18 characters at most"
  done
}

check_keeps() {
  local kind
  [ -n "$VM_STORE" ] || [ -z "$VM_KEEP$VM_NAMESPACE" ] || fail "--keep-vm and --vm-namespace need --vm-datastore"
  [[ -z $VM_KEEP || $VM_KEEP =~ ^[1-9][0-9]{0,3}$ ]] || fail "--keep-vm: '$VM_KEEP'; 1 to 9999 is allowed"
  for kind in "${KINDS[@]}"; do
    [[ ${KEEP[$kind]} =~ ^[1-9][0-9]{0,3}$ ]] || fail "--keep-$kind: '${KEEP[$kind]}'; 1 to 9999 is allowed"
  done
}
