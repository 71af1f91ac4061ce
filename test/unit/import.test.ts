import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "yaml";
import { merge, type RawSettings } from "../../config/load";
import { ClusterError, type Cluster } from "../../clients/proxmox";
import { runCommandLine } from "../../commands/cli";
import { draft, type Draft, type Given } from "../../commands/import/draft";
import { parseFacts, type Facts } from "../../commands/import/facts";
import { upstreamOf } from "../../commands/import/docker";
import { addressIn } from "../../commands/import/machine";
import { pinExactly, withoutDefaults } from "../../commands/import/minimal";
import { isTree, type Tree } from "../../config/tree";
import {
  toGibibytes,
  parseOptions,
  readHardware,
  type Hardware,
} from "../../commands/import/hardware";
import { findingsText } from "../../commands/import/render";
import { requireKey, fingerprintOf, parseTarget, scanHostKey } from "../../commands/import/inspect";
import { portainerOf, readStack, sshOf } from "../../commands/import/stack";
import { addNode, NodeExists } from "../../commands/import/stack-file";
import { stackFile } from "../support/settings";

/** What inspect.sh said of a node made by test/lab/by-hand.sh, in the lab. */
const RECORDED = JSON.parse(
  readFileSync(join(__dirname, "../fixtures/import/proj-docker01.json"), "utf8"),
) as Record<string, string>;

const wire = (facts: Record<string, string>): string =>
  Object.entries(facts)
    .map(([name, text]) => `${name} ${Buffer.from(text).toString("base64")}`)
    .join("\n");

const facts = (changes: Record<string, string> = {}): Facts =>
  parseFacts(wire({ ...RECORDED, ...changes }));

const CONFIG: Hardware["config"] = {
  name: "proj-docker01",
  cores: 2,
  memory: "32768",
  cpu: "host",
  onboot: 1,
  description: "asked for by astronomy, ticket 4711",
  scsihw: "virtio-scsi-pci",
  scsi0: "nvme-pool:vm-2014-disk-0,discard=on,size=24G",
  ide2: "nvme-pool:vm-2014-cloudinit,media=cdrom",
  net0: "virtio=BC:24:11:F8:C1:A3,bridge=vmbr0,tag=20",
  ipconfig0: "ip=10.25.20.23/24,gw=10.25.20.1",
};

const hardware = (config: Hardware["config"] = {}, rest: Partial<Hardware> = {}): Hardware => ({
  vmId: 2014,
  name: "proj-docker01",
  proxmoxNode: "pve01",
  status: "running",
  config: { ...CONFIG, ...config },
  firewallRules: 0,
  ...rest,
});

const AGENT = `docker.io/portainer/agent:2.39.1@sha256:${"7".repeat(64)}`;
const STACK: RawSettings = {
  proxmox: { endpoint: "https://pve01.example.org:8006/" },
  defaults: {
    ssh: { privateKeyFile: "~/.ssh/key" },
    portainer: { server: "10.25.10.11", agent: { image: AGENT } },
  },
  nodes: undefined,
};

const given = (changes: Partial<Given> = {}): Given => ({
  name: "proj-docker01",
  hardware: hardware(),
  facts: facts(),
  ssh: { user: "ubuntu", hostKey: "ssh-ed25519 AAAAHostKey", privateKeyFile: "~/.ssh/key" },
  stack: STACK,
  portainer: { server: "10.25.10.11", image: AGENT },
  ...changes,
});

/** A NIC as the guest shows it. */
const link = (mac: string, local: string): object => ({
  ...{ address: mac, addr_info: [{ family: "inet", local, prefixlen: 24 }] },
});

const told = ({ findings }: Draft, kind: string): string[] =>
  findings.filter((one) => one.kind === kind).map(({ what, why }) => `${what}: ${why}`);

describe("the draft of a node made by hand", () => {
  test("says what was found, and no more than the stack's defaults do not", () => {
    const { node, findings } = draft(given());
    expect(node).toMatchSnapshot();
    expect(findingsText(findings)).toMatchSnapshot();
  });

  test("is a configuration the program accepts, with nothing beyond daemon.json in the daemon", () => {
    const { node } = draft(given());
    const merged = merge({ engine: { daemon: { "userns-remap": "default" } } }, node) as {
      engine: { daemon: Tree };
    };
    expect(merged.engine.daemon).not.toHaveProperty("userns-remap");
  });

  test("without a VLAN says so, or the stack's defaults would give it one", () => {
    const found = hardware({ net0: "virtio=BC:24:11:F8:C1:A3,bridge=vmbr0" });
    const stack = { ...STACK, defaults: merge(STACK.defaults, { network: { vlan: 20 } }) };
    expect(draft(given({ hardware: found, stack })).node).toMatchObject({
      network: { vlan: null },
    });
    expect(draft(given({ hardware: found })).node.network).not.toHaveProperty("vlan");
  });

  test("with further NICs and IPv6 has them, by the guest's own IPv4 addresses", () => {
    const config = {
      ipconfig0: "ip=10.25.20.23/24,gw=10.25.20.1,ip6=fd25:10::23/64,gw6=fe80::1",
      net1: "virtio=BC:24:11:F8:C1:A4,bridge=vmbr1,tag=30,firewall=1",
      ipconfig1: "ip=10.25.30.99/24,ip6=fd25:30::23/64",
      net2: "virtio=BC:24:11:F8:C1:A5,bridge=vmbr2",
      ipconfig2: "ip=10.25.31.23/24",
    };
    const links = [
      link("bc:24:11:f8:c1:a3", "10.25.20.23"),
      link("bc:24:11:f8:c1:a4", "10.25.30.23"),
      link("bc:24:11:f8:c1:a5", "10.25.31.23"),
    ];
    const found = draft(
      given({ hardware: hardware(config), facts: facts({ addresses: JSON.stringify(links) }) }),
    );
    expect(found.node.network).toMatchObject({
      address: "10.25.20.23/24",
      ipv6: { address: "fd25:10::23/64", gateway: "fe80::1" },
      nics: [
        {
          ...{ bridge: "vmbr1", vlan: 30, address: "10.25.30.23/24" },
          ipv6: { address: "fd25:30::23/64" },
        },
        { bridge: "vmbr2", address: "10.25.31.23/24" },
      ],
    });
    expect(told(found, "refuse")).toEqual([]);
  });

  test("with a further NIC whose address is the guest's own has it, and says what else the NIC has", () => {
    const over = (ipconfig?: string): ReturnType<typeof draft> =>
      draft(
        given({
          hardware: hardware({
            net1: "virtio=BC:24:11:F8:C1:A4,bridge=vmbr1",
            ...(ipconfig !== undefined && { ipconfig1: ipconfig }),
          }),
          facts: facts({
            addresses: JSON.stringify([
              link("bc:24:11:f8:c1:a3", "10.25.20.23"),
              link("bc:24:11:f8:c1:a4", "10.25.30.23"),
            ]),
          }),
        }),
      );
    for (const found of [over(), over("ip6=auto"), over("gw6=fd25:30::1,gw=10.25.30.1")]) {
      expect(told(found, "refuse")).toEqual([]);
      expect(found.node.network).toMatchObject({
        nics: [{ bridge: "vmbr1", address: "10.25.30.23/24" }],
      });
    }
    const left = (ipconfig: string): string[] =>
      told(over(ipconfig), "leave").filter((one) => /^(net1|IPv6)/.test(one));
    expect(left("ip=10.25.30.23/24,ip6=fd25:30::23/64")).toEqual([]);
    expect(left("ip6=auto")).toEqual([
      "IPv6 of net1: auto: the node gets addresses that the configuration does not know",
    ]);
    expect(left("ip6=dhcp")).toEqual([
      "IPv6 of net1: dhcp: the node gets addresses that the configuration does not know",
    ]);
    expect(left("ip=10.25.30.23/24,gw=10.25.30.1,ip6=fd25:30::23/64,gw6=fe80::1")).toEqual([
      "net1: the configuration cannot express its gateway 10.25.30.1: the guest keeps this default route",
      "net1: the configuration cannot express its gateway fe80::1: the guest keeps this default route",
    ]);
  });

  test("with several IPv4 addresses at a NIC names those beside the first", () => {
    const toInet = (local: string): object => ({ family: "inet", local, prefixlen: 24 });
    const addr_info = ["10.25.20.23", "10.25.20.24"].map(toInet);
    const addresses = JSON.stringify([{ address: "bc:24:11:f8:c1:a3", addr_info }]);
    const found = draft(given({ facts: facts({ addresses }) }));
    expect(told(found, "leave")).toContain(
      "addresses: 10.25.20.24/24: the NIC has these in addition to 10.25.20.23/24",
    );
  });

  test("with IPv6 addresses that routers announce says so", () => {
    const ipconfig0 = "ip=10.25.20.23/24,gw=10.25.20.1,ip6=auto";
    const found = draft(given({ hardware: hardware({ ipconfig0 }) }));
    expect(found.node.network).not.toHaveProperty("ipv6");
    expect(told(found, "leave")).toContainEqual(expect.stringMatching(/^IPv6: auto: /));
  });

  test("with static IPv6 has name servers of both families, and says which it has no key for", () => {
    const nameservers = "10.25.20.2\nfd25:10::2\nfe80::1%ens18\n10.25.20.3\n10.25.20.4\n";
    const ipconfig0 = "ip=10.25.20.23/24,gw=10.25.20.1,ip6=fd25:10::23/64";
    const over = (config: Hardware["config"]): ReturnType<typeof draft> =>
      draft(given({ hardware: hardware(config), facts: facts({ nameservers }) }));
    const both = over({ ipconfig0 });
    expect(both.node.network).toMatchObject({
      dnsServers: ["10.25.20.2", "fd25:10::2", "10.25.20.3"],
    });
    expect(told(both, "leave")).toContainEqual(
      expect.stringMatching(/^name servers: fe80::1%ens18, 10\.25\.20\.4: /),
    );
    const alone = over({});
    expect(alone.node.network).toMatchObject({
      dnsServers: ["10.25.20.2", "10.25.20.3", "10.25.20.4"],
    });
    expect(told(alone, "leave")).toContainEqual(
      expect.stringMatching(/^name servers: fd25:10::2, fe80::1%ens18: /),
    );
  });

  test.each<[string, Partial<Given>, RegExp]>([
    ["a template", { hardware: hardware({ template: 1 }) }, /VM 2014: is a template/],
    ["stopped", { hardware: hardware({}, { status: "stopped" }) }, /qm start 2014/],
    ["locked", { hardware: hardware({ lock: "backup" }) }, /is locked \(backup\)/],
    [
      "of more disks",
      { hardware: hardware({ scsi2: "nvme-pool:vm-2014-disk-2,size=8G" }) },
      /scsi2: .*take it away/,
    ],
    [
      "on another bus",
      { hardware: hardware({ virtio0: "a:b,size=8G" }) },
      /virtio0: .*take it away/,
    ],
    [
      "of a NIC with an address by DHCP",
      {
        hardware: hardware({ net1: "virtio=BC:24:11:F8:C1:A4,bridge=vmbr1", ipconfig1: "ip=dhcp" }),
      },
      /net1: has its address by DHCP \(ipconfig1\), and it does not last/,
    ],
    [
      "of a NIC that the guest does not have",
      { hardware: hardware({ net1: "virtio=BC:24:11:F8:C1:A4,bridge=vmbr1" }) },
      /net1: no NIC of the guest has the MAC BC:24:11:F8:C1:A4/,
    ],
    [
      "of a NIC after a gap",
      { hardware: hardware({ net2: "virtio=BC:24:11:F8:C1:A4,bridge=vmbr1" }) },
      /net2: there is no net1/,
    ],
    [
      "of more NICs than there are addresses for",
      { hardware: hardware({ net8: "virtio=BC:24:11:F8:C1:A4,bridge=vmbr1" }) },
      /net8: .*take it away/,
    ],
    [
      "with an unknown NIC",
      { hardware: hardware({ net0: "virtio=BC:24:11:00:00:00,bridge=vmbr0,tag=20" }) },
      /no NIC of the guest has the MAC/,
    ],
    [
      "with a disk of its own use",
      { hardware: hardware({ scsi1: "nvme-pool:vm-2014-disk-1,size=100G" }) },
      /scsi1: has to be XFS/,
    ],
    ["without a daemon", { facts: facts({ info: "" }) }, /no daemon answers/],
    [
      "without packages",
      { facts: facts({ packages: "" }) },
      /neither package docker-ce nor docker.io/,
    ],
    [
      "in a swarm",
      { facts: facts({ info: RECORDED.info?.replace("inactive", "active") ?? "" }) },
      /swarm: is active/,
    ],
    [
      "with a broken daemon.json",
      { facts: facts({ daemonJson: "{" }) },
      /daemon.json: is not JSON/,
    ],
    [
      "with a TCP listener in daemon.json",
      { facts: facts({ daemonJson: '{"hosts": ["tcp://0.0.0.0"]}' }) },
      /engine.daemon.hosts/,
    ],
    [
      "of a failed cloud-init",
      { facts: facts({ cloudInit: "status: error" }) },
      /cloud-init: status: error/,
    ],
    [
      "with a user outside group docker",
      { facts: facts({ dockerGroup: "docker:x:102:" }) },
      /usermod -aG docker ubuntu/,
    ],
    [
      "without keys",
      { facts: facts({ keys: 'command="x" ssh-ed25519 AAAA' }) },
      /none that could be declared/,
    ],
    [
      "whose id is another node's",
      { stack: { ...STACK, nodes: { other: { ...draft(given()).node } } } },
      /vmId: 2014; allowed: a value that no other node has; other/,
    ],
  ])("%s is refused", (_, changes, reason) => {
    expect(told(draft(given(changes)), "refuse").join("\n")).toMatch(reason);
  });

  test("with Docker's own disk declares that disk", () => {
    const disks = JSON.stringify({
      blockdevices: [
        {
          name: "/dev/sdb",
          type: "disk",
          fstype: "xfs",
          mountpoints: ["/var/lib/docker"],
          serial: "drive-scsi1",
        },
      ],
    });
    const mount = JSON.stringify({
      filesystems: [{ source: "/dev/sdb", fstype: "xfs", options: "rw,prjquota" }],
    });
    const { node, findings } = draft(
      given({
        hardware: hardware({ scsi1: "nvme-pool:vm-2014-disk-1,size=100G" }),
        facts: facts({ disks, mount }),
      }),
    );
    expect(findings.filter(({ kind }) => kind === "refuse")).toEqual([]);
    expect(node.machine).toMatchObject({ dockerDisk: { sizeGiB: 100, datastore: "nvme-pool" } });
  });

  test("names what the next up does to the machine", () => {
    const odd = hardware({
      memory: "current=2000",
      scsi0: "nvme-pool:vm-2014-disk-0,size=3584M",
      startup: "order=1",
    });
    const { node, findings } = draft(
      given({
        hardware: { ...odd, config: { ...odd.config, cpu: "" } },
        facts: facts({ holds: "" }),
      }),
    );
    expect(told({ node, findings }, "change")).toEqual([
      expect.stringMatching(/^CPU type: /),
      expect.stringMatching(/^memory: 2000 MiB .* 2 GiB, which needs a reboot/),
      expect.stringMatching(/^scsi0: grows from 3.5 to 4 GiB/),
      expect.stringMatching(/^start order: is order=1/),
      expect.stringMatching(/^packages: docker.io and what belongs to it get held/),
      expect.stringMatching(/^sshd: /),
      expect.stringMatching(/^protection: /),
    ]);
  });

  test("writes a complete start order, but not the default one", () => {
    const startup = (text: string): unknown =>
      (draft(given({ hardware: hardware({ startup: text }) })).node.machine as Tree).startup;
    expect(startup("order=5,up=10,down=60")).toEqual({
      order: 5,
      upDelaySeconds: 10,
      downDelaySeconds: 60,
    });
    expect(startup("order=20,up=30,down=120")).toBeUndefined();
  });

  test("takes Docker's own packages by their release, and says which are missing", () => {
    const packages =
      "installed docker-ce 5:29.10.0-1~ubuntu.24.04~noble\ninstalled docker-ce-cli 5:29.10.0-1~ubuntu.24.04~noble\ninstalled containerd.io 2.1.0-1";
    const found = draft(given({ facts: facts({ packages, holds: "docker-ce" }) }));
    expect(found.node.engine).toMatchObject({ version: "29.10.0" });
    expect(told(found, "change").join()).toMatch(
      /docker-buildx-plugin, docker-compose-plugin get installed/,
    );
    expect(upstreamOf("26.1.5+dfsg1-9+b4")).toBe("26.1.5");
  });
});

describe("networks", () => {
  const [bridge] = facts().networks;
  const network = (changes: object): string =>
    JSON.stringify({ ...bridge, Name: "lan", Id: "d".repeat(64), ...changes });
  const drafted = (...all: string[]): Draft =>
    draft(given({ facts: facts({ networks: all.join("\n") }) }));
  const pool = {
    Subnet: "10.25.30.0/24",
    Gateway: "10.25.30.1",
    IPRange: "10.25.30.128/25",
    AuxiliaryAddresses: { router: "10.25.30.129" },
  };

  test.each([
    ["macvlan", {}],
    ["macvlan", { macvlan_mode: "bridge" }],
    ["ipvlan", {}],
    ["ipvlan", { ipvlan_mode: "l2", ipvlan_flag: "bridge" }],
  ])("of %s with %j is declared with parent, VLAN and reserved addresses", (driver, mode) => {
    const { node } = drafted(
      network({
        Driver: driver,
        Options: { parent: "eth0.30", ...mode },
        IPAM: { Driver: "default", Config: [pool] },
      }),
    );
    expect((node.networks as Tree).lan).toEqual({
      driver,
      parent: "eth0",
      vlan: 30,
      subnet: "10.25.30.0/24",
      gateway: "10.25.30.1",
      range: "10.25.30.128/25",
      excluded: { router: "10.25.30.129" },
    });
  });

  const over6 = { Subnet: "fd25:28::/64", Gateway: "fd25:28::1" };

  test("with IPv6 is declared with both subnets", () => {
    const Config = [{ Subnet: "172.20.0.0/24" }, over6];
    const networks = network({ EnableIPv6: true, IPAM: { Driver: "default", Config } });
    const packages = "installed docker-ce 5:29.10.0-1~ubuntu.24.04~noble";
    const { node } = draft(given({ facts: facts({ packages, networks }) }));
    expect((node.networks as Tree).lan).toEqual({
      isolated: true,
      subnet: "172.20.0.0/24",
      ipv6: { subnet: "fd25:28::/64", gateway: "fd25:28::1" },
    });
  });

  test("of macvlan with IPv6 is declared with ranges and reserved addresses of both", () => {
    const more = { IPRange: "fd25:28::8000/113", AuxiliaryAddresses: { nas: "fd25:28::8009" } };
    const { node } = drafted(
      network({
        ...{ Driver: "macvlan", EnableIPv6: true, Options: { parent: "eth0" } },
        IPAM: { Driver: "default", Config: [pool, { ...over6, ...more }] },
      }),
    );
    expect((node.networks as Tree).lan).toMatchObject({
      range: "10.25.30.128/25",
      ipv6: {
        subnet: "fd25:28::/64",
        gateway: "fd25:28::1",
        range: "fd25:28::8000/113",
        excluded: { nas: "fd25:28::8009" },
      },
    });
  });

  test("a bridge of which Docker 29.0 tells empty fields is declared without them", () => {
    const Config = [{ Subnet: "172.20.0.0/24", IPRange: "", Gateway: "", AuxiliaryAddresses: {} }];
    const { node } = drafted(network({ IPAM: { Driver: "default", Config } }));
    expect((node.networks as Tree).lan).toEqual({ isolated: true, subnet: "172.20.0.0/24" });
  });

  test("a bridge is declared with its MTU", () => {
    const { node } = drafted(network({ Options: { "com.docker.network.driver.mtu": "9000" } }));
    expect((node.networks as Tree).lan).toMatchObject({ mtu: 9000 });
  });

  test.each<[string, object, RegExp]>([
    ["another driver", { Driver: "overlay" }, /driver overlay/],
    [
      "an ipvlan that routes",
      { Driver: "ipvlan", Options: { parent: "eth0", ipvlan_mode: "l3" } },
      /ipvlan mode l3/,
    ],
    [
      "a private ipvlan",
      { Driver: "ipvlan", Options: { parent: "eth0", ipvlan_flag: "private" } },
      /ipvlan flag private/,
    ],
    ["a swarm's", { Scope: "swarm" }, /scope swarm/],
    ["IPv6 without a subnet", { EnableIPv6: true }, /1 IPv4 and 0 IPv6 subnets/],
    [
      "IPv6 of a Docker that does not filter it",
      {
        EnableIPv6: true,
        IPAM: { Driver: "default", Config: [{ Subnet: "172.20.0.0/24" }, over6] },
      },
      /needs Docker 27 or later/,
    ],
    [
      "a network of IPv6 alone",
      { EnableIPv6: true, IPAM: { Driver: "default", Config: [over6] } },
      /0 IPv4 and 1 IPv6 subnets/,
    ],
    [
      "an IPv6 subnet that is switched off",
      { IPAM: { Driver: "default", Config: [{ Subnet: "172.20.0.0/24" }, over6] } },
      /2 subnets/,
    ],
    [
      "an IPv6 subnet in another spelling",
      {
        EnableIPv6: true,
        IPAM: {
          Driver: "default",
          Config: [{ Subnet: "172.20.0.0/24" }, { Subnet: "FD25:28:0::/64" }],
        },
      },
      /cannot be declared: allowed is the network itself, .*: fd25:28::\/64/,
    ],
    [
      "a macvlan without IPv6 gateway",
      {
        ...{ EnableIPv6: true, Driver: "macvlan", Options: { parent: "eth0" } },
        IPAM: {
          Driver: "default",
          Config: [{ Subnet: "10.25.30.0/24", Gateway: "10.25.30.1" }, { Subnet: "fd25:28::/64" }],
        },
      },
      /cannot be declared/,
    ],
    [
      "an option nobody knows",
      { Options: { "com.docker.network.bridge.name": "br0" } },
      /option com.docker.network.bridge.name/,
    ],
    [
      "an MTU that cannot be declared",
      { Options: { "com.docker.network.driver.mtu": "0" } },
      /cannot be declared: allowed is at least 68/,
    ],
    [
      "an MTU that Docker does not give a macvlan",
      { Driver: "macvlan", Options: { parent: "eth0", "com.docker.network.driver.mtu": "9000" } },
      /option com.docker.network.driver.mtu/,
    ],
    ["two subnets", { IPAM: { Driver: "default", Config: [pool, pool] } }, /2 subnets/],
    [
      "a bridge with a range",
      { IPAM: { Driver: "default", Config: [pool] } },
      /a range or reserved/,
    ],
    [
      "a private macvlan",
      { Driver: "macvlan", Options: { parent: "eth0", macvlan_mode: "private" } },
      /macvlan mode private/,
    ],
    [
      "a macvlan without gateway",
      {
        Driver: "macvlan",
        Options: { parent: "eth0" },
        IPAM: { Driver: "default", Config: [{ Subnet: "10.25.30.0/24" }] },
      },
      /cannot be declared/,
    ],
  ])("%s is left alone", (_, changes, reason) => {
    const found = drafted(network(changes));
    expect(found.node).not.toHaveProperty("networks");
    expect(told(found, "leave").join("\n")).toMatch(new RegExp(`network lan: .*${reason.source}`));
    expect(told(found, "refuse")).toEqual([]);
  });
});

describe("the agent", () => {
  const [agent] = facts().containers.filter(({ name }) => name === "/portainer_agent");
  const drafted = (changes: object, portainer: Given["portainer"] = given().portainer): Draft =>
    draft(
      given({ facts: facts({ containers: JSON.stringify({ ...agent, ...changes }) }), portainer }),
    );

  test("is kept, and what would be different is said", () => {
    const found = drafted({ environment: [] });
    expect(found.node.adopt).toMatchObject({ agent: agent?.id });
    expect(told(found, "leave").join("\n")).toMatch(
      /portainer_agent: would be replaced to be as declared \(image .*; port on every address; not in the host's user namespace; no AGENT_SECRET\)/,
    );
  });

  test("is pinned to the image it runs, unless the stack has another", () => {
    const bare = { ...STACK, defaults: { ssh: { privateKeyFile: "~/.ssh/key" } } };
    const { node } = draft(given({ stack: bare, portainer: { server: "10.25.10.11" } }));
    expect(node.portainer).toMatchObject({
      agent: {
        image: expect.stringMatching(/agent:2.33.5-standin@sha256:[0-9a-f]{64}$/) as unknown,
      },
    });
  });

  test.each<[string, object, Given["portainer"] | undefined, RegExp]>([
    ["stopped", { running: false }, undefined, /does not run/],
    ["of an unknown server", {}, { image: AGENT }, /--portainer ADDRESS/],
    [
      "of no known version",
      { image: "portainer/agent:latest" },
      { server: "10.25.10.11" },
      /no version or no digest/,
    ],
    ["that publishes no port", { ports: {} }, undefined, /9001 is not published/],
  ])("%s is left alone", (_, changes, portainer, reason) => {
    const found = drafted(changes, portainer);
    expect(told(found, "leave").join("\n")).toMatch(reason);
    expect(found.node.adopt).not.toHaveProperty("agent");
    expect(found.node.portainer).toBeNull();
  });
});

describe("as little configuration as possible", () => {
  const tree = fc.letrec<{ tree: Tree; value: unknown }>((tie) => ({
    tree: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { maxKeys: 3 }),
    value: fc.oneof({ depthSize: "small" }, fc.integer(), fc.array(fc.integer()), tie("tree")),
  })).tree;

  /** Empty maps, or none: the same to the configuration, whose sections have defaults. */
  const pruned = (value: unknown): unknown =>
    isTree(value)
      ? Object.fromEntries(
          Object.entries(value)
            .map(([key, item]) => [key, pruned(item)] as const)
            .filter(([, item]) => !(isTree(item) && Object.keys(item).length === 0)),
        )
      : value;

  test("merged over the defaults, it says exactly what was found", () => {
    fc.assert(
      fc.property(tree, tree, (base, found) => {
        const merged = merge(base, withoutDefaults(base, pinExactly(base, found)));
        expect(pruned(merged)).toEqual(pruned(found));
      }),
      { numRuns: 2000 },
    );
  });

  test("and is empty if they agree", () => {
    fc.assert(fc.property(tree, (base) => Object.keys(withoutDefaults(base, base)).length === 0));
  });

  test("undefined leaves a default standing, null removes it", () => {
    expect(withoutDefaults({ a: 1, b: 2 }, { a: undefined, b: null, c: null })).toEqual({
      b: null,
    });
  });
});

describe("the stack's file", () => {
  const node = { machine: { vmId: 2014 }, networks: {} };
  const prod = readFileSync(join(__dirname, "../../Pulumi.prod.yaml"), "utf8");
  const nodes = (text: string): unknown =>
    (parse(text) as { config: Tree }).config["docker-node:nodes"];

  test("gets the node after the others; everything else stays exactly as it is", () => {
    const after = addNode(prod, "proj-docker01", node);
    expect(after.startsWith(prod)).toBe(true);
    expect(nodes(after)).toEqual({ ...(nodes(prod) as Tree), "proj-docker01": node });
  });

  test("keeps comments and keys that follow", () => {
    const text =
      "# head\nconfig:\n    docker-node:nodes: # nodes\n        a: { x: 1 } # one\n        # more\n    other: 1 # tail\n";
    const after = addNode(text, "b", node);
    expect(text.split("\n").filter((line) => !after.split("\n").includes(line))).toEqual([]);
    expect(parse(after)).toEqual({
      config: { "docker-node:nodes": { a: { x: 1 }, b: node }, other: 1 },
    });
  });

  test.each([
    "",
    "encryptionsalt: v1\n",
    "config:\n  docker-node:proxmox: { a: b }",
    "config:\n  docker-node:nodes:\n    a:\n      text: |\n        two\n        lines\n",
  ])("%j takes one too", (text) => {
    const after = addNode(text, "b", node);
    expect(after.startsWith(text)).toBe(true);
    expect(nodes(after)).toMatchObject({ b: node });
  });

  test("has it already: the same is no change, another one is refused", () => {
    const after = addNode(prod, "proj-docker01", node);
    expect(addNode(after, "proj-docker01", { ...node })).toBe(after);
    expect(() => addNode(after, "proj-docker01", { machine: {} })).toThrow(NodeExists);
  });

  test.each([
    "config:\n  docker-node:nodes: '{}'\n",
    "config:\n  docker-node:nodes: { a: {} }\n",
    "config: {}\n",
  ])("%j is refused", (text) => {
    expect(() => addNode(text, "b", node)).toThrow(/(docker-node:nodes|config) is/);
  });
});

describe("reading", () => {
  const cluster = (answers: Record<string, unknown>): Cluster => ({
    get: (path) =>
      path in answers
        ? Promise.resolve(answers[path])
        : Promise.reject(new ClusterError(403, "Permission check failed")),
  });
  const guests = [
    { vmid: 2014, type: "qemu", name: "proj-docker01", node: "pve01", status: "running" },
    { vmid: 300, type: "lxc", node: "pve01", status: "running" },
  ];
  const LIST = "/cluster/resources?type=vm";

  test("the VM from Proxmox", async () => {
    const path = "/nodes/pve01/qemu/2014";
    const answers = {
      [LIST]: guests,
      [`${path}/config`]: CONFIG,
      [`${path}/firewall/rules`]: [{}],
    };
    expect(await readHardware(cluster(answers), 2014)).toEqual(hardware({}, { firewallRules: 1 }));
    await expect(readHardware(cluster(answers), 2015)).rejects.toThrow(
      "no VM 2015 that the token may see; it sees: 2014 proj-docker01, 300",
    );
    await expect(readHardware(cluster(answers), 300)).rejects.toThrow("300 is a container (lxc)");
    await expect(readHardware(cluster({ [LIST]: guests }), 2014)).rejects.toThrow(
      `GET ${path}/config: Permission check failed (403)`,
    );
  });

  test("property strings and sizes", () => {
    expect(parseOptions("virtio=AA,bridge=vmbr0")).toEqual({ virtio: "AA", bridge: "vmbr0" });
    expect(parseOptions(undefined)).toEqual({});
    expect([
      toGibibytes("132G"),
      toGibibytes("512M"),
      toGibibytes("1T"),
      toGibibytes(undefined),
    ]).toEqual([132, 0.5, 1024, undefined]);
    expect([addressIn(hardware()), addressIn(hardware({ ipconfig0: "ip=dhcp" }))]).toEqual([
      "10.25.20.23",
      undefined,
    ]);
  });

  test("an answer that breaks off is an error", () => {
    const { end, ...cut } = RECORDED;
    expect(end).toBe("");
    expect(() => parseFacts(wire(cut))).toThrow("incomplete");
  });

  test("SSH targets", () => {
    expect(parseTarget("10.25.20.24", "ubuntu")).toEqual({
      user: "ubuntu",
      host: "10.25.20.24",
      port: 22,
    });
    expect(parseTarget("admin@node:2222", "ubuntu")).toEqual({
      user: "admin",
      host: "node",
      port: 2222,
    });
    for (const bad of ["", "a b", "-oProxyCommand=x@", "node:0", "node:99999"])
      expect(() => parseTarget(bad, "ubuntu")).toThrow("allowed is user@host:port");
  });

  test("host keys", async () => {
    // ssh-keygen -lf of the same key.
    expect(
      fingerprintOf(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJj+VxKV8xLBPJHyXJLlH+/ge3udeQ/DUUXouMhOoBFG",
      ),
    ).toMatch(/^SHA256:[\w+/]{43}$/);
    const target = { user: "u", host: "node", port: 22 };
    const says =
      (stdout: string, code: number | undefined = 0) =>
      () =>
        Promise.resolve({ code, stdout, stderr: "" });
    expect(await scanHostKey(target, says("# node\n[node]:22 ssh-ed25519 AAAA\n"))).toBe(
      "ssh-ed25519 AAAA",
    );
    await expect(scanHostKey(target, says(""))).rejects.toThrow(
      "no sshd with an ed25519 host key answers at node:22",
    );
    await expect(
      scanHostKey(target, () => Promise.resolve({ code: undefined, stdout: "", stderr: "" })),
    ).rejects.toThrow("ssh-keyscan is missing");
  });

  test("what the stack's nodes have in common", () => {
    const prod = stackFile("prod");
    expect(sshOf(prod)).toEqual({ user: "ubuntu", privateKeyFile: "~/.ssh/docker-node_ed25519" });
    expect(portainerOf(prod).server).toBe("10.25.10.11");
    expect(portainerOf(prod, "10.0.0.1").server).toBe("10.0.0.1");
    const two = {
      ...prod,
      nodes: { a: { portainer: { server: "1" } }, b: { portainer: { server: "2" } } },
    };
    expect(portainerOf(two).server).toBeUndefined();
  });

  test("a stack without endpoint or token says how to mend it", async () => {
    const says = (values: unknown) => () =>
      Promise.resolve({ code: 0, stdout: JSON.stringify(values), stderr: "" });
    await expect(readStack(says({}), "prod", ".")).rejects.toThrow("proxmox: missing");
    const proxmox = { objectValue: STACK.proxmox };
    await expect(readStack(says({ "docker-node:proxmox": proxmox }), "prod", ".")).rejects.toThrow(
      "pulumi config set --secret docker-node:proxmoxApiToken",
    );
  });
});

describe("the command line", () => {
  const run = async (...args: string[]): Promise<[number, string]> => {
    const lines: string[] = [];
    const ask = (): Promise<boolean> => Promise.resolve(false);
    const print = (text: string): void => void lines.push(text);
    const status = await runCommandLine(["import", ...args], { print, warn: print, ask });
    return [status, lines.join("\n")];
  };

  test.each([[], ["abc"], ["99"], ["2014", "2019"], ["2014", "--nonsense"]])(
    "%j %j is wrong usage",
    async (...args) => {
      const [status, said] = await run(...(args as string[]));
      expect(status).toBe(2);
      expect(said).toMatch(/^error: .*\nHow to use it: npx docker-node import --help$/);
    },
  );

  test("help", async () => {
    expect(await run("--help")).toEqual([0, expect.stringContaining("--portainer <address>")]);
  });

  test("a host key that the configuration refuses is not written", () => {
    expect(() => requireKey("ssh-rsa AAAAB3 node")).toThrow(
      "--host-key ssh-rsa AAAAB3 node: allowed is the node's ed25519 host key",
    );
    expect(requireKey("ssh-ed25519 AAAA node")).toBe("ssh-ed25519 AAAA");
  });

  test("a cluster that does not answer is named, and nothing is written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "import-"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    server.close();
    const text = `config:\n  docker-node:proxmox: { endpoint: "https://127.0.0.1:${port}/" }\n  docker-node:proxmoxApiToken: a@pve!b=c\n`;
    writeFileSync(join(folder, "Pulumi.x.yaml"), text);
    const [status, said] = await run("2014", "--stack", "x", "--cwd", folder);
    expect([status, readFileSync(join(folder, "Pulumi.x.yaml"), "utf8")]).toEqual([1, text]);
    expect(said).toMatch(/GET \/cluster\/resources\?type=vm: .*ECONNREFUSED/);
    rmSync(folder, { recursive: true });
  });
});
