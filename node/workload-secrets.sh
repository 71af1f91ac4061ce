# shellcheck shell=bash
# Writes a workload's secrets to files that only its user can read. The container mounts their folder. On the node itself only root
# gets there, because the folder above belongs to root alone: so an escape from another container with the same user does not help.
# Since 1.1, runc opens mounts from outside the container's user namespace, so the mount needs no further permission.
# WORKLOAD      name of the workload
# OWNER         id of its user in the container
# FILES         names of the files
# CONTENT_0...  their contents, in the same order
# Result: {"directory":"/var/lib/docker-node/secrets/workloads/web","written":1767225600}; written: last change of a file, in seconds
# With MODE=check it reports which file differs from what was written, and never its content.
SCRIPT=workload-secrets
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

readonly SECRETS=/var/lib/docker-node/secrets
readonly DIRECTORY="$SECRETS/workloads/${WORKLOAD:-}"
readonly FOLDER="$ROOT_DIR$DIRECTORY"

own_folders() {
  mkdir -p "$FOLDER"
  chmod 0700 "$ROOT_DIR$SECRETS" "${FOLDER%/*}"
  # The container's user reads it through the mount.
  chmod 0755 "$FOLDER"
  chown root:root "$ROOT_DIR$SECRETS" "${FOLDER%/*}" "$FOLDER"
}

# The user's id on the node. Under userns-remap, docker keeps its data in a folder named after the first ids of the remapped users.
user_here() {
  local root
  root=$(docker_cli info --format '{{.DockerRootDir}}')
  if [[ ${root##*/} =~ ^([0-9]+)\.[0-9]+$ ]]; then
    # shellcheck disable=SC2153 # a variable of the step
    printf '%s' $((BASH_REMATCH[1] + OWNER))
  else
    printf '%s' "$OWNER"
  fi
}

write_files() { # USER
  local index=0 file content
  for file in $FILES; do
    content="CONTENT_$index"
    write_if_changed "$FOLDER/$file" 0400 < <(printf %s "${!content}")
    chown "$1:root" "$FOLDER/$file"
    index=$((index + 1))
  done
}

# Removes files that are no longer declared.
remove_others() {
  local file
  for file in "$FOLDER"/*; do
    [[ ! -e $file || " $FILES " == *" ${file##*/} "* ]] || rm -f "$file"
  done
}

last_change() { stat -c %Y "$FOLDER" "$FOLDER"/* | sort -n | tail -n 1; }

tell_differences() { # USER
  local index=0 file path content wanted
  for file in $FILES; do
    content="CONTENT_$index"
    index=$((index + 1))
    wanted=$(printf %s "${!content}" | sha256_of)
    digest_differs "$FOLDER/$file" 0400 "$wanted" "$1"
  done
  for path in "$FOLDER"/*; do
    [[ ! -e $path || " $FILES " == *" ${path##*/} "* ]] || differs "$path" '' present ''
  done
}

main() {
  local user
  begin_change
  require WORKLOAD OWNER FILES
  user=$(user_here)
  if checking; then
    tell_differences "$user"
    return
  fi
  own_folders
  write_files "$user"
  remove_others
  json_object "directory=$DIRECTORY" "written:=$(last_change)"
}

main "$@" </dev/null
