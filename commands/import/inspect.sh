# shellcheck shell=bash
# What there is on a node that was made by hand. Reads only, and nothing secret: of a container's environment the names alone.
# NODE_USER  whose SSH keys are looked at
# Result: a line a fact, its name and its text in base64; a fact that cannot be had is empty.
export LC_ALL=C.UTF-8
unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
NODE_USER="${NODE_USER:?}"

fact() { # NAME COMMAND...
  printf '%s %s\n' "$1" "$("${@:2}" 2>/dev/null | base64 -w0)"
}

docker_cli() { timeout 60 docker --host unix:///var/run/docker.sock "$@"; }

# A JSON document a line, one for each thing listed.
each() { # KIND FORMAT
  local ids
  case $1 in
    container) ids=$(docker_cli ps --all --quiet --no-trunc) ;;
    image) ids=$(docker_cli image ls --all --quiet --no-trunc | sort -u) ;;
    *) ids=$(docker_cli "$1" ls --quiet) ;;
  esac
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $ids ]] || docker_cli "$1" inspect --format "$2" $ids
}

# shellcheck disable=SC2016 # a Go template, with variables of its own
readonly CONTAINER='{"id":{{json .Id}},"name":{{json .Name}},"image":{{json .Config.Image}},"imageId":{{json .Image}},
"running":{{json .State.Running}},"restart":{{json .HostConfig.RestartPolicy.Name}},"ports":{{json .HostConfig.PortBindings}},
"binds":{{json .HostConfig.Binds}},"userns":{{json .HostConfig.UsernsMode}},
"environment":[{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{json (index (split $e "=") 0)}}{{end}}]}'

keys() {
  local home
  home=$(getent passwd "$NODE_USER" | cut -d: -f6)
  [[ -z $home ]] || cat "$home/.ssh/authorized_keys"
}

# Those the resolver asks, not its own stub.
nameservers() {
  local file=/run/systemd/resolve/resolv.conf
  [[ -r $file ]] || file=/etc/resolv.conf
  awk '$1 == "nameserver" { print $2 }' "$file"
}

# Repositories and pins are of no interest: what is installed is.
packages() {
  dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Version}\n' \
    docker-ce docker-ce-cli docker-buildx-plugin docker-compose-plugin containerd.io docker.io docker-cli
}

main() {
  fact hostname hostname
  fact hostKey cat /etc/ssh/ssh_host_ed25519_key.pub
  fact cloudInit cloud-init status
  fact keys keys
  fact dockerGroup getent group docker
  fact packages packages
  fact holds apt-mark showhold
  fact daemonJson cat /etc/docker/daemon.json
  fact unit systemctl show --property ExecStart,UnitFileState,ActiveState docker.service
  fact info docker_cli info --format '{"driver":{{json .Driver}},"root":{{json .DockerRootDir}},"liveRestore":{{json .LiveRestoreEnabled}},"swarm":{{json .Swarm.LocalNodeState}}}'
  fact networks each network '{{json .}}'
  fact volumes each volume '{{json .}}'
  fact containers each container "${CONTAINER//$'\n'/}"
  fact images each image '{"id":{{json .Id}},"digests":{{json .RepoDigests}}}'
  fact mount findmnt --json --output SOURCE,FSTYPE,OPTIONS --target /var/lib/docker
  fact addresses ip -json address show
  fact routes ip -json -4 route show default
  fact nameservers nameservers
  fact disks lsblk --json --paths --output NAME,TYPE,FSTYPE,MOUNTPOINTS,SERIAL
  fact end true
}

main "$@" </dev/null
