/**
 * Keys that dockerd knows but a node does not accept, each with the reason. dockerd does not start with any other
 * unknown key.
 */
export const REFUSED_KEYS: Readonly<Record<string, string>> = {
  hosts: "the unit says where dockerd listens (-H fd://), and a node has no TCP listener",
  tls: "a node has no TCP listener",
  tlsverify: "a node has no TCP listener",
  tlscacert: "a node has no TCP listener",
  tlscert: "a node has no TCP listener",
  tlskey: "a node has no TCP listener",
  "authorization-plugins":
    "the program installs no plugin, and dockerd ends at a reload if the plugin does not answer",
  containerd:
    "the unit says which containerd dockerd uses; dockerd does not start if this key says so too",
  "containerd-namespace": "containers of another namespace would not be found again",
  "containerd-plugin-namespace": "plugins of another namespace would not be found again",
  "cri-containerd": "only for a containerd that dockerd starts; the unit names the system's own",
  group: "the group of the socket is docker; its members are engine.groupMembers",
  pidfile: "the unit knows dockerd's process",
  "exec-root": "containerd's shims of running containers are found there",
  "userland-proxy-path": "the packages know where docker-proxy is",
  "init-path": "the packages know where docker-init is",
  "default-init": "the packages know where docker-init is",
  "resolv-conf":
    "dns, dns-search and dns-opts set it; without them containers use the node's resolver",
  "default-gateway": "docker0 is the gateway of its containers; bip sets its address",
  "default-gateway-v6": "docker0 is the gateway of its containers; bip6 sets its address",
  "host-gateway-ip": "host-gateway-ips is its name since Docker 28",
  "network-diagnostic-port": "it opens a port without authentication",
  rootless:
    "dockerd runs as root, from the packages' unit; userns-remap keeps containers apart from it",
  "swarm-default-advertise-addr": "live-restore excludes Swarm",
  "swarm-raft-heartbeat-tick": "live-restore excludes Swarm",
  "swarm-raft-election-tick": "live-restore excludes Swarm",
  "node-generic-resources": "they are Swarm's, which live-restore excludes",
  "cpu-rt-period": "cgroup v2 has no real-time limits",
  "cpu-rt-runtime": "cgroup v2 has no real-time limits",
  "nri-opts":
    "plugins of the node resource interface change every container, and the program installs none",
  graph: "data-root is its name; since Docker 23, dockerd does not start with this one",
  "cluster-store": "since Docker 23, dockerd does not start with it",
  "oom-score-adjust":
    "since Docker 25, dockerd does not start with it; the unit sets OOMScoreAdjust",
  "api-cors-header": "since Docker 28, dockerd does not start with it",
  "allow-nondistributable-artifacts": "since Docker 27, dockerd does nothing with it",
  "apparmor-profile": "every container gets docker-default",
  apparmor: "not a key of dockerd: every container gets docker-default",
};
