# shellcheck shell=bash
# Installs the certificate authorities that dockerd trusts for registries, beside those of the machine. dockerd reads them for each
# pull, and reads every .crt in a registry's folder, so our file does not disturb other people's files.
# CERTIFICATES  for each registry a line with host or host:port, then its certificates as PEM (none)
# Result: {"registries":["registry.example.org:5000"]}
SCRIPT=registries
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"

CERTIFICATES="${CERTIFICATES:-}"
readonly FOLDER="$ROOT_DIR/etc/docker/certs.d" FILE=docker-node.crt

hosts() { awk '/^-----BEGIN / { inside = 1 } NF && !inside; /^-----END / { inside = 0 }' <<<"$CERTIFICATES"; }

certificates_of() { # HOST
  awk -v host="$1" '/^-----BEGIN / { inside = 1 } inside && of == host; NF && !inside { of = $0 } /^-----END / { inside = 0 }' \
    <<<"$CERTIFICATES"
}

# Mode 0444 is what the benchmark asks for (CIS Docker 3.8).
trust() {
  local host
  for host in $(hosts); do write_if_changed "$FOLDER/$host/$FILE" 0444 <<<"$(certificates_of "$host")"; done
}

distrust_others() {
  local file host
  for file in "$FOLDER"/*/"$FILE"; do
    host=${file%/*}
    host=${host##*/}
    if [[ -e $file ]] && ! grep -qxF -e "$host" <(hosts); then
      put_right "$file" "" present "" remove "$file"
    fi
  done
}

remove() {
  rm -f "$1"
  rmdir --ignore-fail-on-non-empty "${1%/*}"
}

main() {
  local list
  begin_change
  trust
  distrust_others
  ! checking || return 0
  list=$(hosts | sed 's/.*/"&"/' | paste -sd, -)
  json_object "registries:=[$list]"
}

main "$@" </dev/null
