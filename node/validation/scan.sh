# shellcheck shell=bash
# Finds out what this node reaches of another one: which TCP ports answer, and who answers at the ports of SSH and the agent.
# HOST        address of the other node; a link-local address without a zone
# NEAR        its IPv4 address, which tells the interface to use
# PORTS       ports to try, separated by spaces; 1-1024 for a range of them
# AGENT_PORT  port of the Portainer agent (default: there is no agent)
# Result: {"from":"10.25.20.23","answers":{"22":"open","80":"silent"},"hostKey":"ssh-ed25519 AAAA","certificate":"AA:BB"}; null
# where there was no answer
SCRIPT=scan
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

SCAN='
import concurrent.futures, errno, hashlib, json, re, socket, ssl, subprocess, sys
host, near, agent = sys.argv[1], sys.argv[2], int(sys.argv[4] or 0)
spans = [[int(port) for port in span.split("-")] for span in sys.argv[3].split()]
ports = [port for span in spans for port in range(span[0], span[-1] + 1)]
if re.match("fe[89ab]", host, re.I):
    route = json.loads(subprocess.check_output(["ip", "-json", "route", "get", near]))
    host += "%" + route[0]["dev"]
target = socket.getaddrinfo(host, 22, type=socket.SOCK_STREAM)[0]

def address(port):
    return (target[4][0], port) + target[4][2:]

def answer(port):
    with socket.socket(target[0], socket.SOCK_STREAM) as one:
        one.settimeout(1.5)
        try:
            one.connect(address(port))
            return "open"
        except OSError as error:
            return "refused" if error.errno == errno.ECONNREFUSED else "silent"

def host_key():
    said = subprocess.run(["ssh-keyscan", "-T", "20", "-t", "ed25519", host], capture_output=True, text=True).stdout
    found = [line.split()[1:3] for line in said.splitlines() if line and not line.startswith("#")]
    return " ".join(found[0]) if found else None

def certificate():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.socket(target[0], socket.SOCK_STREAM) as one:
            one.settimeout(20)
            one.connect(address(agent))
            with context.wrap_socket(one) as wrapped:
                return hashlib.sha256(wrapped.getpeercert(True)).digest().hex(":").upper()
    except OSError:
        return None

with socket.socket(target[0], socket.SOCK_DGRAM) as one:
    one.connect(address(9))
    source = one.getsockname()[0]
with concurrent.futures.ThreadPoolExecutor(512 if len(ports) > 2048 else 64) as pool:
    answers = dict(zip(ports, pool.map(answer, ports)))
print(json.dumps({"from": source, "answers": answers,
                  "hostKey": host_key() if answers.get(22) == "open" else None,
                  "certificate": certificate() if answers.get(agent) == "open" else None}))'

main() {
  require HOST NEAR PORTS
  limit_run
  python3 -ISc "$SCAN" "$HOST" "$NEAR" "$PORTS" "${AGENT_PORT:-}"
}

main "$@" </dev/null
