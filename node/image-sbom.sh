# shellcheck shell=bash
# Keeps the list of what an image contains, as its scan found it, where the backup of the configuration picks it up.
# CONTAINER  name of the container that runs it
# SBOM       CycloneDX JSON, gzipped, as base64; empty if the image was not scanned
# Result: {"file":"/etc/docker/sbom/portainer_agent.cdx.json"}; empty if there is none
# With MODE=check it reports that the file is another one. Then DIGEST stands for SBOM: the SHA-256 of the file, empty for none.
SCRIPT=image-sbom
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"

readonly FILE=/etc/docker/sbom/${CONTAINER:-}.cdx.json

tell_differences() {
  if [[ -n ${DIGEST:-} ]]; then
    digest_differs "$ROOT_DIR$FILE" 0644 "$DIGEST"
  elif [[ -e $ROOT_DIR$FILE ]]; then
    differs "$FILE" '' present ''
  fi
}

main() {
  local text
  begin_change
  require CONTAINER
  if checking; then
    tell_differences
    return
  fi
  if [[ -z ${SBOM:-} ]]; then
    rm -f "$ROOT_DIR$FILE"
    json_object "file="
    return
  fi
  text=$(base64 -d <<<"$SBOM" | gzip -dc)
  write_if_changed "$ROOT_DIR$FILE" 0644 <<<"$text"
  json_object "file=$FILE"
}

main "$@" </dev/null
