# shellcheck shell=bash
# What Docker runs instead of runc for the program's containers outside the user namespace, as `docker-node` of `runtimes` in
# daemon.json: runc, and before a container starts, its layers are closed and compared with the digests of its image. Docker asks a
# runtime for each start, also at a boot and by a restart policy. dockerd waits for the answer, so it is not asked here.
# daemon/runtime.sh writes this file to the node, with seal/close.sh, seal/archive.sh and seal/compare.sh before it.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C.UTF-8
ROOT_DIR="${ROOT_DIR:-}"

# shellcheck source-path=SCRIPTDIR source=../seal/close.sh
declare -F seal_folder >/dev/null || . "${BASH_SOURCE[0]%/*}/../seal/close.sh"
# shellcheck source-path=SCRIPTDIR source=../seal/archive.sh
declare -p READ_LAYER >/dev/null 2>&1 || . "${BASH_SOURCE[0]%/*}/../seal/archive.sh"
# shellcheck source-path=SCRIPTDIR source=../seal/compare.sh
declare -F compare_layers >/dev/null || . "${BASH_SOURCE[0]%/*}/../seal/compare.sh"

# Prints Docker's root folder, the id of the image, and the folders of the layers as the kernel has mounted them, the container's own
# first. Nothing where nobody is remapped: there the name of Docker's root folder is no pair of ids.
# Arguments: the node's root folder, the bundle (OCI runtime specification), the id of the container.
readonly READ_START='
import json, os, re, sys

host, bundle, container = sys.argv[1:]

def read(path):
    with open(host + path, errors="surrogateescape") as file:
        return file.read()

def plain(text):
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)

def options_of(place):
    rows = [line.split(" ") for line in read("/proc/self/mountinfo").splitlines()]
    [*_, last] = (row[-1] for row in rows if plain(row[4]) == place)
    return dict(option.partition("=")[::2] for option in plain(last).split(","))

# A layer has a short name, since the kernel takes no more than a page of them.
def folder_of(name):
    _, folder, _ = os.readlink(f"{host}{docker}/overlay2/l/{os.path.basename(name)}").split("/")
    return f"{docker}/overlay2/{folder}"

place = json.loads(read(f"{bundle}/config.json"))["root"]["path"]
if found := re.fullmatch(r"(/.*/[0-9]+\.[0-9]+)/overlay2/([0-9a-z]+)/merged", place):
    docker, mount = found.groups()
    image = json.loads(read(f"{docker}/containers/{container}/config.v2.json"))["Image"]
    print(docker, image, f"{docker}/overlay2/{mount}", sep="\n")
    print(*map(folder_of, options_of(place)["lowerdir"].split(":")), sep="\n")'

# refuse LOG REASON [DETAIL]: the last error of the log is what docker says.
refuse() {
  local text="docker-node: $2${3:+: $3}"
  python3 -I -c 'import json, sys; print(json.dumps({"level": "error", "msg": sys.argv[1], "time": sys.argv[2]}))' \
    "$text" "$(date -u +%FT%TZ)" >>"${1:-/dev/null}"
  printf '%s\n' "$text" >&2
  exit 1
}

readonly AFTER='remove the container and the image, look for who wrote there, and run up --refresh'

# check_start ARGUMENT... of `runc create`; the last one is the id of the container.
check_start() {
  local log='' bundle='' container=${!#} found layers folder differing
  while (($# > 1)); do
    case $1 in
      --log) log=$2 ;;
      --bundle) bundle=$2 ;;
    esac
    shift
  done
  found=$(python3 -I -c "$READ_START" "$ROOT_DIR" "$bundle" "$container") || refuse "$log" "the layers of $container cannot be read"
  [[ -n $found ]] || return 0
  mapfile -t layers <<<"$found"
  # The second of the container's own layers has what Docker writes for each, such as /etc/hosts.
  for folder in "${layers[@]:2}"; do
    is_sealed "$ROOT_DIR$folder" || seal_folder "$ROOT_DIR$folder" ||
      refuse "$log" "the layers of $container cannot be closed"
  done
  differing=$(printf '%s\n' "${layers[@]:4}" | compare_layers "${layers[0]}" "${layers[1]}")
  [[ -z $differing ]] || refuse "$log" "the layers of ${layers[1]} are not what its digests say; $AFTER" "${differing//$'\n'/, }"
}

main() {
  local argument
  for argument; do
    [[ $argument != create ]] || check_start "$@"
  done
  exec runc "$@"
}

main "$@"
