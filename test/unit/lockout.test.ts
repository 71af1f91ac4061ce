import { shutOuts } from "../../clients/pulumi/lockout";
import { describeProblem } from "../../config/problems";
import { renderChecks, renderLook, parseChecks } from "../../node/checks";
import { prodNode } from "../support/settings";
import { run, useNode } from "../support/node";

/** A firewall that would let in nobody who could change it again: what a node tells of a connection, and what is made of it. */

useNode();

const NODE = "proj-docker02";
const step = { step: "firewall", script: "firewall" as const, variables: "RULES=''" };

/** A node tells this of a connection. `sudo` has taken the variable out of the environment of what it runs, and not out of its own. */
function connectionAt(sshConnection: string) {
  const asSudo = `export SSH_CONNECTION='${sshConnection}'\nbash -c 'env -u SSH_CONNECTION bash -s; true' <<'LOOK'\n`;
  const { stdout, stderr } = run(`${asSudo}${renderLook([step])}LOOK\n`);
  expect(stderr).toBe("");
  return parseChecks(stdout).connection;
}

describe("a node tells of a connection", () => {
  test.each([
    ["10.25.10.5 5001 10.25.20.24 22", { from: "10.25.10.5", port: 22 }],
    ["fd00::5 5001 fd00::24 2222", { from: "fd00::5", port: 2222 }],
    ["::ffff:10.25.10.5 5001 ::ffff:10.25.20.24 22", { from: "10.25.10.5", port: 22 }],
    ["fe80::1%eth0 5001 fe80::2%eth0 22", { from: "fe80::1", port: 22 }],
    // What sshd says where it has no socket.
    ["UNKNOWN 65535 UNKNOWN 65535", undefined],
    ["", undefined],
  ])("%s", (told, connection) => {
    expect(connectionAt(told)).toEqual(connection);
  });

  test("in a look alone: the node's own checks print differences and nothing else", () => {
    expect(run(renderChecks([step]), { SSH_CONNECTION: "10.25.10.5 5001 10.25.20.24 22" })).toEqual(
      { status: 0, signal: null, stdout: "", stderr: "" },
    );
  });
});

describe("a firewall", () => {
  const judge = (firewall: object | null, from: string, port: number): string[] =>
    shutOuts(NODE, prodNode({ network: { firewall } }), { from, port }).map(describeProblem);
  const everybody = { rules: [{ port: "22" }] };

  test.each<[what: string, firewall: object | null, from: string, port: number]>([
    ["none", null, "10.25.30.7", 22],
    ["off in both places", { enabled: false, onNode: false }, "10.25.30.7", 22],
    ["networks of management", {}, "10.25.10.5", 22],
    [
      "a rule for an address",
      { rules: [{ port: "20:30", source: "10.25.30.7" }] },
      "10.25.30.7",
      22,
    ],
    ["a rule for everybody, over IPv6", everybody, "fd00::5", 22],
    [
      "IPv6 networks of management",
      { managementNetworks: ["10.25.10.0/24", "fd00::/64"] },
      "fd00::5",
      22,
    ],
    ["a rule for an IPv6 address", { rules: [{ port: "22", source: "FD00:0::5" }] }, "fd00::5", 22],
    ["a rule for another port of sshd", { rules: [{ port: "2222" }] }, "10.25.10.5", 2222],
  ])("lets in who is connected: %s", (_, firewall, from, port) => {
    expect(judge(firewall, from, port)).toEqual([]);
  });

  const field = `nodes.${NODE}.network.firewall.managementNetworks: ["10.25.10.0/24"]; allowed:`;
  test.each<[what: string, firewall: object, from: string, port: number, allowed: RegExp]>([
    ["of both", {}, "10.25.30.7", 22, /networks of which one has 10\.25\.30\.7; this connection/],
    ["of Proxmox alone", { onNode: false }, "10.25.30.7", 22, /one has 10\.25\.30\.7;/],
    ["of the node alone", { enabled: false }, "10.25.30.7", 22, /one has 10\.25\.30\.7;/],
    ["with another port", { rules: [{ port: "23:443" }] }, "10.25.30.7", 22, /one has/],
    ["with UDP", { rules: [{ port: "22", proto: "udp" }] }, "10.25.30.7", 22, /one has/],
    ["of IPv4", {}, "fd00::5", 22, /networks of which one has fd00::5; this connection came/],
    [
      "of another IPv6 network",
      { rules: [{ port: "22", source: "fd00:1::/64" }] },
      ...(["fd00::5", 22, /one has fd00::5;/] as const),
    ],
    ["of port 22", {}, "10.25.10.5", 2222, /a rule for port 2222 beside these/],
  ])("that would not is refused: %s", (_, firewall, from, port, allowed) => {
    const [problem = "", ...more] = judge(firewall, from, port);
    expect(more).toEqual([]);
    expect(problem.startsWith(field)).toBe(true);
    expect(problem).toMatch(allowed);
  });
});
