#!/usr/bin/env bash
# with-ssh-key.sh COMMAND...: runs it with the private key of DOCKER_NODE_SSH_KEY in the file the configuration names
# (`ssh.privateKeyFile`), and removes the file afterwards. A file that is there already is left alone.
set -euo pipefail

file=${DOCKER_NODE_SSH_KEY_FILE:-$HOME/.ssh/docker-node_ed25519}
if [[ -n ${DOCKER_NODE_SSH_KEY:-} && ! -e $file ]]; then
  trap 'rm -f "$file"' EXIT
  (
    umask 077
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$DOCKER_NODE_SSH_KEY" >"$file"
  )
fi
# What runs needs the file, not the variable.
unset DOCKER_NODE_SSH_KEY
"$@"
