import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isUnconfirmed, openingsIn, renderRules, rulesId, sshSources } from "../../node/firewall";
import { renderScript } from "../../node/scripts";
import { confirmFirewallStep, firewallStep } from "../../node/steps";
import { withRepairs } from "../../node/stdin";
import {
  changes,
  done,
  fake,
  forget,
  has,
  home,
  read,
  refused,
  script,
  useNode,
  write,
  type Result,
} from "../support/node";
import { prodNode } from "../support/settings";

/** `node/firewall.sh` and `node/firewall/confirm.sh` in real bash, nft and systemd played. With real packets: firewall-packets.test.ts. */

const RULES_FILE = "root/etc/docker-node/firewall.nft";
const STATE = "root/var/lib/docker-node/firewall";
const RUN = "root/run/docker-node/firewall";
const HERE = "10.25.10.5 5001 10.25.20.24 22";
const AGAIN = "10.25.10.5 5002 10.25.20.24 22";

const declare = (firewall: object = {}) => prodNode({ monitoring: null, network: { firewall } });
const wider = declare({ rules: [{ port: "443", comment: "web's" }] });
const given = (variables: object): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]));
const load = (node = declare(), over: Record<string, string> = {}): Result =>
  script("firewall", { ...given(firewallStep(node).variables), SSH_CONNECTION: HERE, ...over });
const confirm = (node = declare(), SSH_CONNECTION = AGAIN): Result =>
  script("firewall/confirm", { ...given(confirmFirewallStep(node).variables), SSH_CONNECTION });
const inForce = (): string => (has("fake/table") ? read("fake/table").trim() : "");

/** Paths of the node, and what is in them. */
function tree(): Record<string, string> {
  const paths = readdirSync(join(home, "root"), { recursive: true, encoding: "utf8" });
  const files = paths.filter((path) => statSync(join(home, "root", path)).isFile());
  return Object.fromEntries(files.sort().map((path) => [path, read(`root/${path}`)]));
}

describe("the rules", () => {
  test("are those of the NIC, by original port, with what IPv4 and IPv6 cannot do without", () => {
    const rules = [
      { port: "443", comment: "web's" },
      { port: "8000:8010", source: "10.25.0.0/16" },
      { proto: "udp", port: "53", source: "10.25.0.7" },
      { proto: "icmp" },
      { proto: "icmp", source: "10.25.10.0/24" },
    ];
    expect(renderRules(declare({ rules }))).toMatchSnapshot();
  });

  test("say what they let in", () => {
    const rules = [
      { port: "443" },
      { port: "8000:8010", source: "10.25.0.0/16" },
      { proto: "icmp" },
    ];
    expect(openingsIn(renderRules(declare({ rules })))).toEqual([
      { proto: "tcp", port: "22", source: "10.25.10.0/24" },
      { proto: "tcp", port: "9001", source: "10.25.10.11" },
      { proto: "tcp", port: "443" },
      { proto: "tcp", port: "8000:8010", source: "10.25.0.0/16" },
      { proto: "icmp" },
    ]);
  });

  test("let in SSH from management, and from whom a rule lets in", () => {
    const from = (port: string, source?: string): string[] =>
      sshSources(renderRules(declare({ rules: [{ port, source }] })));
    expect(from("20:30", "10.25.20.23")).toEqual(["10.25.10.0/24", "10.25.20.23"]);
    expect(from("22")).toEqual(["10.25.10.0/24", "0.0.0.0/0", "::/0"]);
    expect(from("23:24", "10.25.20.23")).toEqual(["10.25.10.0/24"]);
  });

  test("name IPv6 sources as such, and tell of them too", () => {
    const rules = [
      { proto: "icmp" },
      { port: "443", source: "fd25:10::/64" },
      { proto: "icmp", source: "fd25:10::7" },
    ];
    const managementNetworks = ["10.25.10.0/24", "fd25:1::/64"];
    const text = renderRules(declare({ managementNetworks, rules }));
    for (const line of [
      "ip6 saddr fd25:1::/64 meta l4proto tcp ct original proto-dst 22 accept",
      "ip6 saddr fd25:10::/64 meta l4proto tcp ct original proto-dst 443 accept",
      "ip6 saddr fd25:10::7 icmpv6 type echo-request accept",
    ])
      expect(text).toContain(`\n    ${line}\n`);
    expect(openingsIn(text)).toEqual([
      { proto: "tcp", port: "22", source: "10.25.10.0/24" },
      { proto: "tcp", port: "22", source: "fd25:1::/64" },
      { proto: "tcp", port: "9001", source: "10.25.10.11" },
      { proto: "icmp" },
      { proto: "tcp", port: "443", source: "fd25:10::/64" },
      { proto: "icmp", source: "fd25:10::7" },
    ]);
    expect(sshSources(text)).toEqual(["10.25.10.0/24", "fd25:1::/64"]);
  });

  test("are none without a firewall, or with one that is off on the node", () => {
    const node = declare();
    expect(renderRules({ ...node, network: { ...node.network, firewall: undefined } })).toBe("");
    expect(renderRules(declare({ onNode: false }))).toBe("");
  });
});

describe("unconfirmed", () => {
  const { script: name, variables } = firewallStep(wider);
  const stdin = renderScript(name, variables);
  const step = confirmFirewallStep(wider);
  const confirmed = renderScript(step.script, step.variables);
  const other = renderScript(step.script, { ...step.variables, ID: "0123456789abcdef" });
  const token = "0011223344556677";

  test.each([
    ["nothing was loaded", undefined, undefined, false],
    [
      "no firewall was loaded",
      renderScript(name, firewallStep(declare({ onNode: false })).variables),
      undefined,
      false,
    ],
    ["nobody has ever confirmed", stdin, undefined, true],
    ["others were confirmed", stdin, other, true],
    ["these were confirmed", stdin, confirmed, false],
    ["they were loaded again", withRepairs(stdin, token), confirmed, true],
    [
      "they were loaded and confirmed again",
      withRepairs(stdin, token),
      withRepairs(confirmed, token),
      false,
    ],
  ])("where %s: %#", (_, before, after, expected) => {
    expect(isUnconfirmed(before, after)).toBe(expected);
  });
});

describe("on the node", () => {
  useNode();
  beforeEach(() => {
    fake("units", "");
    fake("enabled", "");
  });

  test("new rules are in force at once, on trial, and last once a fresh connection has confirmed them", () => {
    expect(done(load())).toEqual({ firewall: "on trial" });
    expect(inForce()).toBe(renderRules(declare()));
    expect(has(RULES_FILE)).toBe(false);
    const order = changes().filter((line) => /systemd-run|load rules/.test(line));
    expect(order).toEqual([
      "systemd-run /usr/local/sbin/docker-node-firewall take_back",
      "nft load rules",
    ]);
    expect(done(confirm())).toEqual({ confirmed: rulesId(renderRules(declare())) });
    expect(read(RULES_FILE).trim()).toBe(renderRules(declare()));
    expect(statSync(join(home, RULES_FILE)).mode & 0o777).toBe(0o600);
    expect(changes().at(-1)).toBe("systemctl stop docker-node-firewall-trial.timer");
    expect(existsSync(join(home, RUN, "trial.nft"))).toBe(false);
  });

  test("a second run, and a second confirmation, change nothing and arm nothing", () => {
    done(load());
    done(confirm());
    const before = tree();
    forget();
    expect(done(load())).toEqual({ firewall: "in force" });
    done(confirm());
    expect(changes()).toEqual([]);
    expect({ ...tree(), "run/docker-node/lock": "" }).toEqual({
      ...before,
      "run/docker-node/lock": "",
    });
  });

  test("the connection that has loaded rules does not confirm them", () => {
    done(load());
    refused(confirm(declare(), HERE), /a fresh one has to confirm/);
    expect(has(RULES_FILE)).toBe(false);
  });

  test("an IPv4 address that IPv6 carries is let in as what it is", () => {
    const SSH_CONNECTION = "::ffff:10.25.10.5 5001 ::ffff:10.25.20.24 22";
    expect(done(load(declare(), { SSH_CONNECTION }))).toEqual({ firewall: "on trial" });
  });

  test("a connection over IPv6 is let in from an IPv6 network of management", () => {
    const node = declare({ managementNetworks: ["10.25.10.0/24", "fd25:1::/64"] });
    const SSH_CONNECTION = "fd25:1::5 5001 fd25:20::24 22";
    expect(done(load(node, { SSH_CONNECTION }))).toEqual({ firewall: "on trial" });
    const elsewhere = { SSH_CONNECTION: "fd25:2::5 5001 fd25:20::24 22" };
    refused(load(node, elsewhere), /came from fd25:2::5, .* fd25:1::\/64 alone/);
  });

  test.each([
    [
      "another address",
      { SSH_CONNECTION: "10.25.30.7 5001 10.25.20.24 22" },
      /refused: this connection came from 10\.25\.30\.7, .* from 10\.25\.10\.0\/24 alone\n.*managementNetworks/,
    ],
    [
      "another family",
      { SSH_CONNECTION: "fe80::1%eth0 5001 fe80::2%eth0 22" },
      /refused: this connection came from fe80::1%eth0/,
    ],
    [
      "another port",
      { SSH_CONNECTION: "10.25.10.5 5001 10.25.20.24 2222" },
      /refused: this connection came to port 2222/,
    ],
    [
      "rules that nft does not know",
      { RULES: "syntax-error" },
      /nft does not take the rules; nothing was changed/,
    ],
  ])("%s is refused before anything is touched", (_, over, reason) => {
    refused(load(declare(), over), reason);
    expect(changes()).toEqual([]);
    expect(Object.keys(tree())).toEqual(["run/docker-node/lock"]);
  });

  test("a node whose own address is on a bridge is refused: containers could not be told from others", () => {
    fake("uplink", "br0");
    mkdirSync(join(home, "root/sys/class/net/br0/bridge"), { recursive: true });
    refused(load(), /refused: the node's own address is on a bridge, br0/);
    expect(changes()).toEqual([]);
  });

  test("without a timer that takes them back, rules are not loaded", () => {
    fake("no-timers");
    expect(load()).toMatchObject({ status: 1 });
    expect(inForce()).toBe("");
  });

  test("rules that the kernel does not take leave the earlier ones in force, and no timer", () => {
    done(load());
    done(confirm());
    forget();
    const result = load(declare(), { RULES: "kernel-error", ID: "0123456789abcdef" });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toMatch(/could not be loaded; the earlier ones are in force/);
    expect(inForce()).toBe(renderRules(declare()));
    expect(changes().at(-1)).toBe("systemctl stop docker-node-firewall-trial.timer");
  });

  test("rules of an earlier run that were taken back are told by the next, and tried again", () => {
    write(`${STATE}/taken-back`, "2026-01-31T12:00:00Z\n");
    refused(
      confirm(),
      /taken back at 2026-01-31T12:00:00Z: no fresh SSH connection came in 60 s\n.*managementNetworks/,
    );
    const { status, stderr } = load();
    expect(status).toBe(0);
    expect(stderr).toMatch(/at 2026-01-31T12:00:00Z rules were taken back/);
    done(confirm());
    expect(load().stderr).toBe("");
  });

  test("a reboot ends a trial, and the confirmation says so", () => {
    done(load());
    rmSync(join(home, "root/run"), { recursive: true });
    refused(confirm(), /not on trial any more: the node has rebooted/);
  });

  test("rules that were confirmed come back without a trial, and end another's", () => {
    done(load());
    done(confirm());
    done(load(wider));
    expect(inForce()).toBe(renderRules(wider));
    forget();
    expect(done(load())).toEqual({ firewall: "in force" });
    expect(inForce()).toBe(renderRules(declare()));
    write(RULES_FILE, "by hand\n");
    expect(done(load())).toEqual({ firewall: "in force" });
    expect(read(RULES_FILE).trim()).toBe(renderRules(declare()));
    expect(changes().join()).not.toMatch(/systemd-run/);
  });

  test("off, it leaves the node as it was; where it never was, it touches nothing", () => {
    const off = declare({ onNode: false });
    expect(done(load(off))).toEqual({ firewall: "off" });
    expect(changes()).toEqual([]);
    const before = tree();
    const services = [read("fake/units"), read("fake/enabled")].join().trim();
    done(load());
    done(confirm());
    forget();
    expect(done(load(off))).toEqual({ firewall: "off" });
    expect(Object.keys(tree())).toEqual(Object.keys(before));
    expect(inForce()).toBe("");
    expect([read("fake/units"), read("fake/enabled")].join().trim()).toBe(services);
    expect(has("root/etc/docker-node")).toBe(false);
    forget();
    done(load(off));
    expect(changes()).toEqual([]);
  });
});
