# shellcheck shell=bash
# Measures how busy the node is while one container puts a load on it, on top of what runs there. The load has the smallest share of
# the processors, and is the first that the kernel ends when memory runs out.
# CPU_PERCENT, MEMORY_PERCENT  the load, in percent of the whole node
# DURATION                     how many seconds to measure (default 20)
# Result: {"cpu":53.1,"memory":41.0,"processors":6,"memoryMiB":8192,"seconds":20}
SCRIPT=load
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=tools.sh
declare -F tool_container >/dev/null || . "${BASH_SOURCE[0]%/*}/tools.sh"

DURATION="${DURATION:-20}" PROC="$ROOT_DIR/proc"

# Arguments: MiB, processes. Prints a line when all memory is written; every page is written, so that it counts.
WORK='
import mmap, os, sys, time
size, processes = int(sys.argv[1]) << 20, int(sys.argv[2])
memory = mmap.mmap(-1, max(size, 4096))
for offset in range(0, size, 1 << 20):
    memory[offset:offset + (1 << 20)] = bytes(1 << 20)
for _ in range(processes):
    if os.fork() == 0:
        while True:
            pass
print("ready", flush=True)
time.sleep(3600)'

# Arguments: directory, seconds. Processors: the mean; memory: the maximum. iowait counts as idle.
SAMPLE='
import json, sys, time
def times():
    values = [int(value) for value in open(sys.argv[1] + "/stat").readline().split()[1:9]]
    return sum(values), values[3] + values[4]
def used():
    found = {key: int(rest.split()[0]) for key, rest in (line.split(":") for line in open(sys.argv[1] + "/meminfo"))}
    return 100 * (1 - found["MemAvailable"] / found["MemTotal"])
seconds = int(sys.argv[2])
total, idle = times()
memory = used()
for _ in range(seconds):
    time.sleep(1)
    memory = max(memory, used())
total, idle = (now - then for now, then in zip(times(), (total, idle)))
print(f"\"cpu\":{100 * (1 - idle / max(total, 1)):.1f},\"memory\":{memory:.1f},\"seconds\":{seconds}")'

meminfo() { sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB$/\1/p" "$PROC/meminfo"; }

# Keeps a twentieth of memory free, whatever load is declared.
declare_load() {
  local total available
  total=$(meminfo MemTotal) available=$(meminfo MemAvailable)
  PROCESSORS=$(nproc) MEBIBYTES=$((total * MEMORY_PERCENT / 100 / 1024))
  ((available / 1024 - MEBIBYTES >= total / 20 / 1024)) ||
    fail "a load of $MEBIBYTES MiB does not fit: $((available / 1024)) MiB are available"
  CPUS=$(python3 -c 'import sys; print(max(0.01, int(sys.argv[1]) * int(sys.argv[2]) / 100))' "$PROCESSORS" "$CPU_PERCENT")
}

working() { [[ -n ${LOAD_PID:-} ]] && kill -0 "$LOAD_PID" 2>/dev/null; }

main() {
  local ready='' sampled
  require CPU_PERCENT MEMORY_PERCENT
  begin_measuring
  declare_load
  coproc LOAD {
    tool_container --network none --cpus "$CPUS" --cpu-shares 2 --oom-score-adj 1000 \
      --memory "$((MEBIBYTES + 128))m" --memory-swap "$((MEBIBYTES + 128))m" -- \
      /usr/bin/python3 -ISc "$WORK" "$MEBIBYTES" "$PROCESSORS"
  }
  # The descriptor closes with the load.
  { read -r -t 120 ready <&"${LOAD[0]}"; } 2>/dev/null || true
  [[ $ready == ready ]] || fail "the load did not start"
  sampled=$(python3 -c "$SAMPLE" "$PROC" "$DURATION")
  working || fail "the load ended while it was measured"
  end_measuring "{$sampled,\"processors\":$PROCESSORS,\"memoryMiB\":$MEBIBYTES}"
}

main "$@" </dev/null
