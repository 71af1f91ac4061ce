import { merge } from "../../config/load";
import { prodWith, problems, waived } from "../support/settings";

/* Docker's subnets may not hold what the node has to reach. */

const found = (override: unknown): string[] => problems(prodWith(override));
const swallows = (path: string, value: string, peers: string): string =>
  `nodes.proj-docker02.${path}: "${value}"; allowed: a subnet without the addresses that the node has to reach: ${peers}`;

const MANAGEMENT = "10.25.10.0/24 (network.firewall.managementNetworks)";
const BASE = "engine.daemon.default-address-pools.0.base";
const pool = (base: string, size = 24) => ({
  engine: { daemon: { bip: null, "default-address-pools": [{ base, size }] } },
});

const ENVIRONMENT = { url: "https://portainer.example.org:9443" };
const EDGE = { edge: {}, environment: ENVIRONMENT };

describe("a subnet of Docker that contains", () => {
  test("the management network and servers in it: one problem that names them all", () => {
    const peers = `${MANAGEMENT}, 10.25.10.13 (monitoring.scrapers), 10.25.10.11 (portainer.server), 10.25.10.12 (backups.server)`;
    expect(found({ networks: { lab: { subnet: "10.25.10.0/24" } } })).toEqual([
      swallows("networks.lab.subnet", "10.25.10.0/24", peers),
    ]);
    expect(found(pool("10.25.8.0/21"))).toEqual([swallows(BASE, "10.25.8.0/21", peers)]);
    const apart = [{ base: "172.20.0.0/16", size: 24 }];
    const bip = { bip: "10.25.10.1/24", "default-address-pools": apart };
    expect(found({ engine: { daemon: bip } })).toEqual([
      swallows("engine.daemon.bip", "10.25.10.1/24", peers),
    ]);
  });

  test("a part of the management network, by docker0's fixed-cidr alone", () => {
    const daemon = {
      bip: null,
      "fixed-cidr": "10.25.10.64/26",
      "default-address-pools": [{ base: "172.20.0.0/16", size: 24 }],
    };
    expect(found({ engine: { daemon } })).toEqual([
      swallows("engine.daemon.fixed-cidr", "10.25.10.64/26", MANAGEMENT),
    ]);
  });

  const url = "http://172.20.4.5:8080/x";
  test.each([
    ["a name server", { network: { dnsServers: ["172.20.4.5"] } }, "network.dnsServers"],
    ["the endpoint", { ssh: { endpoint: { host: "172.20.4.5", port: 22 } } }, "ssh.endpoint"],
    ["a mirror", { engine: { mirror: url } }, "engine.mirror"],
    ["the archive", { engine: { distributionMirror: url } }, "engine.distributionMirror"],
    ["Portainer", { portainer: { server: "172.20.4.5" } }, "portainer.server"],
    ["a Prometheus", { monitoring: { scrapers: ["172.20.4.5"] } }, "monitoring.scrapers"],
    ["the backup server", { backups: { server: { address: "172.20.4.5" } } }, "backups.server"],
    [
      "a log server",
      {
        engine: {
          daemon: {
            "log-driver": "syslog",
            "log-opts": { "syslog-address": "udp://172.20.4.5:514" },
          },
        },
      },
      "engine.daemon.log-opts",
    ],
    [
      "a log server without a scheme",
      {
        engine: {
          daemon: {
            "log-driver": "fluentd",
            "log-opts": { "fluentd-address": "172.20.4.5:24224" },
          },
        },
      },
      "engine.daemon.log-opts",
    ],
    [
      "Portainer of an Edge agent",
      { portainer: { ...EDGE, edge: { url: "https://172.20.4.5:9443" } } },
      "portainer.edge.url",
    ],
    [
      "Portainer of an Edge agent, by its environment",
      { portainer: { ...EDGE, environment: { ...ENVIRONMENT, url: "https://172.20.4.5:9443" } } },
      "portainer.environment.url",
    ],
    ["the primary", { primary: { address: "172.20.4.5" } }, "primary"],
    [
      "a registry mirror",
      { engine: { daemon: { "registry-mirrors": ["https://172.20.4.5"] } } },
      "engine.daemon.registry-mirrors",
    ],
    [
      "a rule's source",
      { network: { firewall: { rules: [{ source: "172.20.4.5", port: "443" }] } } },
      "network.firewall.rules",
    ],
  ])("%s", (_what, override, path) => {
    expect(found(merge(pool("172.20.0.0/16"), override))).toEqual([
      swallows(BASE, "172.20.0.0/16", `172.20.4.5 (${path})`),
    ]);
  });

  test("the registry of an image", () => {
    const image = `172.20.4.5:5000/backup:1.0@sha256:${"a".repeat(64)}`;
    expect(found(merge(pool("172.20.0.0/16"), { backups: { image } }))).toContain(
      swallows(BASE, "172.20.0.0/16", "172.20.4.5 (images)"),
    );
  });

  test("a primary that is named, by its address", () => {
    const raw = prodWith({ primary: "proj-docker01" });
    const network = { address: "172.18.7.5/24", gateway: "172.18.7.1", dnsServers: ["172.18.7.1"] };
    const other = {
      machine: { vmId: 2014 },
      network,
      engine: { daemon: { bip: null, "default-address-pools": null } },
    };
    const nodes = { ...(raw.nodes as object), "proj-docker01": other };
    const line = swallows(BASE, "172.18.0.0/16", "172.18.7.5 (primary)");
    expect(problems({ ...raw, nodes })).toContain(line.replace(/^nodes.proj-docker02/, "defaults"));
  });

  test("an IPv6 mirror", () => {
    const engine = {
      mirror: "http://[fd00:20::5]/docker",
      daemon: { "fixed-cidr-v6": "fd00:20::/64" },
    };
    expect(found({ engine: merge({ daemon: { ipv6: true } }, engine) })).toEqual([
      swallows("engine.daemon.fixed-cidr-v6", "fd00:20::/64", "fd00:20::5 (engine.mirror)"),
    ]);
  });

  test("IPv6 sources and name servers, but for a source that is the whole private block", () => {
    const engine = { daemon: { ipv6: true, "fixed-cidr-v6": "fd25:18::/64" } };
    const network = {
      ipv6: { address: "fd25:10::19/64" },
      dnsServers: ["fd25:18::53"],
      firewall: { managementNetworks: ["10.0.0.0/8", "fd25:18::/48", "fd00::/8"] },
    };
    expect(found({ engine, network })).toEqual([
      swallows(
        "engine.daemon.fixed-cidr-v6",
        "fd25:18::/64",
        "fd25:18::53 (network.dnsServers), fd25:18::/48 (network.firewall.managementNetworks)",
      ),
    ]);
  });

  test("a peer, though another field of the node cannot be read", () => {
    const override = {
      network: { dnsServers: ["x"] },
      networks: { lab: { subnet: "10.25.10.0/25" } },
    };
    expect(found(override)).toEqual([
      expect.stringMatching(/dnsServers.0: "x"/),
      swallows(
        "networks.lab.subnet",
        "10.25.10.0/25",
        `${MANAGEMENT}, 10.25.10.13 (monitoring.scrapers), 10.25.10.11 (portainer.server), 10.25.10.12 (backups.server)`,
      ),
    ]);
  });
});

describe.each(["macvlan", "ipvlan"])("a %s that would give to a container what is", (driver) => {
  const own = "10.25.20.0/24";
  const lan = (more: object = {}): object => ({
    networks: {
      lan: { driver, parent: "eth0", subnet: own, gateway: "10.25.20.1", ...more },
    },
  });
  const handsOut = (peer: string): string =>
    `nodes.proj-docker02.networks.lan.excluded: {}; allowed: with ${peer}, or a range without: Docker would give it to a container`;

  test.each([
    [
      "a name server's",
      { network: { dnsServers: ["10.25.20.53"] } },
      "10.25.20.53 (network.dnsServers)",
    ],
    ["the primary's", { primary: { address: "10.25.20.54" } }, "10.25.20.54 (primary)"],
    ["a gateway's", { network: { gateway: "10.25.20.2" } }, "10.25.20.2 (network.gateway)"],
    ["Portainer's", { portainer: { server: "10.25.20.55" } }, "10.25.20.55 (portainer.server)"],
    [
      "the backup server's",
      { backups: { server: { address: "10.25.20.56" } } },
      "10.25.20.56 (backups.server)",
    ],
  ])("%s", (_what, override, peer) => {
    expect(found(merge(lan(), override))).toEqual([handsOut(peer)]);
  });

  test("another node's, of the same stack", () => {
    const raw = prodWith(lan());
    const other = {
      machine: { vmId: 2014 },
      network: { address: "10.25.20.14/24" },
      networks: null,
    };
    const nodes = { ...(raw.nodes as object), "proj-docker01": other };
    expect(problems({ ...raw, nodes })).toEqual([handsOut("10.25.20.14 (another node)")]);
  });

  test.each([
    { excluded: { resolver: "10.25.20.53" } },
    { range: "10.25.20.128/25" },
    { subnet: "10.25.30.0/24", gateway: "10.25.30.1" },
  ])("is right with %j", (more) => {
    const network = { dnsServers: ["10.25.20.53"] };
    expect(found(merge(lan(more), { network }))).toEqual([]);
  });
});

describe("accepted", () => {
  test.each(["172.16.0.0/12", "172.0.0.0/8", "0.0.0.0/0"])(
    "%s as a source, though Docker's subnets lie in it: it says who may come",
    (source) => {
      const firewall = { managementNetworks: [source], rules: [{ source, port: "443" }] };
      expect(problems(waived(prodWith({ network: { firewall } })))).toEqual([]);
    },
  );

  test.each(["macvlan", "ipvlan"])(
    "%s that contains a peer, for the node has no route to it",
    (driver) => {
      const lan = { driver, parent: "eth0", vlan: 10, subnet: "10.25.10.0/24" };
      const apart = { gateway: "10.25.10.1", range: "10.25.10.128/25" };
      const networks = { lan: { ...lan, ...apart } };
      expect(problems(waived(prodWith({ networks })))).toEqual([]);
    },
  );

  test("Portainer's URL where only the workstation goes there, and a log server that is a socket", () => {
    const portainer = { environment: { url: "https://172.18.4.5:9443" } };
    const daemon = {
      "log-driver": "syslog",
      "log-opts": { "syslog-address": "unixgram:///dev/log" },
    };
    expect(found({ portainer, engine: { daemon } })).toEqual([]);
  });

  test.each(["172.18.0.1", "172.19.0.1"])("a log server at the bridge's own %s", (address) => {
    const logs = { "syslog-address": `udp://${address}:514` };
    const daemon = { "log-driver": "syslog", "log-opts": logs };
    expect(found({ engine: { daemon } })).toEqual([]);
  });

  test("a name server for containers that is a container itself", () => {
    expect(found({ engine: { daemon: { dns: ["172.18.0.1"] } } })).toEqual([]);
  });

  test("a pool on the node's own network is reported once", () => {
    expect(found(pool("10.25.0.0/16"))).toEqual([expect.stringMatching(/the node's network$/)]);
  });
});
