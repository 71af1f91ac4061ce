# shellcheck shell=bash
# Keeps the list of what an image contains, as its scan found it, where the backup of the configuration picks it up.
# CONTAINER  name of the container that runs it
# SBOM       CycloneDX JSON, gzipped, as base64; empty if the image was not scanned
# Result: {"file":"/etc/docker/sbom/portainer_agent.cdx.json"}; empty if there is none
SCRIPT=image-sbom
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

readonly FILE=/etc/docker/sbom/${CONTAINER:-}.cdx.json

main() {
  local text
  begin_change
  require CONTAINER
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
