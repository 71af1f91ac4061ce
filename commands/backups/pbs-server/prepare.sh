# shellcheck shell=bash disable=SC2154  # arguments.sh sets the variables
# What a node and the VMs need of the server, and what is left to do on the workstation.

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

# Jobs of Proxmox VE that prune need a token that may prune; without it each job is reported as failed.
prepare_vms() {
  local role=DatastorePowerUser
  make_token "$PVE_TOKEN" "${ROTATE[vm]}"
  if [ -n "$VM_KEEP" ]; then
    role=DatastoreBackup
    STORE=$VM_STORE make_job prune-job docker-node-vm ${VM_NAMESPACE:+--ns "$VM_NAMESPACE"} --max-depth 0 --schedule 05:30 \
      --keep-daily "$VM_KEEP"
    # Who looks at what is kept sees the job.
    [ "$VM_STORE" = "$STORE" ] || grant DatastoreAudit "/datastore/$VM_STORE" "$RESTORE_TOKEN"
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

main() {
  local node
  parse_arguments "$@"
  check_arguments
  make_datastore
  for node in "${NODES[@]}"; do prepare_node "$node"; done
  make_token "$RESTORE_TOKEN" "${ROTATE[restore]}"
  grant DatastoreReader "/datastore/$STORE" "$RESTORE_TOKEN"
  if [ -n "$VM_STORE" ]; then prepare_vms; fi
  explain
}

# The script comes on standard input: nothing else may read it.
main "$@" </dev/null
