# shellcheck shell=bash
# Gives the backup container its secrets as files that only root of the node reads. The container mounts their folder: a file in
# the container itself would lie in a layer that belongs to the remapped root, whom an escape from any container gives.
# TOKEN  secret of the node's API token on the backup server
# KEY    encryption key, as `proxmox-backup-client key create --kdf none` writes it
# Result: {"directory":"/var/lib/docker-node/secrets/backup"}
SCRIPT=backup-secrets
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

readonly SECRETS=/var/lib/docker-node/secrets
readonly FOLDER="$ROOT_DIR$SECRETS/backup"

# Root's alone from the folder above on, whoever made it.
own_folders() {
  local folder
  for folder in "$ROOT_DIR$SECRETS" "$FOLDER"; do
    install -d -m 0700 "$folder"
    [[ -n $ROOT_DIR ]] || chown root:root "$folder"
  done
}

# The container mounts these files too, and Docker would make a folder of one that is not there. Without them there are no ranges,
# and the time is UTC (localtime(5)).
ensure_files() {
  local file
  for file in subuid subgid; do
    [[ -e $ROOT_DIR/etc/$file ]] || install -D -m 0644 /dev/null "$ROOT_DIR/etc/$file"
  done
  [[ -e $ROOT_DIR/etc/localtime ]] || ln -sfn /usr/share/zoneinfo/UTC "$ROOT_DIR/etc/localtime"
}

main() {
  begin_change
  require TOKEN KEY
  own_folders
  ensure_files
  write_if_changed "$FOLDER/token" 0400 <<<"$TOKEN"
  write_if_changed "$FOLDER/key.json" 0400 <<<"$KEY"
  json_object "directory=$SECRETS/backup"
}

main "$@" </dev/null
