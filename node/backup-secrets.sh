# shellcheck shell=bash
# Writes the backup container's secrets to files that only root of the node can read. The container mounts their folder. A file in
# the container itself would lie in a layer that belongs to the remapped root, and an escape from any container gives that root.
# TOKEN  secret of the node's API token on the backup server
# KEY    encryption key, as `proxmox-backup-client key create --kdf none` writes it
# Result: {"directory":"/var/lib/docker-node/secrets/backup"}
# With MODE=check it reports names, owners and modes, and which content is another one if TOKEN and KEY are given; never a content.
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
  local found=absent
  [[ ! -d $ROOT_DIR$2 ]] || found=$(mode_of "$ROOT_DIR$2")
  [[ $found == "$1, owner $EUID" ]] || put_right "$2" mode "$found" "$1, owner $EUID" make_folder "$@"
}
make_folder() { # MODE FOLDER
  install -d -m "$1" "$ROOT_DIR$2"
  [[ -n $ROOT_DIR ]] || chown root:root "$2"
}

# Mode and owner. On a node the script runs as root.
mode_of() { stat -c '0%a, owner %u' "$1"; }

own_secret() { # NAME CONTENT
  local path="$FOLDER/$1" wanted=''
  if checking; then
    [[ -z $2 ]] || wanted=$(sha256_of <<<"$2")
    digest_differs "$path" 0400 "$wanted" "$EUID"
    return
  fi
  write_if_changed "$path" 0400 <<<"$2"
  [[ -n $ROOT_DIR ]] || chown root:root "$path"
}

# These have to exist before the container mounts them: Docker would make a folder in their place, which would belong to the
# remapped root. A node without these files has no id ranges, and its time is UTC (localtime(5)).
ensure_mounted() {
  local path
  for path in apt/keyrings apt/preferences.d apt/sources.list.d containerd default docker systemd/system; do
    [[ -d $ROOT_DIR/etc/$path ]] || put_right "/etc/$path" '' absent present install -d -m 0755 "$ROOT_DIR/etc/$path"
  done
  for path in subuid subgid; do
    [[ -e $ROOT_DIR/etc/$path ]] || put_right "/etc/$path" '' absent present install -m 0644 /dev/null "$ROOT_DIR/etc/$path"
  done
  [[ -e $ROOT_DIR/etc/localtime ]] ||
    put_right /etc/localtime '' absent present ln -sfn /usr/share/zoneinfo/UTC "$ROOT_DIR/etc/localtime"
}

main() {
  begin_change
  checking || require TOKEN KEY
  own_folders
  ensure_mounted
  own_secret token "${TOKEN:-}"
  own_secret key.json "${KEY:-}"
  checking || json_object "directory=$SECRETS/backup"
}

main "$@" </dev/null
