import { loadSettings } from "../../config/load";
import { DAEMON_KEYS, DEFAULT_DAEMON, REFUSED_KEYS, reloadableKeys } from "../../config/daemon";
import { LOG_DRIVERS, logProblems, explainNoDriver } from "../../config/daemon/log-drivers";
import { daemonProblems as problems, nodeWith, rendered } from "../support/daemon";
import { prodWith, waived } from "../support/settings";

type Tree = Record<string, unknown>;

describe("a default that belongs to another key goes with that key's default", () => {
  const optionsOf = (daemon: Tree) => rendered(daemon)["log-opts"];

  test.each(["journald", "syslog", "local", "none"])("log-driver %s", (driver) => {
    expect(optionsOf({ "log-driver": driver })).toBeUndefined();
    expect(problems({ "log-driver": driver })).toEqual([]);
  });

  test("options of its own stay, and so do the default ones under the default driver", () => {
    const tag = { tag: "{{.Name}}" };
    expect(optionsOf({ "log-driver": "journald", "log-opts": tag })).toEqual(tag);
    expect(optionsOf({ "log-driver": "json-file" })).toEqual(DEFAULT_DAEMON["log-opts"]);
    expect(optionsOf({ "log-opts": { "max-file": "5" } })).toEqual({
      "max-size": "100m",
      "max-file": "5",
    });
    expect(optionsOf({ "log-driver": null })).toEqual(DEFAULT_DAEMON["log-opts"]);
  });

  test("between the stack's defaults and a node as well", () => {
    const { proxmox, defaults } = prodWith({});
    const shared = {
      ...(defaults as Tree),
      engine: {
        version: "29",
        daemon: {
          "log-driver": "syslog",
          "log-opts": { "syslog-address": "udp://10.25.10.9:514" },
          "storage-opts": ["overlay2.size=50G"],
        },
      },
    };
    const own = { engine: { daemon: { "log-driver": "json-file", "storage-driver": "vfs" } } };
    const load = (node: object) =>
      loadSettings(waived({ proxmox, defaults: shared, nodes: { n: node } })).nodes.n;
    const n = load(own);
    expect(n?.engine.daemon["log-opts"]).toBeUndefined();
    expect(n?.engine.daemon["storage-opts"]).toBeUndefined();
    const plain = { engine: { daemon: { "log-driver": null, "storage-driver": null } } };
    const other = load(plain);
    expect(other?.engine.daemon["log-opts"]).toBeUndefined();
    expect(other?.engine.daemon["storage-opts"]).toBeUndefined();
  });

  test("containers on docker0 are kept apart, unless dockerd makes no rules or the node says otherwise", () => {
    expect(rendered({})).toHaveProperty("icc", false);
    expect(rendered({ iptables: false })).not.toHaveProperty("icc");
    expect(rendered({ icc: null })).not.toHaveProperty("icc");
  });

  test("docker0 without an address of its own: no bridge, or pools the default does not fit into", () => {
    const alone = nodeWith({ bridge: "none" }, undefined, { portainer: null, backups: null });
    expect(alone.engine.daemon).not.toHaveProperty("bip");
    const pools = [{ base: "172.16.0.0/12", size: 20 }];
    expect(rendered({ "default-address-pools": pools })).not.toHaveProperty("bip");
    expect(
      rendered({ "default-address-pools": [{ base: "10.200.0.0/16", size: 24 }] }),
    ).toHaveProperty("bip", "172.18.0.1/24");
    expect(problems({ bip: "172.18.0.1/24", "default-address-pools": pools })).toEqual([
      'bip: "172.18.0.1/24"; allowed: outside 172.16.0.0/12, or exactly one of its /20 subnets',
    ]);
  });

  test("userns-remap is never removed without being told to", () => {
    expect(rendered({ "log-driver": "journald", "storage-driver": "vfs" })).toMatchObject({
      "userns-remap": "default",
      "no-new-privileges": true,
    });
    expect(problems({ features: { "containerd-snapshotter": true } })).toHaveLength(1);
  });
});

describe("values that keep dockerd from starting are refused", () => {
  const path = "/etc/docker/seccomp.json";
  test.each<[string, Tree, string, string?]>([
    [
      "an API that no dockerd speaks any more",
      { "min-api-version": "1.23" },
      'min-api-version: "1.23"; allowed: a version of the API from 1.24 to 1.52',
    ],
    [
      "an API that is newer than dockerd",
      { "min-api-version": "1.99" },
      'min-api-version: "1.99"; allowed: a version of the API from 1.24 to 1.52',
    ],
    [
      "metrics at an address that is not the node's",
      { "metrics-addr": "10.99.0.1:9323" },
      'metrics-addr: "10.99.0.1:9323"; allowed: an address of the node itself, such as ',
    ],
    [
      "metrics at docker0, which is not there yet",
      { "metrics-addr": "172.18.0.1:9323" },
      "metrics-addr: ",
    ],
    [
      "metrics at the port of SSH",
      { "metrics-addr": ":22" },
      'metrics-addr: ":22"; allowed: a port of its own',
    ],
    [
      "metrics at the port of the agent",
      { "metrics-addr": ":9001" },
      'metrics-addr: ":9001"; allowed: a port of its own; the Portainer agent has this one',
    ],
    [
      "a cache by an age that is none",
      { builder: { gc: { policy: [{ filter: ["unused-for=soon"] }] } } },
      'builder.gc.policy.0.filter.0: "unused-for=soon"; allowed: until=<duration>, such as until=48h',
    ],
    [
      "a cache by two ages",
      { builder: { gc: { policy: [{ filter: ["until=1h", "unused-for=2h"] }] } } },
      "builder.gc.policy.0.filter: ",
    ],
    [
      "a cache by a field that dockerd ignores",
      { builder: { gc: { policy: [{ filter: ["all"] }] } } },
      'builder.gc.policy.0.filter.0: "all"; allowed: ',
    ],
    [
      "a slice below a folder",
      { "cgroup-parent": "a/b.slice" },
      'cgroup-parent: "a/b.slice"; allowed: a slice',
    ],
    [
      "an unknown runtime",
      { "default-runtime": "nvidia" },
      'default-runtime: "nvidia"; allowed: runc; others have to be declared in runtimes',
    ],
    [
      "bip is a network",
      { bip: "172.18.0.0/24" },
      'bip: "172.18.0.0/24"; allowed: an address that docker0 can have',
    ],
    [
      "bip is a broadcast",
      { bip: "172.18.0.255/24" },
      'bip: "172.18.0.255/24"; allowed: an address that docker0 can have',
    ],
    [
      "IPv6 alone before 28",
      { ipv6: true },
      "ipv6: true; needs fixed-cidr-v6 before Docker 28",
      "27.5",
    ],
    [
      "IPv6 rules before 27",
      { ip6tables: true },
      "ip6tables: true; needs experimental before Docker 27",
      "26.1",
    ],
    [
      "a mirror by ftp",
      { "registry-mirrors": ["ftp://mirror.example.org"] },
      'registry-mirrors.0: "ftp://mirror.example.org"; allowed: an http or https URL',
    ],
    [
      "a mirror with a password",
      { "registry-mirrors": ["https://u:p@mirror.example.org"] },
      "registry-mirrors.0: ",
    ],
    [
      "a mirror with a query",
      { "registry-mirrors": ["https://mirror.example.org/?a"] },
      "registry-mirrors.0: ",
    ],
    [
      "a mirror without scheme",
      { "registry-mirrors": ["mirror.example.org:5000"] },
      "registry-mirrors.0: ",
    ],
    [
      "a registry with a wildcard",
      { "insecure-registries": ["*.example.org:5000"] },
      "insecure-registries.0: ",
    ],
    [
      "a registry with a path",
      { "insecure-registries": ["registry.example.org/team"] },
      "insecure-registries.0: ",
    ],
    [
      "a registry with a scheme",
      { "insecure-registries": ["http://registry.example.org"] },
      "insecure-registries.0: ",
    ],
    [
      "a registry at port 65536",
      { "insecure-registries": ["registry.example.org:65536"] },
      "insecure-registries.0: ",
    ],
    [
      "a misspelt log option",
      { "log-opts": { maxsize: "1m" } },
      'log-opts.maxsize: "1m"; allowed: an option of log-driver json-file: mode, ',
    ],
    [
      "another driver's log option",
      { "log-driver": "journald", "log-opts": { "max-size": "1m" } },
      'log-opts.max-size: "1m"; allowed: an option of log-driver journald',
    ],
    [
      "metrics without address",
      { "metrics-addr": "9323" },
      'metrics-addr: "9323"; allowed: address:port, such as 127.0.0.1:9323',
    ],
    [
      "a profile file that no template brings",
      { "seccomp-profile": path },
      `seccomp-profile: "${path}"; allowed: unset or "builtin"; a file only with a template`,
    ],
    [
      "a profile by name",
      { "seccomp-profile": "default" },
      'seccomp-profile: "default"; allowed: unset or "builtin"',
    ],
    [
      "shm size as a word",
      { "default-shm-size": "big" },
      'default-shm-size: "big"; allowed: a size as text',
    ],
    [
      "shm size as a number",
      { "default-shm-size": 67108864 },
      "default-shm-size: 67108864; allowed: ",
    ],
    [
      "junk in dns-search",
      { "dns-search": ["exa mple"] },
      'dns-search.0: "exa mple"; allowed: a domain',
    ],
    ["junk in dns", { dns: ["resolver"] }, 'dns.0: "resolver"; allowed: an IPv4 or IPv6 address'],
    [
      "a reserved label",
      { labels: ["com.docker.a=b"] },
      'labels.0: "com.docker.a=b"; allowed: another name',
    ],
    ["a label without value", { labels: ["rack"] }, 'labels.0: "rack"; allowed: key=value'],
    [
      "conflicting labels",
      { labels: ["a=1", "a=2"] },
      'labels.1: "a=2"; allowed: one value for a; another label sets it to 1',
    ],
    [
      "cgroup-parent is no slice",
      { "cgroup-parent": "/docker" },
      'cgroup-parent: "/docker"; allowed: a slice',
    ],
    [
      "an unknown exec option",
      { "exec-opts": ["isolation=hyperv"] },
      'exec-opts.0: "isolation=hyperv"; allowed: "native.cgroupdriver=systemd"',
    ],
    [
      "an unknown storage option",
      { "storage-opts": ["overlay2.override_kernel_check=true"] },
      "storage-opts: ",
    ],
    ["a storage option of no size", { "storage-opts": ["overlay2.size=much"] }, "storage-opts: "],
    [
      "btrfs on XFS",
      { "storage-driver": "btrfs" },
      'storage-driver: "btrfs"; allowed: overlay2 with machine.dockerDisk',
    ],
    [
      "icc false without firewall rules",
      { icc: false, iptables: false },
      "iptables: false; allowed: true or unset with icc false",
    ],
    [
      "a range outside docker0",
      { "fixed-cidr": "172.30.0.0/25" },
      'fixed-cidr: "172.30.0.0/25"; allowed: a part of 172.18.0.0/24',
    ],
    [
      "a key that came later",
      { bip6: "fd00:18::1/64", ipv6: true, "fixed-cidr-v6": "fd00:18::/64" },
      'bip6: "fd00:18::1/64"; needs Docker 28.0 or later',
      "27",
    ],
    [
      "runc by another path",
      { runtimes: { runc: { path: "/opt/runc" } } },
      'runtimes.runc: {"path":"/opt/runc"}; allowed: another name',
    ],
    [
      "a runtime without path",
      { runtimes: { x: {} } },
      "runtimes.x: {}; allowed: either a path or a runtimeType",
    ],
    [
      "an unknown limit",
      { "default-ulimits": { files: { Name: "files", Soft: 1, Hard: 1 } } },
      'default-ulimits.files: "files"; allowed: as the key: one of core',
    ],
    [
      "Soft above Hard",
      { "default-ulimits": { core: { Name: "core", Soft: -1, Hard: 5 } } },
      "default-ulimits.core.Soft: -1; allowed: at most Hard, 5",
    ],
    [
      "an unlimited number of open files",
      { "default-ulimits": { nofile: { Hard: -1 } } },
      "default-ulimits.nofile.Hard: -1; allowed: a number",
    ],
    [
      "limits that null has emptied",
      { "default-ulimits": { nofile: null } },
      "default-ulimits: {}; allowed: at least one limit",
    ],
    ...["root", "0", "00", "-0", "root:docker", "0:1000"].map((user): [string, Tree, string] => [
      `remapping to root, as ${user}`,
      { "userns-remap": user },
      `userns-remap: "${user}"; allowed: another user than root`,
    ]),
    ["splunk", { "log-driver": "splunk" }, 'log-driver: "splunk"; allowed: json-file, local'],
    [
      "a driver that is a plugin",
      { "log-driver": "loki" },
      "not loki: the program does not install this plugin",
    ],
    [
      "gelf without address",
      { "log-driver": "gelf" },
      "log-opts.gelf-address: missing; allowed: a value: gelf needs it",
    ],
    [
      "a proxy with a password",
      { proxies: { "http-proxy": "http://u:p@proxy.example.org:3128" } },
      "proxies.http-proxy: ",
    ],
    [
      "a cache without a unit",
      { builder: { gc: { defaultKeepStorage: "lots" } } },
      "builder.gc.defaultKeepStorage: ",
    ],
    [
      "a pool smaller than its subnets",
      { "default-address-pools": [{ base: "fd00::/64", size: 48 }] },
      "default-address-pools.0.size: 48; allowed: 64 to 126",
    ],
    [
      "options of an unknown driver",
      { "default-network-opts": { bridges: {} } },
      "default-network-opts.bridges: {}; allowed: a network driver as the key",
    ],
    [
      "two gateways of one family",
      { "host-gateway-ips": ["10.0.0.1", "10.0.0.2"] },
      "host-gateway-ips: ",
    ],
  ])("%s", (...[, daemon, expected, version]) => {
    const found = problems(daemon, version);
    expect(found.join("\n")).toContain(expected);
    expect(found).toHaveLength(1);
  });

  test.each<[Tree, string?]>([
    [{ "default-runtime": "io.containerd.runsc.v1" }],
    [{ runtimes: { nvidia: { path: "nvidia-container-runtime" } }, "default-runtime": "nvidia" }],
    [{ ipv6: true, "fixed-cidr-v6": "fd00:18::/64", ip6tables: true, experimental: true }, "26.1"],
    [{ ipv6: true, bip6: "fd00:18::1/64" }, "28"],
    [
      {
        "insecure-registries": [
          "10.0.0.0/8",
          "fd00::/8",
          "[fd00::5]:5000",
          "registry:5000",
          "localhost",
        ],
      },
    ],
    [{ "registry-mirrors": ["http://10.25.10.4:5000/", "https://mirror.example.org/hub"] }],
    [{ "default-ulimits": { memlock: { Name: "memlock", Soft: -1, Hard: -1 } } }],
    [{ labels: ["a=1", "a=1", "b="] }],
    [{ "cgroup-parent": "docker.slice" }],
    [{ "exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": "/docker" }],
    [{ "metrics-addr": ":9323" }],
    [{ "metrics-addr": "127.0.0.1:9323" }],
    [{ builder: { gc: { policy: [{ filter: ["unused-for=2200h", "type=source.local"] }] } } }],
    [{ "metrics-addr": "[::1]:9323" }],
    [{ "dns-search": [".", "example.org"], "dns-opts": ["ndots:2", "rotate"] }],
    [{ "storage-driver": "vfs" }],
  ])("%j is accepted", (...[daemon, version]) => {
    expect(problems(daemon, version)).toEqual([]);
  });

  test("a port of dockerd's metrics that an exporter or another agent has is refused", () => {
    const { monitoring, portainer } = prodWith({}).defaults as Record<string, Tree>;
    const agent = { ...(portainer?.agent as Tree), next: { port: 9002 } };
    const said = (port: number, host = "10.25.20.24"): string[] =>
      problems({ "metrics-addr": `${host}:${port}` }, undefined, {
        monitoring: { ...monitoring, docker: undefined },
        portainer: { ...portainer, agent },
      });
    const refusal = (port: number, owner: string): string =>
      `metrics-addr: "10.25.20.24:${port}"; allowed: a port of its own; ${owner} has this one`;
    expect(said(9100)).toEqual([refusal(9100, "monitoring.nodeExporter")]);
    expect(said(9101)).toEqual([refusal(9101, "monitoring.cadvisor")]);
    expect(said(9002)).toEqual([refusal(9002, "the Portainer agent")]);
    expect(said(9323)).toEqual([]);
    // The others listen at the node's address alone.
    expect(said(9100, "127.0.0.1")).toEqual([]);
    expect(said(22, "127.0.0.1")).toHaveLength(1);
  });

  test("a profile may be on a template or an adopted machine", () => {
    const { machine } = prodWith({}).defaults as { machine: Tree };
    const seen = { "seccomp-profile": path };
    expect(
      problems(seen, undefined, { machine: { ...machine, image: { template: 9000 } } }),
    ).toEqual([]);
    expect(problems(seen, undefined, { machine: { ...machine, adopt: true } })).toEqual([]);
  });
});

describe("options of log drivers", () => {
  test.each<[string, Record<string, string>]>([
    [
      "json-file",
      {
        "max-size": "10m",
        "max-file": "3",
        compress: "true",
        labels: "a",
        env: "b",
        tag: "{{.ID}}",
      },
    ],
    ["json-file", { mode: "non-blocking", "max-buffer-size": "4m" }],
    ["json-file", { tag: '{{.Name}} {{index .ContainerLabels "a.b}}"}} {{.ContainerLabels.x}}' }],
    ["json-file", { tag: "{{(.ExtraAttributes nil).TASK}}{{/* .Nme */}} }}" }],
    ["json-file", { tag: "{{- range $k, $v := .ContainerLabels}}{{.x}}{{$v}}{{end -}}" }],
    ["json-file", { tag: '{{with .ContainerLabels}}{{.foo}}{{end}}{{printf "%.3s" .ID | upper}}' }],
    ["json-file", { "labels-regex": "(?i)^(?P<name>app|\\(x)[[:alpha:]]+$" }],
    ["json-file", { "labels-regex": "", "env-regex": "\\Q(\\E(?i:a)\\\\(b)" }],
    ["local", { "max-size": "20m", "max-file": "1", compress: "false" }],
    ["journald", { tag: "{{.Name}}", "cache-disabled": "true" }],
    [
      "syslog",
      {
        "syslog-address": "tcp+tls://log.example.org:6514",
        "syslog-facility": "local0",
        "syslog-format": "rfc5424micro",
      },
    ],
    ["syslog", { "syslog-address": "unixgram:///dev/log", "syslog-facility": "3" }],
    ["gelf", { "gelf-address": "udp://10.25.10.9:12201", "gelf-compression-type": "none" }],
    ["gelf", { "gelf-address": "tcp://graylog.example.org:12201", "gelf-tcp-max-reconnect": "5" }],
    [
      "fluentd",
      {
        "fluentd-address": "10.25.10.9:24224",
        "fluentd-async": "true",
        "fluentd-retry-wait": "1s",
      },
    ],
    ["awslogs", { "awslogs-group": "g", "awslogs-region": "eu-central-1" }],
    ["gcplogs", { "gcp-project": "p", "gcp-log-cmd": "true" }],
    ["none", { anything: "goes" }],
  ])("%s %j", (driver, options) => {
    expect(logProblems(driver, options)).toEqual([]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["json-file", { "max-buffer-size": "4m" }, "leave it out unless mode is non-blocking"],
    ["json-file", { mode: "later" }, '"blocking", "non-blocking"'],
    [
      "json-file",
      { compress: "true", "max-file": "1", "max-size": "1m" },
      'compress "false", or max-file',
    ],
    ["json-file", { "max-file": "0" }, "a whole number from 1 in quotes"],
    ["local", { "max-file": "1" }, 'compress "false", or max-file'],
    [
      "syslog",
      { "syslog-address": "log.example.org:514" },
      "udp or tcp or tcp+tls://host:port, or unix",
    ],
    ["syslog", { "syslog-facility": "local8" }, '"kern", "user"'],
    ["gelf", { "gelf-address": "http://h:1" }, "udp or tcp://host:port"],
    [
      "gelf",
      { "gelf-address": "tcp://h:1", "gelf-compression-level": "1" },
      "leave it out unless gelf-address is udp",
    ],
    ["fluentd", { "fluentd-retry-wait": "5" }, "a duration"],
    ["json-file", { tag: "{{.Nme}}" }, "a template without .Nme; it may name .ID, "],
    ["json-file", { tag: "{{Name}}/{{.ID}}" }, "a template without Name; "],
    ["syslog", { tag: "docker/{{.Name" }, "a template whose {{ has its }}"],
    ["journald", { tag: '{{index .Labels "a"}}' }, "a template without .Labels; "],
    ["gelf", { "gelf-address": "udp://h:1", tag: "{{$.Nme}}" }, "a template without .Nme; "],
    ["json-file", { "labels-regex": "(" }, "a regular expression of Go"],
    ["local", { "env-regex": "^(?!SECRET)" }, "a regular expression of Go"],
    ["fluentd", { "env-regex": "(a)\\1" }, "a regular expression of Go"],
    ["gcplogs", { "labels-regex": "[a" }, "a regular expression of Go"],
    [
      "awslogs",
      { "awslogs-group": "g", "awslogs-multiline-pattern": "*" },
      "a regular expression of Go",
    ],
    ["awslogs", {}, "a value: awslogs needs it"],
    [
      "awslogs",
      { "awslogs-group": "g", "awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "x" },
      "leave it out with awslogs-multiline",
    ],
    ["gcplogs", { tag: "x" }, "an option of log-driver gcplogs"],
  ])("%s %j is refused", (driver, options, allowed) => {
    expect(logProblems(driver, options).map((problem) => problem.allowed)).toEqual([
      expect.stringContaining(allowed),
    ]);
  });

  test("a plugin is named with the reason, whatever its tag", () => {
    expect(explainNoDriver("grafana/loki-docker-driver:3.3.2-amd64")).toMatch(
      /; not loki: the program does not install/,
    );
    expect(explainNoDriver("mine")).toBe([...LOG_DRIVERS.keys()].join(", "));
  });
});

describe("the table of keys", () => {
  test("a key is known or refused, and each refusal has its reason", () => {
    const known = Object.keys(DAEMON_KEYS);
    expect(Object.keys(REFUSED_KEYS).filter((key) => known.includes(key))).toEqual([]);
    for (const [key, reason] of Object.entries(REFUSED_KEYS))
      expect(problems({ [key]: true })).toEqual([
        `${key}: true; allowed: not a key of this section: ${reason}`,
      ]);
  });

  test("the reloadable keys are those that dockerd documents", () => {
    expect(reloadableKeys({}).sort()).toEqual([
      "debug",
      "default-runtime",
      "features",
      "insecure-registries",
      "labels",
      "live-restore",
      "max-concurrent-downloads",
      "max-concurrent-uploads",
      "max-download-attempts",
      "registry-mirrors",
      "runtimes",
      "shutdown-timeout",
    ]);
    expect(reloadableKeys({ "userland-proxy": false })).toHaveLength(12);
    expect(reloadableKeys({ "userland-proxy": true })).toEqual([]);
  });
});
