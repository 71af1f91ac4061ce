# shellcheck shell=bash
# Measures how long a byte takes from one container to another and back, by TCP, one round after the other on one connection.
# ACTION   within  both containers on this node; Docker's DNS resolves the name of the other
#          serve   only start the other one, on a network that other nodes are on too
#          ask     measure against a container that was started elsewhere
#          stop    remove what serve has started
# NETWORK  the network (default, for within: one of its own)
# TARGET   address of the other container, for ask
# ROUNDS   number of rounds (default 1000)
# Result: within and ask {"rounds":1000,"p50":0.05,"p95":0.08,"p99":0.1,"max":1.2,"asked":"172.19.0.3","address":"172.19.0.3"}, in
#         milliseconds; serve {"address":"10.25.30.130"}; stop {}
SCRIPT=latency
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=tools.sh
declare -F tool_container >/dev/null || . "${BASH_SOURCE[0]%/*}/tools.sh"

ROUNDS="${ROUNDS:-1000}" NETWORK="${NETWORK:-}" OTHER=docker-node-validate-latency PORT=7777

ECHO='
import socket, sys
with socket.create_server(("", int(sys.argv[1]))) as server:
    while True:
        with server.accept()[0] as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := peer.recv(1):
                peer.sendall(data)'

# Arguments: name or address, port, rounds. The first rounds do not count, because caches are cold. The other container may still be
# starting.
ROUND_TRIPS='
import json, socket, sys, time
host, port, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
deadline = time.monotonic() + 60
while True:
    try:
        asked = socket.gethostbyname(host)
        peer = socket.create_connection((asked, port), timeout=10)
        break
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(f"{host}: {error}")
        time.sleep(0.5)
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
took = []
for _ in range(rounds + 20):
    began = time.perf_counter()
    peer.sendall(b"x")
    if not peer.recv(1):
        sys.exit(f"{host}: closed the connection")
    took.append(1000 * (time.perf_counter() - began))
took = sorted(took[20:])
part = lambda share: round(took[min(len(took) - 1, int(share * len(took)))], 3)
print(json.dumps({"rounds": rounds, "p50": part(.5), "p95": part(.95), "p99": part(.99), "max": round(took[-1], 3), "asked": asked}))'

own_network() {
  NETWORK=$OTHER
  docker_cli network create --label "$LABEL=$SCRIPT" "$NETWORK" >/dev/null || fail "no network could be made"
}

# start_other sets ADDRESS, measure sets RESULT.
start_other() {
  tool_container --detach --network "$NETWORK" --name "$OTHER" -- /usr/bin/python3 -ISc "$ECHO" "$PORT" >/dev/null ||
    fail "no container could be started on network $NETWORK"
  ADDRESS=$(docker_cli inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$OTHER")
}

measure() { # NAME OR ADDRESS
  local found
  found=$(tool_container --network "$NETWORK" -- /usr/bin/python3 -ISc "$ROUND_TRIPS" "$1" "$PORT" "$ROUNDS") ||
    fail "the other container does not answer: $1"
  RESULT="${found%\}},\"address\":\"$ADDRESS\"}"
}

# The other container stays, so that other nodes can ask it.
serve() {
  require NETWORK
  start_other
  trap - EXIT
  json_object "address=$ADDRESS"
}

main() {
  require ACTION
  begin_measuring
  case $ACTION in
    within)
      [[ -n $NETWORK ]] || own_network
      start_other
      measure "$OTHER"
      ;;
    serve)
      serve
      return
      ;;
    ask)
      require NETWORK TARGET
      ADDRESS=$TARGET
      measure "$TARGET"
      ;;
    stop) RESULT='{}' ;;
    *) fail "ACTION is $ACTION; allowed: within, serve, ask, stop" ;;
  esac
  end_measuring "$RESULT"
}

main "$@" </dev/null
