# shellcheck shell=bash
# Seals the image of a container outside the user namespace, and compares it with its digests, before the container is made.
# IMAGE  id of the image
# Result: {"image":"sha256:..."}
# Whether the layers stay sealed is checked with the container that is on them (container-limits.sh).
SCRIPT=image-seal
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=container-seal.sh
declare -F verify_image >/dev/null || . "${BASH_SOURCE[0]%/*}/container-seal.sh"

main() {
  local differing
  begin_change
  require IMAGE
  if is_remapped; then
    differing=$(verify_image "$IMAGE")
    [[ -z $differing ]] || tell_spoilt "$IMAGE" "remove the image" "$differing"
  fi
  json_object "image=$IMAGE"
}

main "$@" </dev/null
