# shellcheck shell=bash
# Makes sure that an image is on the node.
# IMAGE   as a container names it: repository:tag, with a digest, or an id
# SOURCE  where to pull it from if it is missing: repository@digest; empty if nowhere
# Result: its id, or nothing if it is neither there nor can be pulled; standard error says why
SCRIPT=image
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

id_of() { docker_cli image inspect --format '{{.Id}}' "$1" 2>/dev/null; }

main() {
  local complaint
  if [[ -n ${SOURCE:-} ]]; then begin_change; else limit_run; fi
  require IMAGE
  if id_of "$IMAGE"; then return; fi
  [[ -n ${SOURCE:-} ]] || return 0
  if ! complaint=$(DOCKER_TIMEOUT=900 docker_cli pull --quiet "$SOURCE" 2>&1 >/dev/null); then
    log "cannot be pulled: $complaint"
    return 0
  fi
  # The image pulled by digest gets its tag back, so that the name means what it meant before.
  if [[ $IMAGE != *@* && $IMAGE != sha256:* && $SOURCE == *@* ]]; then docker_cli tag "$SOURCE" "$IMAGE"; fi
  id_of "$IMAGE" || id_of "$SOURCE"
}

main "$@" </dev/null
