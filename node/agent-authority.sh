# shellcheck shell=bash
# Writes the certificate of the authority that an agent which reaches Portainer trusts alone. The container mounts the file, since
# Docker uploads none into a root that is read-only. An earlier file stays: a container that is not replaced yet mounts it.
# AUTHORITY  the certificate (PEM)
# FILE       where it goes, named by its content
# Result: {"file":"/var/lib/docker-node/authorities/0123456789abcdef.pem"}
# With MODE=check it reports that the file is another one.
SCRIPT=agent-authority
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"

tell_differences() {
  local wanted
  wanted=$(sha256_of <<<"$AUTHORITY")
  # shellcheck disable=SC2153 # a variable of the step
  digest_differs "$ROOT_DIR$FILE" 0444 "$wanted"
}

main() {
  begin_change
  require AUTHORITY FILE
  if checking; then
    tell_differences
    return
  fi
  install -d -m 0755 "$ROOT_DIR${FILE%/*}"
  [[ -n $ROOT_DIR ]] || chown root:root "${FILE%/*}"
  write_if_changed "$ROOT_DIR$FILE" 0444 <<<"$AUTHORITY"
  json_object "file=$FILE"
}

main "$@" </dev/null
