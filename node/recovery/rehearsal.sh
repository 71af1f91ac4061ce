# shellcheck shell=bash
# Makes something worth backing up, describes it, and destroys it: for rehearsals in a lab, and nowhere else.
# REHEARSAL  lab
# ACTION     make, state or destroy
# KIND       volume, container, platform or vm
# IMAGE      a small image with a shell, from the registry (make)
# Result: a digest of what is there (state), otherwise none
SCRIPT=rehearsal
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../backup/digest.sh
declare -F tree_digest >/dev/null || . "${BASH_SOURCE[0]%/*}/../backup/digest.sh"

VOLUME=drill-data
NETWORK=drill-net
CONTAINER=drill-web
# Shares the container's network: Docker would refuse to make it again with the port that its image exposes.
SHARER=drill-sharer

mountpoint() { docker_cli volume inspect --format '{{.Mountpoint}}' "$1"; }

# digest DIRECTORY: in a shell of its own, because it changes the directory.
digest() { (tree_digest "$1"); }

# Makes everything that a file system can hold and an archive may forget.
make_volume() {
  local root number
  docker_cli volume create --label purpose=drill "$VOLUME" >/dev/null
  root=$(mountpoint "$VOLUME")
  mkdir -p "$root/many" "$root/empty" "$root/a folder with spaces"
  for number in {1..200}; do head -c $((number * 97)) /dev/urandom >"$root/many/$number"; done
  head -c 8M /dev/urandom >"$root/big"
  truncate -s 64M "$root/sparse"
  ln -sf many/1 "$root/link"
  ln -f "$root/many/2" "$root/second name"
  printf precious >"$root/a folder with spaces/ü"
  chmod 0640 "$root/many/3"
  chmod 4755 "$root/many/4"
  chown 1000:2000 "$root/many/5"
  chown 999:999 "$root"
  sync -f "$root"
}

# An image that no registry has, so that only its backup can bring it back.
make_container() {
  local own="${IMAGE%%/*}/drill/web:1" seed=drill-seed
  docker_cli rm --force "$seed" "$SHARER" "$CONTAINER" >/dev/null 2>&1 || true
  docker_cli network rm "$NETWORK" >/dev/null 2>&1 || true
  DOCKER_TIMEOUT=600 docker_cli run --name "$seed" "$IMAGE" sh -c 'echo built >/built' >/dev/null
  docker_cli commit --change 'EXPOSE 8080' "$seed" "$own" >/dev/null
  docker_cli rm "$seed" >/dev/null
  docker_cli network create --subnet 172.19.77.0/24 --label purpose=drill "$NETWORK" >/dev/null
  docker_cli run --detach --name "$CONTAINER" --restart unless-stopped --network "$NETWORK" --ip 172.19.77.7 \
    --env SETTING=kept --label purpose=drill --memory 64m --volume drill-web:/data "$own" \
    sh -c 'test -e /data/page || date +%s%N >/data/page; sleep 1000000' >/dev/null
  docker_cli run --detach --name "$SHARER" --network "container:$CONTAINER" --label purpose=drill "$own" sleep 1000000 >/dev/null
  wait_for 60 test -s "$(mountpoint drill-web)/page"
}

make_platform() { printf 'kept by the drill\n' >/etc/docker/drill.conf; }

make_vm() {
  [[ -e /var/lib/drill ]] || head -c 1M /dev/urandom >/var/lib/drill
  sync
}

state_volume() { digest "$(mountpoint "$VOLUME")"; }

state_container() {
  {
    docker_cli inspect --format \
      '{{.Image}} {{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Labels}} {{json .HostConfig}}' "$CONTAINER"
    docker_cli inspect --format "{{json (index .NetworkSettings.Networks \"$NETWORK\").IPAMConfig}}" "$CONTAINER"
    docker_cli exec "$CONTAINER" cat /built /data/page
    docker_cli inspect --format \
      '{{.Image}} {{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Labels}} {{json .Config.ExposedPorts}}' "$SHARER"
    docker_cli exec "$SHARER" sh -c 'grep -o 172.19.77.7 /proc/net/fib_trie | sort -u'
  } | sha256sum | cut -d ' ' -f 1
}

state_platform() { { digest /etc/docker && digest /etc/systemd/system/docker.service.d; } | sha256sum | cut -d ' ' -f 1; }

state_vm() { { cat /var/lib/drill && digest /etc/docker; } | sha256sum | cut -d ' ' -f 1; }

destroy_volume() { docker_cli volume rm "$VOLUME" >/dev/null; }

destroy_container() {
  docker_cli rm --force "$SHARER" "$CONTAINER" >/dev/null
  docker_cli network rm "$NETWORK" >/dev/null
  docker_cli image rm --force "${IMAGE%%/*}/drill/web:1" >/dev/null
  if docker_cli container inspect portainer_agent >/dev/null 2>&1; then docker_cli rm --force portainer_agent >/dev/null; fi
}

destroy_platform() {
  systemctl stop docker.socket docker.service
  rm -rf /etc/docker /etc/systemd/system/docker.service.d
}

main() {
  limit_run
  require ACTION KIND
  [[ ${REHEARSAL:-} == lab ]] || fail "this is for a lab"
  declare -F "${ACTION}_$KIND" >/dev/null || fail "there is nothing to $ACTION for $KIND"
  "${ACTION}_$KIND"
}

main "$@" </dev/null
