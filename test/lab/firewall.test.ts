/*
 * The node's own firewall beside Docker's nftables, and rules that would lock everybody out. With Docker's iptables, and over a
 * reboot, it is tried in secured.test.ts.
 */
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { ask, makeRunner, type Ran } from "../../clients/process";
import { firewallRules } from "../../clients/proxmox-answers";
import { scanHostKey } from "../../commands/import/inspect";
import { loadSettings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { labConfig } from "../../lab/lib/config";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { removeLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import { renderScript } from "../../node/scripts";
import { firewallStep } from "../../node/steps";
import { firewall } from "./hardened";
import { Life } from "./life";
import { Proxmox, type Shell, log, shellTo, waitFor, quiet } from "./support";

jest.setTimeout(15 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("firewall");
let lab: Lab;
let stack: Stack;
let shell: Shell;
const life = new Life();
const { step } = life;

async function up(node: object = {}): Promise<void> {
  stack = await openStack(lab, { nodes: { [NODE]: node } });
  await stack.up(quiet);
}

const table = (): Promise<string> => firewall.table(shell);
const neighbour = (port: number): Promise<string> => firewall.neighbour(shell, port);

const firewallOf = (): ReturnType<typeof firewallStep> => {
  const node = loadSettings(labConfig(lab) as never).nodes[NODE] as NodeConfig;
  return firewallStep(node);
};

/** The rules that Proxmox has for the NIC. */
const nicRules = (): Promise<unknown[]> =>
  new Proxmox(lab).read("/nodes/pve01/qemu/2019/firewall/rules", firewallRules);

/** Pulumi as a person types it; it looks at the node first. */
const pulumi = (operation: string): Promise<Ran> => {
  const args = [...operation.split(" "), "--stack", "lab", "--non-interactive"];
  const env = { ...cliEnv(lab), DOCKER_NODE_DRIFT: "" };
  return ask({ program: join(here.stateDir, "bin/pulumi"), args, env });
};

/** A connection of its own: the shell's goes on whatever the rules are. */
const connect = (): Promise<string> => {
  const port = lab.forwards["2019"]?.ssh ?? 0;
  return scanHostKey({ user: "ubuntu", host: "127.0.0.1", port }, makeRunner("."));
};

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  stack = await openStack(lab);
  shell = await shellTo(lab, stack, NODE);
});

afterAll(() => life.end(here));

describe("a change that locks out", () => {
  const managementNetworks = ["10.99.0.0/16"];

  step("whoever makes it is refused before anything is touched, in a preview too", async () => {
    const [whole, rules] = [await table(), await nicRules()];
    expect(rules).toHaveLength(2);
    await openStack(lab, { nodes: { [NODE]: { network: { firewall: { managementNetworks } } } } });
    for (const operation of ["preview", "up --yes"]) {
      const { code, stdout, stderr } = await pulumi(operation);
      expect(code).not.toBe(0);
      expect(stdout + stderr).toContain(
        `nodes.${NODE}.network.firewall.managementNetworks: ["10.99.0.0/16"]; allowed: networks of which one has 10.25.20.1;`,
      );
    }
    expect([await table(), await nicRules()]).toEqual([whole, rules]);
    await connect();
  });

  step("the node itself refuses to load it", async () => {
    const whole = await table();
    const { script, variables } = firewallOf();
    const given = { ...variables, SSH_SOURCES: managementNetworks.join(" "), ID: "locks-out" };
    await expect(shell.root(renderScript(script, given))).rejects.toThrow(
      /refused: this connection came from 10\.25\.20\.1, and the rules let in SSH from 10\.99\.0\.0\/16 alone/,
    );
    expect(await table()).toBe(whole);
  });

  step("every fresh connection is taken back after a minute", async () => {
    const whole = await table();
    const { script, variables } = firewallOf();
    const RULES = String(variables.RULES)
      .split("\n")
      .filter((line) => !line.includes("proto-dst 22 "))
      .join("\n");
    expect(RULES).not.toBe(variables.RULES);
    const given = renderScript(script, { ...variables, RULES, ID: "locks-out" });
    expect(await shell.root(given)).toBe('{"firewall":"on trial"}');
    const loaded = Date.now();
    await expect(connect()).rejects.toThrow();
    await waitFor(async () => (await table()) === whole, 120);
    // An emulated node takes seconds to load rules, and to be asked.
    expect((Date.now() - loaded) / 1000).toBeLessThan(75);
    expect(await connect()).not.toBe("");
    await up();
    expect(await table()).toBe(whole);
  });
});

describe("Docker's nftables", () => {
  const engine = { daemon: { "firewall-backend": "nftables" } };
  const rules = [{ port: "8088", comment: "a container's" }];

  step("publish what a rule opens, and nothing else", async () => {
    await up({ engine });
    expect(await shell.dockerInfo(".FirewallBackend.Driver")).toBe("nftables");
    const { busybox } = lab.images;
    const image = `10.25.20.5:5000/${busybox.repository}@${busybox.digest}`;
    await shell.root(
      `docker run -d --quiet --name published -p 10.25.20.24:8088:80 ${image} sh -c 'mkdir -p /www; exec httpd -f -p 80 -h /www' >/dev/null`,
    );
    for (const port of [22, 8088, 9001])
      expect([port, await neighbour(port)]).toEqual([port, "closed"]);
    await up({ engine, network: { firewall: { rules } } });
    for (const [port, state] of [
      [22, "closed"],
      [8088, "open"],
      [9001, "closed"],
    ] as const)
      expect([port, await neighbour(port)]).toEqual([port, state]);
  });

  step("come and go, and the node's table with its rules is there", async () => {
    const whole = await table();
    await shell.root("nft flush ruleset");
    await waitFor(async () => (await table()) === whole, 60);
    expect(await neighbour(22)).toBe("closed");
    await shell.root("systemctl restart docker");
    expect(await table()).toBe(whole);
    expect(await neighbour(8088)).toBe("open");
    expect(await neighbour(9001)).toBe("closed");
  });
});
