# shellcheck shell=bash
# Writes the backup container's secrets to files that only root of the node can read. The container mounts their folder. A file in
# the container itself would lie in a layer that belongs to the remapped root, and an escape from any container gives that root.
# TOKEN  secret of the node's API token on the backup server
# KEY    encryption key, as `proxmox-backup-client key create --kdf none` writes it
# Result: {"directory":"/var/lib/docker-node/secrets/backup"}
SCRIPT=backup-secrets
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

readonly SECRETS=/var/lib/docker-node/secrets
readonly STATE=/var/lib/docker-node/backup
readonly FOLDER="$ROOT_DIR$SECRETS/backup"

# The secrets belong to root alone. The state may be written by root alone, too, because node-exporter reads it. This holds whoever
# made the folders.
own_folders() {
  own_folder 0700 "$SECRETS"
  own_folder 0700 "$SECRETS/backup"
  own_folder 0755 "$STATE"
}

own_folder() { # MODE FOLDER
  install -d -m "$1" "$ROOT_DIR$2"
  [[ -n $ROOT_DIR ]] || chown root:root "$2"
}

# These have to exist before the container mounts them: Docker would make a folder in their place, which would belong to the
# remapped root. A node without these files has no id ranges, and its time is UTC (localtime(5)).
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
