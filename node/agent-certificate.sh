# shellcheck shell=bash
# Prints which certificate the Portainer agent serves. The agent makes a new one at every start (portainer/agent, crypto/tls.go), so
# the graph runs this again whenever it restarts the agent.
# ADDRESS, PORT  where the agent listens
# STARTED_BY     what started the agent; not read, but a new value runs this again
# AGENT_TIMEOUT  seconds the agent has to answer (default: two thirds of the limit)
# Result: `AA:BB:...`, SHA-256 of the certificate.
SCRIPT=agent-certificate
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"

AGENT_TIMEOUT="${AGENT_TIMEOUT:-$((LIMIT * 2 / 3))}" FINGERPRINT=''

# python3 for the same reason as in json_object: openssl is not on every image.
served() {
  python3 -c '
import hashlib, ssl, sys
certificate = ssl.get_server_certificate((sys.argv[1], int(sys.argv[2])), timeout=10)
print(hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest().hex(":").upper())' "$ADDRESS" "$PORT" 2>&1
}

answers() { FINGERPRINT=$(served); }

main() {
  limit_run
  require ADDRESS PORT
  wait_for "$AGENT_TIMEOUT" answers ||
    fail "the agent does not answer on https://$ADDRESS:$PORT" "$(tail -n 1 <<<"$FINGERPRINT")"
  printf '%s\n' "$FINGERPRINT"
}

main "$@" </dev/null
