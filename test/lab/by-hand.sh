# shellcheck shell=bash
# A Docker host as it was made before there was a program for it: what somebody pasted into a root shell, line by line.
# MIRROR    archive of the distribution
# REGISTRY  where images come from, by plain HTTP
# AGENT     image of the Portainer agent, AGENT_SECRET what it shares with the server
# BUSYBOX   image of the application
: "${MIRROR:?}" "${REGISTRY:?}" "${AGENT:?}" "${AGENT_SECRET:?}" "${BUSYBOX:?}"
export DEBIAN_FRONTEND=noninteractive

. /etc/os-release
echo "deb $MIRROR $VERSION_CODENAME main" >/etc/apt/sources.list
# The image's own jobs use apt at its first boot; root waited for them.
for _ in {1..60}; do
  if apt-get -qq update 2>/dev/null; then break; fi
  sleep 5
done
apt-get -qq -o DPkg::Lock::Timeout=600 install -y docker.io qemu-guest-agent >/dev/null
systemctl start qemu-guest-agent
usermod -aG docker ubuntu
useradd --create-home astronomer
usermod -aG docker astronomer
systemctl enable --quiet --now docker

mkdir -p /etc/docker
cat >/etc/docker/daemon.json <<JSON
{
  "storage-driver": "overlay2",
  "log-driver": "json-file",
  "log-opts": { "max-size": "50m", "max-file": "5" },
  "live-restore": true,
  "insecure-registries": ["$REGISTRY"],
  "default-ulimits": { "nofile": { "Name": "nofile", "Soft": 65536, "Hard": 65536 } },
  "default-address-pools": [{ "base": "172.18.0.0/16", "size": 24 }],
  "bip": "172.18.0.1/24"
}
JSON
systemctl restart docker

docker network create --subnet 172.19.0.0/24 development-secondary
docker network create --subnet 172.19.1.0/24 --gateway 172.19.1.1 --opt com.docker.network.bridge.enable_icc=false \
  astronomy-compute-secondary
docker network create scratch

docker volume create research-data
docker volume create --label purpose=catalogue catalogue
docker volume create --opt type=tmpfs --opt device=tmpfs cache

docker run -d --name portainer_agent --restart always -p 9001:9001 -e AGENT_SECRET="$AGENT_SECRET" \
  -v /var/run/docker.sock:/var/run/docker.sock -v /var/lib/docker/volumes:/var/lib/docker/volumes "$AGENT"

docker run -d --name observatory --restart unless-stopped --network development-secondary \
  -v research-data:/data -v catalogue:/catalogue "$BUSYBOX" sh -c '
    head -c 1000000 /dev/urandom >/data/frames
    echo "M31 00:42:44.3 +41:16:09" >/catalogue/objects
    exec sleep 1000000'
