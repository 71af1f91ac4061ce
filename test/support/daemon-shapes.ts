/*
 * daemon.json files as they are found in the wild, written for these tests. Each is rendered as its author meant it, or refused for
 * a stated reason, never accepted and fatal.
 */

type Tree = Record<string, unknown>;

const SHAPES: [name: string, file: Tree, refused?: string[]][] = [
  [
    "nvidia-container-toolkit",
    {
      "default-runtime": "nvidia",
      runtimes: { nvidia: { args: [], path: "nvidia-container-runtime" } },
    },
  ],
  [
    "nvidia, for machine learning",
    {
      "default-runtime": "nvidia",
      runtimes: { nvidia: { path: "/usr/bin/nvidia-container-runtime", runtimeArgs: [] } },
      "default-shm-size": "1G",
      "default-ulimits": { memlock: { Name: "memlock", Soft: -1, Hard: -1 } },
    },
  ],
  [
    "kubeadm",
    {
      "exec-opts": ["native.cgroupdriver=systemd"],
      "log-driver": "json-file",
      "log-opts": { "max-size": "100m" },
      "storage-driver": "overlay2",
    },
  ],
  [
    "rke",
    {
      "log-driver": "json-file",
      "log-opts": { "max-size": "10m", "max-file": "10", labels: "io.kubernetes.pod.name" },
      "max-concurrent-downloads": 20,
      "registry-mirrors": ["https://mirror.example.org"],
      bip: "172.17.0.1/16",
      "live-restore": true,
      "storage-driver": "overlay2",
    },
  ],
  [
    "the Ansible role's options",
    { "storage-driver": "overlay2", "log-opts": { "max-size": "100m" }, "userland-proxy": false },
  ],
  [
    "a NAS on btrfs",
    {
      "data-root": "/volume1/@docker",
      "log-driver": "db",
      "registry-mirrors": [],
      "seccomp-profile": "unconfined",
      "storage-driver": "btrfs",
    },
    [
      'log-driver: "db"; allowed: json-file, local, journald',
      'data-root: "/volume1/@docker"; allowed: /var/lib/docker, where machine.dockerDisk is mounted',
      'storage-driver: "btrfs"; allowed: overlay2 with machine.dockerDisk: the disk is XFS',
    ],
  ],
  [
    "behind a corporate proxy",
    {
      proxies: {
        "http-proxy": "http://proxy.example.org:3128",
        "https-proxy": "http://proxy.example.org:3128",
        "no-proxy": "localhost,127.0.0.0/8,.example.org",
      },
      dns: ["10.25.20.1", "fd00:20::53"],
      "dns-search": ["example.org"],
      "dns-opts": ["ndots:1", "timeout:2"],
    },
  ],
  ["journald with a tag", { "log-driver": "journald", "log-opts": { tag: "{{.Name}}/{{.ID}}" } }],
  [
    "syslog",
    {
      "log-driver": "syslog",
      "log-opts": {
        "syslog-address": "udp://10.25.10.9:514",
        "syslog-facility": "daemon",
        "syslog-format": "rfc5424",
        tag: "docker/{{.Name}}",
      },
    },
  ],
  [
    "seccomp by path",
    { "seccomp-profile": "/etc/docker/seccomp/default.json", icc: false },
    [
      'seccomp-profile: "/etc/docker/seccomp/default.json"; allowed: unset or "builtin"; a file only with a template or an adopted machine that has it: nothing puts it onto a new one',
    ],
  ],
  [
    "IPv6",
    {
      ipv6: true,
      "fixed-cidr-v6": "2001:db8:1::/64",
      ip6tables: true,
      experimental: true,
      "default-address-pools": [
        { base: "172.30.0.0/16", size: 24 },
        { base: "fd00:30::/56", size: 64 },
      ],
    },
  ],
  [
    "insecure registries",
    { "insecure-registries": ["registry.example.org:5000", "10.0.0.0/8"], "log-level": "warn" },
  ],
  ["a mirror with a path", { "registry-mirrors": ["https://artifacts.example.org/docker-hub/"] }],
  [
    "address pools of one's own",
    {
      bip: "192.168.200.1/24",
      "default-address-pools": [
        { base: "192.168.208.0/20", size: 24 },
        { base: "192.168.224.0/19", size: 26 },
      ],
      mtu: 1450,
    },
  ],
  [
    "BuildKit's cache",
    {
      builder: {
        gc: {
          enabled: true,
          defaultKeepStorage: "20GB",
          policy: [
            { keepStorage: "10GB", filter: ["unused-for=2200h"] },
            { keepStorage: "100GB", all: true },
          ],
        },
      },
      features: { buildkit: true },
    },
  ],
  [
    "metrics and labels",
    { "metrics-addr": "0.0.0.0:9323", experimental: true, labels: ["rack=a1", "role=worker"] },
  ],
  [
    "live-restore and limits, hardened",
    {
      icc: false,
      "live-restore": true,
      "userland-proxy": false,
      "no-new-privileges": true,
      "userns-remap": "default",
      "log-driver": "local",
      "log-opts": { "max-size": "20m", "max-file": "5", compress: "true" },
      "default-ulimits": { nproc: { Name: "nproc", Soft: 4096, Hard: 8192 } },
      "shutdown-timeout": 30,
      init: true,
    },
  ],
  [
    "a daemon that listens",
    {
      hosts: ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2376"],
      tlsverify: true,
      tlscacert: "/etc/docker/ca.pem",
      rootless: true,
    },
    [
      'hosts: ["unix:///var/run/docker.sock","tcp://0.0.0.0:2376"]; allowed: not a key of this section: the unit says where',
      "tlsverify: true; allowed: not a key of this section: a node has no TCP listener",
      "tlscacert: ",
      "rootless: true; allowed: not a key of this section: dockerd runs as root",
    ],
  ],
  [
    "graylog",
    {
      "log-driver": "gelf",
      "log-opts": {
        "gelf-address": "udp://graylog.example.org:12201",
        tag: "prod",
        mode: "non-blocking",
        "max-buffer-size": "4m",
      },
    },
  ],
  [
    "Loki's plugin",
    {
      "log-driver": "loki",
      "log-opts": { "loki-url": "http://loki.example.org:3100/loki/api/v1/push" },
    },
    [
      'log-driver: "loki"; allowed: json-file, local, journald, syslog, gelf, fluentd, awslogs, gcplogs, none; not loki: the program does not install this plugin',
    ],
  ],
];

/** Those that become a node's daemon.json. */
export const ACCEPTED = SHAPES.filter(([, , refused]) => !refused).map(([name, file]) => ({
  name,
  file,
}));
/** Those that the loader refuses, and what it says. */
export const REFUSED = SHAPES.flatMap(([name, file, refused]) =>
  refused ? [{ name, file, refused }] : [],
);
