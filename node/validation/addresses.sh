# shellcheck shell=bash
# Prints the IPv6 addresses of the interface that has a given IPv4 address of this node.
# NEAR  the IPv4 address
# Result: {"addresses":["2001:db8::24","fe80::1"]}
SCRIPT=addresses
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

ADDRESSES='
import json, sys
links = json.load(sys.stdin)
def addresses(link, family):
    return [one["local"] for one in link.get("addr_info", []) if one.get("family") == family and "local" in one]
print(json.dumps({"addresses": [one for link in links if sys.argv[1] in addresses(link, "inet") for one in addresses(link, "inet6")]}))'

main() {
  require NEAR
  limit_run
  ip -json address show | python3 -ISc "$ADDRESSES" "$NEAR"
}

main "$@" </dev/null
