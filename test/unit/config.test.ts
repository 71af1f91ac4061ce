import { loadSettings, merge } from "../../config/load";
import { renderDaemonJson } from "../../config/daemon";
import { ConfigError } from "../../config/problems";
import { problems, prodNode, prodWith, stackFile, waived } from "../support/settings";

const prodProblems = (override: unknown): string[] => problems(prodWith(override));

describe("production", () => {
  test("is valid and is what the specification says", () => {
    const { machine, network, engine, portainer, networks } = prodNode();
    expect(machine).toMatchObject({ vmId: 2019, cpu: { cores: 6 }, memoryGiB: 32, protect: true });
    expect(machine.disk.sizeGiB + (machine.dockerDisk?.sizeGiB ?? 0)).toBe(132);
    expect(network).toMatchObject({ vlan: 20, address: "10.25.20.24/24" });
    expect(portainer?.agent.port).toBe(9001);
    expect(Object.keys(networks)).toEqual(["development-secondary", "astronomy-compute-secondary"]);
    expect(renderDaemonJson(engine.daemon)).toMatchSnapshot();
  });

  test("a node without daemon settings gets the specified daemon", () => {
    const node = prodNode({ engine: { daemon: null } });
    const specified = { ...prodNode().engine.daemon };
    delete specified["storage-opts"];
    delete specified["seccomp-profile"];
    expect(node.engine.daemon).toEqual(specified);
  });
});

describe("every problem is reported at once", () => {
  test("with field, value and what is allowed, before anything is touched", () => {
    const found = prodProblems({
      machine: { cpu: { cores: 0 }, memoryGiB: 0.1, vmid: 7 },
      network: { address: "10.25.20.300/24" },
      engine: { version: "latest" },
    });
    expect(found).toEqual([
      "nodes.proj-docker02.machine.cpu.cores: 0; allowed: at least 1",
      "nodes.proj-docker02.machine.memoryGiB: 0.1; allowed: at least 0.5",
      "nodes.proj-docker02.machine.memoryGiB: 0.1; allowed: a multiple of 0.25",
      "nodes.proj-docker02.machine.vmid: 7; allowed: not a key of this section; see docs/reference/configuration.md",
      'nodes.proj-docker02.network.address: "10.25.20.300/24"; allowed: an IPv4 address with prefix length, such as 10.25.20.24/24',
      'nodes.proj-docker02.engine.version: "latest"; allowed: a release such as "29.10.0", or its beginning such as "29.10"',
    ]);
  });

  test("the error has no stack trace, only its message", () => {
    const error = new ConfigError([{ path: ["a"], value: undefined, allowed: "b" }]);
    expect(error.stack).toBe(
      "1 problem in the configuration; nothing was changed:\n  a: missing; allowed: b",
    );
  });

  test("a missing field is reported as missing", () => {
    expect(prodProblems({ machine: { vmId: null } })).toEqual([
      "nodes.proj-docker02.machine.vmId: missing; allowed: a number",
    ]);
  });

  test("no nodes at all", () => {
    expect(problems({ ...stackFile("prod"), nodes: {} })[0]).toMatch(
      /^nodes: {}; allowed: at least one node/,
    );
    expect(problems({ ...stackFile("prod"), nodes: undefined })[0]).toMatch(/^nodes: missing/);
  });

  test("a value that comes from the defaults is reported there", () => {
    const raw = prodWith({});
    const defaults = merge(raw.defaults, { machine: { startup: { order: -1 } } });
    expect(problems({ ...raw, defaults })).toEqual([
      "defaults.machine.startup.order: -1; allowed: at least 0",
    ]);
  });

  test("a long value is cut, not dumped", () => {
    const [line] = prodProblems({ engine: { version: "9".repeat(500) } });
    expect(line?.length).toBeLessThan(300);
  });
});

/** [what, override of production, expected beginning of the only problem] */
/** A network on the LAN that is right. */
const LAN = {
  ...{ driver: "macvlan", parent: "eth0" },
  ...{ subnet: "10.25.30.0/24", gateway: "10.25.30.1" },
};

const REFUSED: [string, unknown, RegExp][] = [
  [
    "the network's base as address",
    { network: { address: "10.25.20.0/24" } },
    /network.address: .*neither/,
  ],
  [
    "a gateway elsewhere",
    { network: { gateway: "10.25.21.1" } },
    /network.gateway: "10.25.21.1"; allowed: another host address of 10.25.20.0\/24/,
  ],
  ["itself as gateway", { network: { gateway: "10.25.20.24" } }, /network.gateway/],
  ["an impossible VLAN", { network: { vlan: 4095 } }, /vlan: 4095; allowed: at most 4094/],
  [
    "a tiny disk for everything",
    {
      machine: { disk: { sizeGiB: 8 }, dockerDisk: null },
      engine: { daemon: { "storage-opts": null } },
    },
    /disk.sizeGiB: 8; allowed: at least 16/,
  ],
  [
    "its own id as template",
    { machine: { image: { template: 2019 } } },
    /image.template: 2019; allowed: another/,
  ],
  [
    "high availability on none but other Proxmox nodes",
    { machine: { highAvailability: { nodes: { pve02: 1 }, strict: true } } },
    /highAvailability.nodes: \{"pve02":1\}; allowed: with pve01, the VM's own Proxmox node, where strict/,
  ],
  [
    "strict about no Proxmox nodes",
    { machine: { highAvailability: { strict: true } } },
    /highAvailability.strict: true; allowed: false or unset without nodes/,
  ],
  [
    "a copy of the disks beside them",
    { machine: { replication: { target: "pve01" } } },
    /replication.target: "pve01"; allowed: another Proxmox node than the VM's own/,
  ],
  [
    "a data-root beside the docker disk",
    { engine: { daemon: { "data-root": "/srv/docker" } } },
    /data-root: "\/srv\/docker"; allowed: \/var\/lib\/docker/,
  ],
  [
    "monitoring without a part",
    { monitoring: { nodeExporter: null, cadvisor: null, docker: null, health: null } },
    /monitoring: .*; allowed: one of nodeExporter, cadvisor, docker, health, or more/,
  ],
  [
    "nobody who may read metrics",
    { monitoring: { scrapers: [] } },
    /monitoring.scrapers: \[\]; allowed: at least 1 entry/,
  ],
  [
    "a network that may read metrics",
    { monitoring: { scrapers: ["10.25.10.0/24"] } },
    /monitoring.scrapers.0: "10.25.10.0\/24"; allowed: an IPv4 address/,
  ],
  [
    "one port for metrics and the agent",
    { monitoring: { cadvisor: { port: 9001 } } },
    /monitoring.cadvisor.port: 9001; allowed: a port of its own; the Portainer agent has it/,
  ],
  [
    "one port for two kinds of metrics",
    { monitoring: { docker: { port: 9100 } } },
    /monitoring.docker.port: 9100; allowed: a port of its own; nodeExporter has it/,
  ],
  [
    "dockerd's metrics in two places",
    { engine: { daemon: { "metrics-addr": "10.25.20.24:9323" } } },
    /daemon.metrics-addr: "10.25.20.24:9323"; allowed: unset with monitoring.docker/,
  ],
  [
    "cAdvisor without a digest",
    { monitoring: { cadvisor: { image: "ghcr.io/google/cadvisor:latest" } } },
    /monitoring.cadvisor.image: "ghcr.io\/google\/cadvisor:latest"; allowed: an image with version and digest/,
  ],
  [
    "a folder that a shell would read otherwise",
    { monitoring: { health: { directory: "/srv/$(id)" } } },
    /monitoring.health.directory: "\/srv\/\$\(id\)"; allowed: an absolute path/,
  ],
  [
    "overlay2.size without XFS",
    { machine: { dockerDisk: null } },
    /storage-opts: "overlay2.size=50G"; allowed: overlay2.size only with machine.dockerDisk/,
  ],
  [
    "options of another driver",
    { engine: { daemon: { "storage-driver": "vfs", "storage-opts": ["overlay2.size=50G"] } } },
    /storage-opts: "overlay2.size=50G"; allowed: options of storage-driver vfs/,
  ],
  [
    "containerd's store on a small system disk",
    {
      machine: { disk: { sizeGiB: 15 } },
      engine: { daemon: { "userns-remap": null, "storage-driver": null, "storage-opts": null } },
    },
    /machine\.disk\.sizeGiB: 15; allowed: at least 16 when it also holds \/var\/lib\/containerd: /,
  ],
  [
    "no docker0 with containers on it",
    { engine: { daemon: { bridge: "none", bip: null } } },
    /bridge: "none"; allowed: unset with portainer, monitoring\.cadvisor, backups: without docker0/,
  ],
  [
    "remap in the containerd store",
    { engine: { daemon: { features: { "containerd-snapshotter": true } } } },
    /containerd-snapshotter: true; allowed: .*moby#47377/,
  ],
  [
    "a graph driver in the containerd store",
    { engine: { daemon: { "userns-remap": null, features: { "containerd-snapshotter": true } } } },
    /containerd-snapshotter: true; allowed: .*graph driver/,
  ],
  [
    "an unknown daemon key",
    { engine: { daemon: { apparmor: true } } },
    /daemon.apparmor: true; allowed: not a key/,
  ],
  [
    "a TCP listener",
    { engine: { daemon: { hosts: ["tcp://0.0.0.0:2375"] } } },
    /daemon.hosts: .*not a key/,
  ],
  [
    "seccomp default",
    { engine: { daemon: { "seccomp-profile": "default" } } },
    /seccomp-profile: "default"; allowed: unset or "builtin"/,
  ],
  [
    "a number in log-opts",
    { engine: { daemon: { "log-opts": { "max-file": 3 } } } },
    /log-opts.max-file: 3; allowed: a text/,
  ],
  [
    "nftables before Docker 29",
    {
      engine: {
        version: "28.5",
        daemon: { "live-restore": false, "firewall-backend": "nftables" },
      },
    },
    /firewall-backend: "nftables"; needs Docker 29\.0 or later/,
  ],
  [
    "an ulimit under another name",
    { engine: { daemon: { "default-ulimits": { nofile: { Name: "nproc" } } } } },
    /nofile.Name: "nproc"; allowed: "nofile"/,
  ],
  [
    "an ulimit upside down",
    { engine: { daemon: { "default-ulimits": { nofile: { Soft: 65537 } } } } },
    /nofile.Soft: 65537; allowed: at most Hard/,
  ],
  [
    "docker0 on the node's network",
    { engine: { daemon: { bip: "10.25.20.200/25" } } },
    /daemon.bip: .*outside 10.25.20.0\/24/,
  ],
  [
    "docker0 across pool slots",
    { engine: { daemon: { bip: "172.18.0.1/23" } } },
    /daemon.bip: "172.18.0.1\/23"; allowed: .*exactly one/,
  ],
  [
    "a pool on the node's network",
    { engine: { daemon: { "default-address-pools": [{ base: "10.25.0.0/16", size: 24 }] } } },
    /pools.0.base: "10.25.0.0\/16"; allowed: .*outside/,
  ],
  [
    "subnets larger than their pool",
    { engine: { daemon: { "default-address-pools": [{ base: "172.20.0.0/24", size: 16 }] } } },
    /pools.0.size: 16; allowed: 24 to 30/,
  ],
  [
    "overlapping networks",
    { networks: { extra: { subnet: "172.19.0.128/25" } } },
    /extra.subnet: .*networks.development-secondary \(172.19.0.0\/24\)/,
  ],
  [
    "a bridge inside the pool",
    { networks: { extra: { subnet: "172.18.9.0/24" } } },
    /extra.subnet: .*default-address-pools.0/,
  ],
  [
    "a bridge on the node's network",
    { networks: { extra: { subnet: "10.25.20.0/25" } } },
    /extra.subnet: .*the node's network/,
  ],
  [
    "a gateway outside its network",
    { networks: { extra: { subnet: "172.20.0.0/24", gateway: "172.20.1.1" } } },
    /extra.gateway: "172.20.1.1"; allowed: a host address of 172.20.0.0\/24/,
  ],
  [
    "host bits in a subnet",
    { networks: { extra: { subnet: "172.20.0.1/24" } } },
    /extra.subnet: .*172.20.0.0\/24/,
  ],
  [
    "an MTU that Proxmox does not take",
    { network: { mtu: 575 } },
    /network.mtu: 575; allowed: 1 for/,
  ],
  [
    "a MAC address of a group",
    { network: { macAddress: "01:24:11:00:20:24" } },
    /network.macAddress: "01:.*; allowed: a MAC address of one machine/,
  ],
  [
    "no MAC address",
    { network: { macAddress: "00:00:00:00:00:00" } },
    /network.macAddress: .*one machine/,
  ],
  [
    "an MTU that Linux does not take",
    { networks: { extra: { subnet: "172.20.0.0/24", mtu: 67 } } },
    /extra.mtu: 67; allowed: at least 68/,
  ],
  [
    "a macvlan range elsewhere",
    { networks: { lan: { ...LAN, range: "10.25.31.0/25" } } },
    /lan.range: .*a part of 10.25.30.0\/24/,
  ],
  [
    "an excluded address elsewhere",
    { networks: { lan: { ...LAN, excluded: { nas: "10.25.31.9" } } } },
    /lan.excluded.nas: .*a host address/,
  ],
  [
    "host bits in a range",
    { networks: { lan: { ...LAN, range: "10.25.30.130/25" } } },
    /lan.range: "10.25.30.130\/25"; allowed: the network itself: 10.25.30.128\/25/,
  ],
  [
    "the gateway as an excluded address",
    { networks: { lan: { ...LAN, excluded: { router: "10.25.30.1" } } } },
    /lan.excluded.router: "10.25.30.1"; allowed: another address than networks.lan.gateway, which/,
  ],
  [
    "an address that is excluded twice",
    { networks: { lan: { ...LAN, excluded: { nas: "10.25.30.9", files: "10.25.30.9" } } } },
    /lan.excluded.files: "10.25.30.9"; allowed: another address than networks.lan.excluded.nas, which/,
  ],
  [
    "an unknown driver",
    { networks: { lan: { driver: "overlay", subnet: "172.20.0.0/24" } } },
    /lan.driver/,
  ],
  [
    "latest",
    { portainer: { agent: { image: `portainer/agent:latest@sha256:${"0".repeat(64)}` } } },
    /agent.image: .*version tag other than latest/,
  ],
  [
    "an images policy without registries",
    { images: { registries: [] } },
    /images.registries: \[\]; allowed: at least 1/,
  ],
  [
    "a registry without its host",
    { images: { registries: ["portainer"] } },
    /images.registries.0: "portainer"; allowed: a name that begins with the registry's host/,
  ],
  [
    "a registry as a URL",
    { images: { registries: ["https://docker.io"] } },
    /images.registries.0: "https:\/\/docker.io"; allowed: a registry, or a part of one/,
  ],
  [
    "an image without digest",
    { portainer: { agent: { image: "portainer/agent:2.39.1" } } },
    /agent.image: "portainer\/agent:2.39.1"; allowed: an image with version and digest/,
  ],
  [
    "a port with icmp",
    { network: { firewall: { rules: [{ proto: "icmp", port: "1" }] } } },
    /rules.0.port: "1"; leave it out with proto icmp/,
  ],
  [
    "no port with tcp",
    { network: { firewall: { rules: [{ proto: "tcp" }] } } },
    /rules.0.port: missing; allowed: a port/,
  ],
  [
    "a port range upside down",
    { network: { firewall: { rules: [{ port: "90:80" }] } } },
    /rules.0.port: "90:80"; allowed: ports 1 to 65535/,
  ],
  [
    "an image under a name Proxmox will not import",
    {
      machine: {
        image: { url: "https://example.org/a.img", sha256: "0".repeat(64), fileName: "a.img" },
      },
    },
    /image.fileName: "a.img"; allowed: a file name ending in/,
  ],
  [
    "an RSA host key",
    { ssh: { hostKey: "ssh-rsa AAAAB3NzaC1yc2E node" } },
    /ssh.hostKey: .*allowed: the node's ed25519 or ecdsa host key, .*SHA-1/,
  ],
  [
    "a host key that is none",
    { ssh: { hostKey: "AAAA" } },
    /ssh.hostKey: "AAAA"; allowed: an ed25519 or ecdsa host key on one line/,
  ],
  [
    "a broken public key",
    { ssh: { publicKeys: ["ssh-ed25519"] } },
    /publicKeys.0: .*OpenSSH public key/,
  ],
];

describe("refused", () => {
  test.each(REFUSED)("%s", (_what, override, expected) => {
    const found = problems(waived(prodWith(override)));
    expect(found).toEqual([expect.stringMatching(expected)]);
  });

  test("a plain-text Proxmox URL", () => {
    const raw = { ...stackFile("prod"), proxmox: { endpoint: "http://pve01:8006/" } };
    expect(problems(raw)).toEqual([expect.stringMatching(/^proxmox.endpoint: "http:/)]);
  });

  test("a node name that cannot be a host name", () => {
    const nodes = stackFile("prod").nodes as Record<string, unknown>;
    expect(
      problems({ ...stackFile("prod"), nodes: { Proj_Docker: nodes["proj-docker02"] } }),
    ).toEqual([expect.stringMatching(/^nodes.Proj_Docker: .*host name/)]);
  });

  test("two nodes with one id and one address", () => {
    const prod = stackFile("prod");
    const nodes = prod.nodes as Record<string, unknown>;
    expect(
      problems({ ...prod, nodes: { ...nodes, "proj-docker03": nodes["proj-docker02"] } }),
    ).toEqual([
      expect.stringMatching(
        /^nodes.proj-docker03.machine.vmId: 2019; .*proj-docker02 has this one/,
      ),
      expect.stringMatching(/^nodes.proj-docker03.network.address: .*proj-docker02 has this one/),
    ]);
  });
});

describe("texts for other syntaxes", () => {
  const url = "https://mirror.example.org/a";
  test.each([
    ["ssh.endpoint", { ssh: { endpoint: { host: "-oProxyCommand=x", port: 22 } } }, "a host name"],
    ["ssh.endpoint", { ssh: { endpoint: { host: "a b", port: 22 } } }, "a host name"],
    ["ssh.privateKeyFile", { ssh: { privateKeyFile: "-F/etc/passwd" } }, "a path that"],
    ["ssh.privateKeyFile", { ssh: { privateKeyFile: "%d/key" } }, "a path that"],
    ["ssh.privateKeyFile", { ssh: { privateKeyFile: "${HOME}/key" } }, "a path that"],
    ["ssh.privateKeyFile", { ssh: { privateKeyFile: "/key\nx" } }, "a path that"],
    ["network.searchDomain", { network: { searchDomain: "a\nb: c" } }, "a host name"],
    ["network.address", { network: { address: "010.25.20.24/24" } }, "an IPv4 address"],
    ["network.address", { network: { address: "10.25.20.24/024" } }, "an IPv4 address"],
    ["engine.mirror", { engine: { mirror: `${url}\nTrusted: yes` } }, "an http URL"],
    ["engine.mirror", { engine: { mirror: `${url} ${url}` } }, "an http URL"],
    ["engine.mirrorKey", { engine: { mirror: url, mirrorKey: "9DC8 5822" } }, "the 40 digits"],
    ["engine.mirrorKey", { engine: { mirrorKey: "A".repeat(40) } }, "needs engine.mirror"],
    ["engine.daemon.data-root", { engine: { daemon: { "data-root": "/var/../etc" } } }, "an absol"],
    ["machine.cpu.type", { machine: { cpu: { type: "host,flags=+x" } } }, "a QEMU CPU model"],
    ["machine.tags", { machine: { tags: ["a", "a"] } }, "each tag once"],
  ])("%s", (field, override, allowed) => {
    const found = prodProblems(override);
    expect(found.join("\n")).toMatch(
      new RegExp(`^nodes.proj-docker02.${field}.*; (allowed: )?${allowed}`),
    );
    expect(found.filter((line) => line.includes(field))).toHaveLength(found.length);
  });

  test("control characters, broken Unicode and __proto__ are refused wherever they are", () => {
    const volumes = JSON.parse('{"data":{"labels":{"__proto__":"x"}}}') as object;
    const override = {
      machine: { description: "a\u0000b" },
      ssh: { publicKeys: ["ssh-ed25519 AAAA a\rb"] },
      engine: { daemon: { labels: ["a=\ud800"] } },
      volumes,
    };
    const text = "text without control characters, in valid Unicode";
    expect(prodProblems(override)).toEqual([
      `nodes.proj-docker02.machine.description: "a\\u0000b"; allowed: ${text}`,
      `nodes.proj-docker02.ssh.publicKeys.0: "ssh-ed25519 AAAA a\\rb"; allowed: ${text}`,
      `nodes.proj-docker02.engine.daemon.labels.0: "a=\\ud800"; allowed: ${text}`,
      'nodes.proj-docker02.volumes.data.labels.__proto__: "x"; allowed: another name for the key',
    ]);
  });

  test("an impossible name of a network or volume is reported with the allowed names", () => {
    expect(prodProblems({ volumes: { "a b": {} } })).toEqual([
      expect.stringMatching(/volumes\."a b": "a b"; allowed: as the key: a Docker name/),
    ]);
  });

  test("white space around a description is removed, as in Proxmox", () => {
    expect(prodNode({ machine: { description: "two\nlines\n" } }).machine.description).toBe(
      "two\nlines",
    );
  });
});

describe("accepted", () => {
  test("several nodes from shared defaults and their own overrides", () => {
    const prod = stackFile("prod");
    const [defaults] = Object.values(prod.nodes as Record<string, unknown>);
    const nodes = {
      "proj-docker01": { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } },
      "proj-docker02": { machine: { memoryGiB: 64 }, networks: { "development-secondary": null } },
    };
    const settings = loadSettings({ ...prod, defaults, nodes });
    expect(settings.nodes["proj-docker01"]?.machine).toMatchObject({ vmId: 2014, memoryGiB: 32 });
    expect(settings.nodes["proj-docker02"]?.machine).toMatchObject({ vmId: 2019, memoryGiB: 64 });
    expect(Object.keys(settings.nodes["proj-docker02"]?.networks ?? {})).toEqual([
      "astronomy-compute-secondary",
    ]);
  });

  test("the containerd store without remap and graph driver", () => {
    const daemon = {
      "userns-remap": null,
      "storage-driver": null,
      "storage-opts": null,
      features: { "containerd-snapshotter": true },
    };
    expect(problems(waived(prodWith({ engine: { daemon } })))).toEqual([]);
  });

  test("nftables, with containers that outlive dockerd", () => {
    const daemon = { "live-restore": true, "firewall-backend": "nftables" };
    expect(prodProblems({ engine: { daemon } })).toEqual([]);
  });

  test("one disk for everything, without overlay2.size", () => {
    const override = {
      machine: { disk: { sizeGiB: 132 }, dockerDisk: null },
      engine: { daemon: { "storage-opts": null } },
    };
    expect(prodProblems(override)).toEqual([]);
  });

  test("null removes at any depth, also where there is nothing to remove", () => {
    expect(merge({ a: 1 }, { b: { c: null, d: { e: null } }, a: null })).toEqual({ b: { d: {} } });
  });

  test("a volume that is called image is merged like any other", () => {
    const defaults = { volumes: { image: { labels: { a: "1" } } } };
    const both = merge(defaults, { volumes: { image: { labels: { b: "2" } } } });
    expect(both).toEqual({ volumes: { image: { labels: { a: "1", b: "2" } } } });
  });

  test("an image override replaces the whole section", () => {
    expect(prodNode({ machine: { image: { template: 9000 } } }).machine.image).toEqual({
      template: 9000,
    });
  });
});

test("daemon.json does not depend on the order of the configuration", () => {
  expect(renderDaemonJson({ debug: true, bip: "172.18.0.1/24" })).toBe(
    renderDaemonJson({ bip: "172.18.0.1/24", debug: true }),
  );
});

describe("the keys of a stack file", () => {
  const prod = stackFile("prod");
  const said = (raw: object, names?: string[]): string => {
    try {
      loadSettings(raw as typeof prod, names);
    } catch (error) {
      return (error as ConfigError).message;
    }
    return "";
  };

  test("a file without configVersion is of version 1", () => {
    const unversioned = { proxmox: prod.proxmox, nodes: prod.nodes };
    expect(loadSettings(unversioned)).toEqual(loadSettings({ ...unversioned, configVersion: 1 }));
  });

  test.each([2, 0, "1", "one", {}])(
    "configVersion %p is refused, and nothing else told",
    (version) => {
      const message = said({ configVersion: version, defualts: {}, nodes: 7 });
      expect(message).toBe(
        [
          "1 problem in the configuration; nothing was changed:",
          `  configVersion: ${JSON.stringify(version)}; allowed: 1: this program reads no other; use the release of docker-node that does, or write the file as docs/reference/configuration.md says and set 1`,
        ].join("\n"),
      );
    },
  );

  test("a key that the program does not read is refused, whatever its value", () => {
    const message = said({ ...prod, defualts: "maybe a secret" });
    expect(message).toBe(
      [
        "1 problem in the configuration; nothing was changed:",
        "  defualts: not a key of this program; allowed: configVersion, proxmox, defaults, nodes, workloads, compose, waivers; secrets: proxmoxApiToken, agentSecret, agentSecretNext, portainerApiKey, backupToken, backupKey, registryPassword-<host>, imageScannerToken, pbsStorageToken, pbsStorageKey, workloadSecret-<name>, backupToken-<node>",
      ].join("\n"),
    );
  });

  test("secrets are keys, and so is a token of a node", () => {
    const names = ["nodes", "agentSecret", "pbsStorageKey", "backupToken-proj-docker02"];
    expect(said(prod, names)).toBe("");
    expect(said(prod, [...names, "backupToken-", "agentsecret"])).toMatch(
      /^2 problems.*\n {2}backupToken-: .*\n {2}agentsecret: /,
    );
  });
});

test("root as the user of a node whose sshd lets nobody in as root is refused", () => {
  expect(prodProblems({ ssh: { user: "root" } })).toEqual([
    'nodes.proj-docker02.ssh.user: "root"; allowed: a user other than root, or hardening.ssh: false with its waiver',
  ]);
});
