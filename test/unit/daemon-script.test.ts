import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DOCKER0_KEYS, reloadableKeys } from "../../config/daemon";
import {
  changes,
  done,
  fake,
  forget,
  has,
  home,
  node,
  read,
  refused,
  run,
  script,
  scripts,
  textOf,
  useNode,
  write,
} from "../support/node";

// What node/daemon.sh makes of what dockerd says. The fake dockerd takes over at a reload what moby's does, and refuses a file with
// "refused-at-reload" in it as moby's does: in its journal, and goes on with the earlier one.

useNode();

const file = node("docker/daemon.json");
const base = { "live-restore": true, "log-driver": "json-file" };
const refusing = { ...base, "registry-mirrors": ["https://refused-at-reload"] };

const daemon = (json: object, variables: Record<string, string> = {}) =>
  script("daemon", {
    DAEMON_JSON: JSON.stringify(json),
    RELOADABLE: reloadableKeys(json).join(" "),
    DOCKER0_KEYS: DOCKER0_KEYS.join(" "),
    ...variables,
  });
const running = (json: object = base) => {
  write(file, JSON.stringify(json));
  fake("loaded", JSON.stringify(json).replaceAll('":', '": '));
  fake("service", "active");
  fake("containers", "c1 /web 100 2026-01-01T00:00:00Z\n");
};
const inForce = (): unknown => JSON.parse(read("fake/loaded"));

beforeEach(() => {
  fake("service", "inactive");
  fake("mounts", "/ /dev/vda1 ext4 rw 1\n");
  fake("passwd");
  mkdirSync(join(home, "root/var/lib"), { recursive: true });
});

describe("its parts", () => {
  const files = readdirSync(join(scripts, "daemon"));

  test.each(files)("%s is short and only defines functions", (name) => {
    const lines = readFileSync(join(scripts, "daemon", name), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.length).toBeLessThanOrEqual(160);
    expect(lines[0]).toBe("# shellcheck shell=bash");
    const lengths = lines.flatMap((line, start) =>
      /^\w+\(\) \{/.test(line) ? [lines.indexOf("}", start) - start - 1] : [],
    );
    expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(25);
  });
});

test("a dockerd that answers late is not started again", () => {
  running();
  fake("busy", "2");
  done(daemon(base, { HEALTH_TIMEOUT: "60" }));
  expect(changes()).toEqual([]);
  fake("busy", "1000000");
  refused(daemon(base), "the daemon is down, its configuration unchanged");
  expect(changes()).toEqual(["systemctl restart docker"]);
});

describe("success of a reload is what dockerd says", () => {
  test("a file that dockerd refuses at the reload is rolled back, with dockerd's reason", () => {
    running();
    const result = daemon(refusing);
    refused(
      result,
      /^docker-node: daemon: rolled back: level=error msg="Error reconfiguring the daemon" error="invalid mirror: refused-at-reload"/,
    );
    expect(JSON.parse(read(file))).toEqual(base);
    expect(inForce()).toEqual(base);
    expect(changes()).toEqual(["systemctl reload docker", "systemctl restart docker"]);
    forget();
    done(daemon(base));
    expect(changes()).toEqual([]);
  });

  test("containers that would not outlive a restart are not restarted for it", () => {
    const plain = { "log-driver": "json-file" };
    running(plain);
    refused(
      daemon({ ...plain, "registry-mirrors": ["https://refused-at-reload"] }),
      "rolled back: ",
    );
    expect(JSON.parse(read(file))).toEqual(plain);
    expect(changes()).toEqual(["systemctl reload docker", "systemctl reload docker"]);
  });

  test("without a message from dockerd the reload counts as failed", () => {
    running();
    fake("silent");
    refused(
      daemon({ ...base, debug: true }),
      "rolled back: the daemon did not confirm the new configuration",
    );
    expect(JSON.parse(read(file))).toEqual(base);
  });

  test("a message from before the signal does not count as the answer", () => {
    running();
    fake("journal", '1700000000.000001 level=error msg="Error reconfiguring the daemon"\n');
    done(daemon({ ...base, debug: true }));
  });

  test("an event from before the signal does not count either", () => {
    running();
    fake("silent");
    fake("events", "1700000000.000001 reload\n");
    refused(daemon({ ...base, debug: true }), "rolled back: ");
  });

  test("a restart is rolled back too if dockerd then runs with other values", () => {
    running();
    fake("reads-another-file");
    const result = daemon({ ...base, "log-driver": "local" });
    refused(result, 'rolled back: log-driver: "local" as declared, dockerd has "json-file"');
    expect(JSON.parse(read(file))).toEqual(base);
  });

  test("values are compared in the form in which dockerd reports them", () => {
    running();
    const json = {
      ...base,
      debug: true,
      labels: ["b=2", "a=1"],
      "insecure-registries": ["10.9.8.7/8", "registry:5000", "127.0.0.0/8"],
      "registry-mirrors": ["https://mirror.example.org", "http://10.25.10.4:5000/"],
      runtimes: { crun: { path: "bash" } },
      "default-runtime": "crun",
    };
    const told = { ...json, "insecure-registries": ["10.0.0.0/8", "registry:5000"] };
    fake("reads-another-file");
    fake("loaded", JSON.stringify(told).replaceAll('":', '": '));
    done(daemon({ ...json, "no-new-privileges": true }));
  });

  test("a key that is in no file and that a reload left in force is reported, and nothing restarts", () => {
    running();
    fake("loaded", JSON.stringify({ ...base, "insecure-registries": ["old.example.org"] }));
    const result = daemon(base);
    done(result);
    expect(changes()).toEqual([]);
    expect(result.stderr).toMatch(
      /until it starts again: insecure-registries: \[\] as declared, dockerd has \["old\.example\.org"\]\n$/,
    );
  });

  test("an unchanged file that is not in effect is reported, and nothing restarts", () => {
    running();
    write(file, JSON.stringify({ ...base, debug: true, "log-driver": "local" }));
    const result = daemon({ ...base, debug: true, "log-driver": "local" });
    done(result);
    expect(changes()).toEqual([]);
    expect(result.stderr).toBe(
      'docker-node: daemon: the daemon runs with other values, until it starts again: debug: true as declared, dockerd has false; log-driver: "local" as declared, dockerd has "json-file"\n',
    );
  });
});

test("an attempt never takes longer than its limit", () => {
  // systemd needs a second for the start, and the daemon never answers.
  const slow = "timeout() { sleep 1; }; up_or_down() { false; }; POLL_SECONDS=0.1 SECONDS=0";
  const text = ["lib", "daemon/config", "daemon/service"].map((name) =>
    readFileSync(join(scripts, `${name}.sh`), "utf8"),
  );
  const { stdout } = run(`${text.join("")}\n${slow}\nrestart || echo $SECONDS`, {
    HEALTH_TIMEOUT: "4",
  });
  expect(Number(stdout)).toBeGreaterThanOrEqual(4);
  expect(Number(stdout)).toBeLessThan(7);
});

describe("a key that is taken out", () => {
  test.each<[string, unknown, object?]>([
    ["live-restore", true, { "log-driver": "json-file" }],
    ["insecure-registries", ["registry.example.org"]],
    ["registry-mirrors", ["https://mirror.example.org"]],
    ["debug", true],
    ["labels", ["a=b"]],
    ["shutdown-timeout", 60],
    ["runtimes", { crun: { path: "bash" } }],
  ])("%s is not in force afterwards", (key, value, rest = base) => {
    running({ ...rest, [key]: value });
    done(daemon(rest));
    expect(changes()).toEqual(["systemctl restart docker"]);
    expect(inForce()).toEqual(rest);
  });

  test("another value is a reload, and so is an empty list", () => {
    running({ ...base, "insecure-registries": ["a.example.org", "b.example.org"] });
    done(daemon({ ...base, "insecure-registries": ["a.example.org"] }));
    done(daemon({ ...base, "insecure-registries": [] }));
    expect(changes()).toEqual(["systemctl reload docker", "systemctl reload docker"]);
    expect(inForce()).toEqual({ ...base, "insecure-registries": [] });
  });

  test("a file with userland-proxy true is never reloaded: dockerd would refuse it", () => {
    running({ ...base, "userland-proxy": true });
    done(daemon({ ...base, "userland-proxy": true, debug: true }));
    expect(changes()).toEqual(["systemctl restart docker"]);
  });
});

describe("what has to be on the node", () => {
  test.each<[object, string]>([
    [
      { "seccomp-profile": "/etc/docker/s.json" },
      "seccomp-profile: there is no file /etc/docker/s.json on the node",
    ],
    [
      { runtimes: { nvidia: { path: "nvidia-container-runtime" } } },
      "runtimes.nvidia: there is no command nvidia-container-runtime on the node",
    ],
    [
      { runtimes: { kata: { path: "/opt/kata/bin/kata" } } },
      "runtimes.kata: there is no command /opt/kata/bin/kata on the node",
    ],
    [
      { "log-driver": "syslog", "log-opts": { "syslog-address": "unix:///dev/log" } },
      "log-opts.syslog-address: there is no socket /dev/log on the node",
    ],
    [
      { "log-driver": "syslog", "log-opts": { "syslog-tls-ca-cert": "/etc/ssl/ca.pem" } },
      "log-opts.syslog-tls-ca-cert: there is no file /etc/ssl/ca.pem on the node",
    ],
    [
      { "storage-driver": "btrfs" },
      "storage-driver btrfs needs a filesystem btrfs; /var/lib is on ext4",
    ],
  ])("%j is refused before anything is touched", (json, reason) => {
    running();
    refused(daemon({ ...base, ...json }), `docker-node: daemon: refused: ${reason}`);
    expect(JSON.parse(read(file))).toEqual(base);
    expect(changes()).toEqual([]);
  });

  test("files, commands and sockets that exist are accepted", () => {
    running();
    write("root/etc/docker/s.json", '{"defaultAction":"SCMP_ACT_ERRNO"}');
    write("root/dev/log", "");
    done(
      daemon({
        ...base,
        "seccomp-profile": "/etc/docker/s.json",
        runtimes: { crun: { path: "bash" } },
        "log-driver": "syslog",
        "log-opts": { "syslog-address": "unixgram:///dev/log" },
      }),
    );
  });

  test("a profile that is not JSON is refused", () => {
    running();
    write("root/etc/docker/s.json", "default\n");
    refused(
      daemon({ ...base, "seccomp-profile": "/etc/docker/s.json" }),
      "seccomp-profile: /etc/docker/s.json is not a JSON object",
    );
  });
});

describe("dockerd --validate", () => {
  test("a unit that names another file is refused: the one here would not be read", () => {
    running();
    fake("flags", "--config-file=/etc/other.json ");
    refused(
      daemon({ ...base, bip: "172.18.0.1/24" }),
      /does not accept this daemon.json\nthe unit has dockerd read another file: .*other.json/,
    );
    expect(changes()).toEqual([]);
  });

  test("gets the unit's flags when a backup comes back, too", () => {
    write(file, "{}");
    fake("service", "active");
    const prelude = "ACTION=restart FILES=etc/docker/daemon.json SAVED=/var/saved.tar\n";
    run(`${prelude}${textOf("recovery/platform")}`);
    expect(has("fake/calls") && read("fake/calls")).toMatch(
      /^dockerd --validate --config-file \S+daemon.json -H fd:\/\/ --containerd=\/run\/c.sock$/m,
    );
  });
});

test("docker0 that stays as it was is told for every key that describes it", () => {
  running();
  const result = daemon({ ...base, ipv6: true });
  done(result);
  expect(result.stderr).toMatch("docker0 changes when no container runs at a start");
});

describe("the address of dockerd's metrics", () => {
  const dropIn = node("systemd/system/docker.service.d/30-docker-node-metrics.conf");
  const measured = { ...base, "metrics-addr": "10.25.20.24:9323" };

  test("is waited for before each start, as long as it is declared", () => {
    running();
    done(daemon(measured));
    expect(read(dropIn)).toBe(`[Service]
ExecStartPre=/bin/sh -c 'n=0; until ip -o address show to 10.25.20.24 | grep -q . || [ $$n -ge 120 ]; do n=$$((n + 1)); sleep 1; done'
`);
    expect(changes()).toEqual(["systemctl daemon-reload", "systemctl restart docker"]);
    forget();
    done(daemon(measured));
    expect(changes()).toEqual([]);
    expect(daemon(base, { MODE: "check" }).stdout).not.toContain("30-docker-node-metrics.conf");
    done(daemon(base));
    expect(has(dropIn)).toBe(false);
  });

  test.each(["127.0.0.1:9323", "0.0.0.0:9323"])("%s is there at any time", (at) => {
    running();
    done(daemon({ ...base, "metrics-addr": at }));
    expect(has(dropIn)).toBe(false);
  });

  test("a drop-in that is gone is a difference, and comes back without a restart", () => {
    running(measured);
    expect(daemon(measured, { MODE: "check" }).stdout).toContain("30-docker-node-metrics.conf");
    done(daemon(measured));
    expect(has(dropIn)).toBe(true);
    expect(changes()).toEqual(["systemctl daemon-reload"]);
  });
});

describe("nftables: what dockerd leaves to the node", () => {
  const dropIn = node("systemd/system/docker.service.d/20-docker-node-forwarding.conf");
  const nftables = { ...base, "firewall-backend": "nftables" };
  const forward = "root/proc/sys/net/ipv4/ip_forward";

  test("forwarding, and that nothing but Docker's is forwarded, before each start", () => {
    running();
    done(daemon(nftables));
    expect(read(dropIn)).toBe(`[Service]
ExecStartPre=/usr/sbin/sysctl --quiet net.ipv4.ip_forward=1
ExecStartPre=-/usr/sbin/iptables --policy FORWARD ACCEPT
ExecStartPre=-/usr/sbin/ip6tables --policy FORWARD ACCEPT
ExecStartPre=/usr/sbin/nft 'add table inet docker-node-forward; flush table inet docker-node-forward'
ExecStartPre=/usr/sbin/nft 'add chain inet docker-node-forward forward { type filter hook forward priority filter; policy drop; }'
ExecStartPre=/usr/sbin/nft 'add rule inet docker-node-forward forward ct state established,related accept'
ExecStartPre=/usr/sbin/nft 'add rule inet docker-node-forward forward meta iifkind "bridge" accept'
ExecStartPre=/usr/sbin/nft 'add rule inet docker-node-forward forward meta oifkind "bridge" accept'
`);
    expect(changes()).toEqual(["systemctl daemon-reload", "systemctl restart docker"]);
    forget();
    done(daemon(nftables));
    expect(changes()).toEqual([]);
  });

  test("IPv6 too where docker0 has it; all is forwarded where that is declared; nothing where forwarding is not dockerd's", () => {
    running();
    done(daemon({ ...nftables, ipv6: true, "ip-forward-no-drop": true }));
    expect(read(dropIn).split("\n").slice(2, 4)).toEqual([
      "ExecStartPre=/usr/sbin/sysctl --quiet net.ipv6.conf.default.forwarding=1",
      "ExecStartPre=/usr/sbin/sysctl --quiet net.ipv6.conf.all.forwarding=1",
    ]);
    expect(read(dropIn)).not.toContain("nft");
    done(daemon({ ...nftables, "ip-forward": false }));
    expect(has(dropIn)).toBe(false);
  });

  test("back to iptables: dockerd turns forwarding on itself, and drops the rest", () => {
    running(nftables);
    write(dropIn, "[Service]\n");
    write(forward, "1\n");
    done(daemon(base));
    expect(has(dropIn)).toBe(false);
    expect(read(forward)).toBe("0\n");
    expect(changes().at(-1)).toBe("systemctl restart docker");
  });

  test.each([
    ["goes off where it was turned on, so that dockerd drops the rest there too", true, {}, "0\n"],
    ["stays where nothing here turned it on", false, {}, "1\n"],
    ["stays on a node that is a router", true, { "ip-forward-no-drop": true }, "1\n"],
  ])("back to iptables: forwarding of IPv6 %s", (_what, ipv6, more, expected) => {
    running({ ...base, ipv6 });
    const all = ["all", "default"].map((name) => `root/proc/sys/net/ipv6/conf/${name}/forwarding`);
    for (const path of [...all, forward]) write(path, "1\n");
    done(daemon({ ...nftables, ipv6 }));
    expect(read(dropIn).includes("ipv6")).toBe(ipv6);
    done(daemon({ ...base, ...more }));
    expect(all.map((path) => read(path))).toEqual([expected, expected]);
    expect(read(forward)).toBe("0\n");
    expect(changes().at(-1)).toBe("systemctl restart docker");
  });

  test("a drop-in that is gone is a difference, and comes back without a restart", () => {
    running(nftables);
    expect(daemon(nftables, { MODE: "check" }).stdout).toContain("20-docker-node-forwarding.conf");
    done(daemon(nftables));
    expect(has(dropIn)).toBe(true);
    expect(changes()).toEqual(["systemctl daemon-reload"]);
  });
});
