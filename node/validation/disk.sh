# shellcheck shell=bash
# Measures how many writes per second a volume takes: 4 KiB each, at random places of one file, 8 at a time, without the page cache
# (O_DIRECT), in a container on a volume of its own. It uses fio if the node has it, else python3 does the same.
# SIZE_MIB  of the file (default 256)
# DURATION  seconds of writing (default 15)
# Result: {"iops":5120,"seconds":15,"tool":"fio-3.36"}
SCRIPT=disk
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=tools.sh
declare -F tool_container >/dev/null || . "${BASH_SOURCE[0]%/*}/tools.sh"

SIZE_MIB="${SIZE_MIB:-256}" DURATION="${DURATION:-15}" VOLUME=docker-node-validate-disk WRITERS=8

# Arguments: MiB, seconds, writers. A thread lets the others run while the disk works.
WRITE='
import json, mmap, os, random, sys, threading, time
size, seconds, writers = int(sys.argv[1]) << 20, int(sys.argv[2]), int(sys.argv[3])
file = os.open("/data/file", os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
whole = mmap.mmap(-1, 1 << 20)
for offset in range(0, size, 1 << 20):
    os.pwrite(file, whole, offset)
counts = [0] * writers
end = time.monotonic() + seconds
def work(number):
    block = mmap.mmap(-1, 4096)
    block.write(os.urandom(4096))
    while time.monotonic() < end:
        os.pwrite(file, block, random.randrange(size // 4096) * 4096)
        counts[number] += 1
threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if 0 in counts:
    sys.exit("a writer wrote nothing")
print(json.dumps({"iops": round(sum(counts) / seconds), "seconds": seconds, "tool": "python3"}))'

# `--thread`, because fio's processes share memory in a way that this container does not allow.
fio_says() {
  tool_container --network none --volume "$VOLUME:/data" -- /usr/bin/fio --name=validate --filename=/data/file \
    "--size=${SIZE_MIB}M" --rw=randwrite --bs=4k --direct=1 --ioengine=psync --thread "--numjobs=$WRITERS" --group_reporting \
    --time_based "--runtime=$DURATION" --output-format=json |
    python3 -c '
import json, sys
said = json.load(sys.stdin)
print(json.dumps({"iops": round(said["jobs"][0]["write"]["iops"]), "seconds": int(sys.argv[1]), "tool": said["fio version"]}))' \
      "$DURATION"
}

python_says() {
  tool_container --network none --volume "$VOLUME:/data" -- /usr/bin/python3 -ISc "$WRITE" "$SIZE_MIB" "$DURATION" "$WRITERS"
}

# A measurement must not fill the disk that containers write to.
check_room() {
  local root free
  root=$(docker_cli info --format '{{.DockerRootDir}}')
  free=$(df --output=avail -BM "$ROOT_DIR$root" | tail -n 1 | tr -dc 0-9)
  ((free > 4 * SIZE_MIB)) || fail "$free MiB are free below $root; allowed: more than $((4 * SIZE_MIB)) MiB"
}

main() {
  local found
  begin_measuring
  check_room
  docker_cli volume create --label "$LABEL=$SCRIPT" "$VOLUME" >/dev/null || fail "no volume could be made"
  if [[ -x $ROOT_DIR/usr/bin/fio ]]; then found=$(fio_says); else found=$(python_says); fi || fail "the volume was not written to"
  end_measuring "$found"
}

main "$@" </dev/null
