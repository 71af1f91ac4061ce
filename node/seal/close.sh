# shellcheck shell=bash
# Closes the folder around a layer to all but real root, for container-seal.sh and runtime/start.sh.

readonly SEALED='root:root 700'
# A file beside a sealed layer, the image's last one: what it is on has been compared. It goes with the layer. One that was there before
# the folder was sealed is whoever's.
readonly COMPARED=docker-node-verified

seal_of() { stat -c '%U:%G %a' "$1"; }
is_sealed() { [[ $(seal_of "$1") == "$SEALED" ]]; }

seal_folder() { # FOLDER
  chown root:root "$1" && chmod 0700 "$1" && rm -rf "${1:?}/$COMPARED"
}
