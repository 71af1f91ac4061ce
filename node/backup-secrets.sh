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
readonly STATE=/var/lib/docker-node/backup
readonly FOLDER="$ROOT_DIR$SECRETS/backup"

# The secrets are root's alone, and so is who may write the state, which node-exporter reads, whoever made the folders.
own_folders() {
  own_folder 0700 "$SECRETS"
  own_folder 0700 "$SECRETS/backup"
  own_folder 0755 "$STATE"
}

own_folder() { # MODE FOLDER
  install -d -m "$1" "$ROOT_DIR$2"
  [[ -n $ROOT_DIR ]] || chown root:root "$2"
}

# What the container mounts is there before Docker makes a folder in its place, which would be the remapped root's. Without the files
# there are no ranges, and the time is UTC (localtime(5)).
ensure_mounted() {
  local path
  for path in apt/keyrings apt/preferences.d apt/sources.list.d containerd default docker systemd/system; do
    [[ -d $ROOT_DIR/etc/$path ]] || install -d -m 0755 "$ROOT_DIR/etc/$path"
  done
  for path in subuid subgid; do
    [[ -e $ROOT_DIR/etc/$path ]] || install -m 0644 /dev/null "$ROOT_DIR/etc/$path"
  done
  [[ -e $ROOT_DIR/etc/localtime ]] || ln -sfn /usr/share/zoneinfo/UTC "$ROOT_DIR/etc/localtime"
}

main() {
  begin_change
  require TOKEN KEY
  own_folders
  ensure_mounted
  write_if_changed "$FOLDER/token" 0400 <<<"$TOKEN"
  write_if_changed "$FOLDER/key.json" 0400 <<<"$KEY"
  json_object "directory=$SECRETS/backup"
}

main "$@" </dev/null
