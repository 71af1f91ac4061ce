# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# Backs up what makes this Docker this one: files of the node as a tree, and Docker's objects as `docker inspect` shows them.

# The list is a file of its own, because `npx docker-node backups` reads it too. Files that do not exist are left out.
mapfile -t CONFIGURATION_FILES <"$HERE/configuration.paths"

backup_configuration() { backup_item configuration configuration take_configuration; }

take_configuration() {
  local tree="$SPOOL/configuration" digest
  refuse_replaced || return 1
  empty_spool configuration
  # Earlier snapshots stay. A snapshot without daemon.json would restore nothing.
  [[ -e $HOST_DIR/etc/docker/daemon.json ]] || error "/etc/docker/daemon.json is missing" || return 1
  copy_files "$tree" && write_definitions "$tree/definitions" || return 1
  digest=$(configuration_digest "$tree") || return 1
  if [[ $IF_CHANGED == yes && $digest == "$(cat "$STATE_DIR/configuration.digest" 2>/dev/null)" ]] && has_snapshot; then
    UNCHANGED=yes
  else
    upload configuration configuration "files.pxar:$tree" || return 1
    BYTES=$(size_of "$tree")
    printf '%s\n' "$digest" >"$STATE_DIR/configuration.digest"
  fi
  # The tree holds the environments of containers.
  rm -rf "$tree"
}

# A file or folder that was replaced stays mounted in its old version, so a backup of it would be worthless. When the container
# starts again, it mounts the new one and catches up.
refuse_replaced() {
  local root path
  while read -r _ _ _ root path _; do
    if [[ $root == *//deleted && $path == "$HOST_DIR"/* ]]; then
      RESTART=yes
      error "${path#"$HOST_DIR"} was replaced; the container starts again to see the new one" || return 1
    fi
  done <"${MOUNTINFO:-/proc/self/mountinfo}"
}

has_snapshot() { current | jq -e '.items.configuration.snapshot' >/dev/null; }

copy_files() { # TREE
  local file present=()
  # shellcheck disable=SC2086 # a list of paths
  for file in "${CONFIGURATION_FILES[@]}" ${CONFIGURATION_PATHS:-}; do
    file=${file#/}
    if [[ -e $HOST_DIR/$file ]]; then present+=("$file"); fi
  done
  (cd "$HOST_DIR" && cp -a --parents "${present[@]}" "$1") 2>"$SPOOL/copy.log" ||
    error "$(tail -n 1 "$SPOOL/copy.log")"
}

write_definitions() { # FOLDER
  local containers networks volumes images
  mkdir "$1"
  containers=$(docker_cli ps --all --quiet --no-trunc) && networks=$(docker_cli network ls --quiet --no-trunc) &&
    volumes=$(docker_cli volume ls --quiet) && images=$(docker_cli image ls --all --quiet --no-trunc | sort -u) ||
    error "docker does not answer" || return 1
  # shellcheck disable=SC2086 # lists of ids and of names, which hold no space
  inspect container $containers >"$1/containers.json" && inspect network $networks >"$1/networks.json" &&
    inspect volume $volumes >"$1/volumes.json" && inspect image $images >"$1/images.json"
}

# configuration_digest TREE: covers what somebody decided, and leaves out states, counters and addresses, which change by
# themselves.
configuration_digest() {
  local definitions="$1/definitions"
  {
    jq -cS 'map({Id, Name, Image, Config, HostConfig, Mounts, Networks: (.NetworkSettings.Networks // {}
      | map_values({IPAMConfig, Links, Aliases, DriverOpts}))}) | sort_by(.Id)' "$definitions/containers.json"
    jq -cS 'map(del(.Containers, .Status)) | sort_by(.Id)' "$definitions/networks.json"
    jq -cS 'map(del(.Status, .UsageData)) | sort_by(.Name)' "$definitions/volumes.json"
    jq -cS 'map({Id, RepoTags, RepoDigests}) | sort_by(.Id)' "$definitions/images.json"
    (tree_digest "$1" definitions)
  } | sha256sum | cut -d ' ' -f 1
}
