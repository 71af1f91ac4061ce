import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { EngineEvent, Stack } from "@pulumi/pulumi/automation";
import { parse, parseDocument } from "yaml";
import { makeRunner } from "../../clients/process";
import { runCommandLine } from "../../commands/cli";
import type { Result } from "../../commands/validate/row";
import { scanHostKey } from "../../commands/import/inspect";
import { openInstance } from "../../lab/lib/instance";
import { describeDifference, type Difference } from "../../node/checks";
import { readNodes } from "../../lab/lib/reach";
import { NETWORK, removeLab, startLab, type Lab } from "../../lab/lib/services";
import { configMap, labConfig, labWaivers } from "../../lab/lib/config";
import { cliEnv, selectStack } from "../../lab/lib/stack";
import type { NodeFacts } from "../../lab/lib/summary";
import { planFor } from "../../commands/plan/command";
import { planOf } from "../../commands/plan/events";
import { render } from "../../commands/plan/render";
import { risksOf } from "../../commands/plan/risks";
import { byHand, createByHand } from "./by-hand";
import { Life } from "./life";
import {
  Proxmox,
  Shell,
  log,
  shellTo,
  stateFiles,
  statusOf,
  waitFor,
  quiet,
  upSteps,
} from "./support";

/*
 * proj-docker01, made by hand as nodes were before this program, becomes a node of a stack: looked at and
 * written down by `npx docker-node import`, adopted by `up`. What runs on it must not notice.
 */

jest.setTimeout(30 * 60_000);

const VM = { vmId: 2014, name: "proj-docker01", address: "10.25.20.23" };
const here = openInstance("fleet");
const environment = { ...process.env };
const directory = process.cwd();

let lab: Lab;
let proxmox: Proxmox;
let shell: Shell;
let stack: Stack;
let file: string;
let before: string;
const life = new Life();
const { step } = life;

/** All that adoption must leave alone: the boot, the daemon, what runs, what is stored, what is configured. */
const UNTOUCHED = `
  cat /proc/sys/kernel/random/boot_id
  systemctl show --property MainPID,ActiveEnterTimestamp docker
  docker inspect --format '{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}' observatory portainer_agent
  sha256sum /var/lib/docker/volumes/*/_data/* /etc/docker/daemon.json
  docker network ls --no-trunc --quiet | sort
  docker volume inspect $(docker volume ls --quiet) | sha256sum
  sort /home/ubuntu/.ssh/authorized_keys
  getent group docker`;

beforeAll(async () => {
  await removeLab(here);
  lab = await startLab(here, log);
  proxmox = new Proxmox(lab);
  // As on a workstation: Pulumi CLI on the PATH, logged in.
  Object.assign(process.env, cliEnv(lab));
});

afterAll(async () => {
  process.env = environment;
  process.chdir(directory);
  await life.end(here);
});

/** The nodes a stack's file declares. */
function nodesIn(text: string): Record<string, unknown> {
  const { config } = parse(text) as { config: Record<string, Record<string, unknown>> };
  return config["docker-node:nodes"] ?? {};
}

/** `npx docker-node import`, answered with yes or no; its status and everything it said. */
async function runImport(answer: boolean): Promise<{ status: number; said: string }> {
  const lines: string[] = [];
  const port = lab.forwards[String(VM.vmId)]?.ssh ?? 0;
  const place = ["--stack", "fleet", "--cwd", dirname(file)];
  const reach = ["--ssh", `ubuntu@127.0.0.1:${port}`, "--portainer", NETWORK.host];
  const print = (text: string): void => void lines.push(text);
  const status = await runCommandLine(["import", String(VM.vmId), ...place, ...reach], {
    print,
    warn: print,
    ask: (question) => {
      lines.push(question);
      return Promise.resolve(answer);
    },
  });
  return { status, said: lines.join("\n") };
}

/** Writes waivers for all that the nodes of the file weaken. */
function waive(): void {
  const { proxmox, defaults } = labConfig(lab, { proxmox: { backupStorage: null } });
  const document = parseDocument(readFileSync(file, "utf8"));
  const nodes = nodesIn(document.toString());
  document.setIn(["config", "docker-node:waivers"], labWaivers({ proxmox, defaults, nodes }));
  writeFileSync(file, document.toString({ lineWidth: 0 }));
}

describe("a node made by hand", () => {
  step("is there, and runs an application and a Portainer agent", async () => {
    await createByHand(lab, proxmox, VM);
    const port = lab.forwards[String(VM.vmId)]?.ssh ?? 0;
    const target = { user: "ubuntu", host: "127.0.0.1", port };
    await waitFor(async () => {
      shell = new Shell(lab, VM.vmId, await scanHostKey(target, makeRunner(".")));
      return (await shell.root("cloud-init status --wait >/dev/null; echo over")) === "over";
    }, 600);
    await shell.root(byHand(lab));
    await waitFor(
      async () => (await shell.root("cat /var/lib/docker/volumes/catalogue/_data/objects")) !== "",
    );
    before = await shell.root(UNTOUCHED);
    expect(before.match(/ 0$/gm)).toHaveLength(2);
  });

  step("has a stack waiting, with what all nodes share and no node", async () => {
    stack = await selectStack(lab, "fleet");
    const cluster = { backupStorage: null };
    const { proxmox: endpoint, defaults } = labConfig(lab, { proxmox: cluster });
    await stack.setAllConfig(configMap(lab, { proxmox: endpoint, defaults }));
    file = join(stack.workspace.workDir, "Pulumi.fleet.yaml");
  });
});

describe("import", () => {
  step("writes nothing that was not confirmed", async () => {
    const text = readFileSync(file, "utf8");
    const { status, said } = await runImport(false);
    expect(status).toBe(1);
    expect(said).toMatch(/has the host key SHA256:\S+/);
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  step("writes the node as it is, and says what becomes of everything", async () => {
    const text = readFileSync(file, "utf8");
    const { status, said } = await runImport(true);
    expect(status).toBe(0);
    for (const line of [
      /^ {2}agent-adopted +nodes\.proj-docker01\.adopt\.agent: "[0-9a-f]{64}"; /m,
      /^Adopted, as it is:$/m,
      /^ {2}volume research-data +stays as it is$/m,
      /^ {2}portainer_agent +would be replaced to be as declared \(.*port on every address/m,
      /^ {2}volume cache +driver options \(device, type\)/m,
      /^ {2}network scratch +cannot be declared: .*default-address-pools/m,
      /^ {2}containers observatory +not declared/m,
      /^ {2}daemon-userns-off +nodes\.proj-docker01\.engine\.daemon\.userns-remap: missing; /m,
    ])
      expect(said).toMatch(line);
    expect(said).not.toContain(lab.credentials.agentSecret);
    expect(readFileSync(file, "utf8").startsWith(text)).toBe(true);
    expect(await shell.root(UNTOUCHED)).toBe(before);
  });

  step("has the daemon, the networks, the volumes and the agent in the configuration", () => {
    const { [VM.name]: node } = nodesIn(readFileSync(file, "utf8"));
    const id = expect.stringMatching(/^[0-9a-f]{64}$/) as unknown;
    expect(node).toMatchObject({
      machine: { vmId: 2014, adopt: true, cpu: { cores: 2 }, disk: { sizeGiB: 24 } },
      network: { address: "10.25.20.23/24", gateway: "10.25.20.1", vlan: 20 },
      engine: { version: "26.1.5", groupMembers: ["astronomer"], daemon: { "userns-remap": null } },
      networks: {
        "development-secondary": { subnet: "172.19.0.0/24" },
        "astronomy-compute-secondary": { subnet: "172.19.1.0/24", isolated: true },
      },
      volumes: { "research-data": {}, catalogue: { labels: { purpose: "catalogue" } } },
      adopt: {
        networks: { "development-secondary": id, "astronomy-compute-secondary": id },
        volumes: ["catalogue", "research-data"],
        agent: id,
      },
    });
  });
});

describe("adoption", () => {
  let shown: Difference[];

  step("takes a waiver for what is weak on the node", () => {
    waive();
    expect(readFileSync(file, "utf8")).toMatch(/id: daemon-userns-off/);
  });

  step("shows what the next up changes: nothing but how Proxmox keeps the VM", async () => {
    const events: EngineEvent[] = [];
    await stack.preview({ ...quiet, onEvent: (event) => void events.push(event) });
    const plan = planOf(events, "fleet");
    log(render(plan, "terminal"));
    expect(plan.counts).toMatchObject({ import: 5, update: 1, replace: 0, delete: 0 });
    const changes = plan.nodes.flatMap((node) => node.changes);
    const [vm] = changes.filter(({ action }) => action === "update");
    expect(vm?.name).toBe(`${VM.name}-vm`);
    expect(vm?.properties.map(({ path }) => path)).toEqual([
      "protection",
      "startup",
      "stopOnDestroy",
    ]);
    expect(risksOf(plan)).toEqual([]);
  });

  step(
    "shows each setting that the first up makes, by file, key and value, and only reads",
    async () => {
      process.env.DOCKER_NODE_DRIFT = "";
      const { looks = [], failed } = await planFor({ stack: "fleet", cwd: dirname(file) });
      process.env.DOCKER_NODE_DRIFT = "off";
      expect(failed).toBe(false);
      expect(looks.map(({ name, problems }) => [name, problems])).toEqual([[VM.name, []]]);
      shown = looks.flatMap(({ differences }) => differences);
      log(shown.map(describeDifference).join("\n"));
      const hardened = shown.filter(({ step: one }) => one === "hardening");
      for (const key of [
        "05-docker-node-hardening.conf",
        "kptr_restrict",
        "core_pattern",
        "auditd",
      ])
        expect(hardened.filter((one) => `${one.key} ${one.file}`.includes(key))).not.toEqual([]);
      expect(await shell.root(UNTOUCHED)).toBe(before);
      expect(await shell.root("ls /var/lib/docker-node /etc/docker-node 2>/dev/null || true")).toBe(
        "",
      );
    },
  );

  step("up changes only that, and nothing on the node notices", async () => {
    const steps = await upSteps(stack);
    expect(steps.with("import")).toEqual(
      [
        "agent-container",
        "astronomy-compute-secondary",
        "catalogue",
        "development-secondary",
        "research-data",
      ].map((name) => `${VM.name}-${name}`),
    );
    expect(steps.with("update")).toEqual([`${VM.name}-vm`]);
    expect(steps.diffs.filter((line) => /^(replace|delete|create-replacement)/.test(line))).toEqual(
      [],
    );
    expect(await shell.root(UNTOUCHED)).toBe(before);
    expect(await proxmox.vm(VM.vmId)).toMatchObject({
      description: "asked for by astronomy, ticket 4711",
      protection: 1,
      scsihw: "virtio-scsi-pci",
      startup: "order=20,up=30,down=120",
    });
  });

  step("what hardening has noted that it changed, the plan had shown", async () => {
    const notes = `awk -F'\\t' '$1 != "service" { print $2 }' /var/lib/docker-node/hardening/*`;
    const changed = (await shell.root(notes)).split("\n");
    expect(changed.length).toBeGreaterThan(20);
    expect(changed.filter((path) => !shown.some(({ file: one }) => one === path))).toEqual([]);
  });

  step("a second up and a refresh change nothing", async () => {
    await stack.up({ ...quiet, expectNoChanges: true });
    await stack.refresh({ ...quiet, expectNoChanges: true });
    expect(await shell.root(UNTOUCHED)).toBe(before);
  });

  step("the agent's secret, found on the node, is in no state file in the clear", () => {
    const text = stateFiles(here.stateDir);
    expect(text).toContain("portainer_agent");
    expect(text).not.toContain(lab.credentials.agentSecret);
  });

  step("import finds the node in the file, just so", async () => {
    const text = readFileSync(file, "utf8");
    const { status, said } = await runImport(true);
    expect([status, said]).toEqual([0, expect.stringContaining(`has ${VM.name} already, just so`)]);
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  step(
    "without its entry under adopt, the agent is replaced by the declared one, and nothing else",
    async () => {
      const document = parseDocument(readFileSync(file, "utf8"));
      document.deleteIn(["config", "docker-node:nodes", VM.name, "adopt", "agent"]);
      writeFileSync(file, document.toString({ lineWidth: 0 }));
      waive();
      const steps = await upSteps(stack);
      expect(steps.with("create-replacement")).toEqual([`${VM.name}-agent-container`]);
      expect(steps.with("create")).toEqual([`${VM.name}-agent-image`, `${VM.name}-agent-limits`]);
      const others = (text: string): string[] =>
        text.split("\n").filter((line) => !/^[0-9a-f]{64} \d+ /.test(line));
      const after = await shell.root(UNTOUCHED);
      expect(others(after)).toEqual(others(before));
      const observatory = before.split("\n").find((line) => /^[0-9a-f]{64} \d+ /.test(line)) ?? "";
      expect(after).toContain(observatory);
      const port = lab.forwards[String(VM.vmId)]?.agent ?? 0;
      await waitFor(async () => (await statusOf(`https://127.0.0.1:${port}/ping`)) === 204, 60);
      expect(await shell.root("ss -Hltn 'sport = :9001'")).toContain("10.25.20.23:9001");
      await stack.up({ ...quiet, expectNoChanges: true });
    },
  );
});

describe("a second node in the same stack", () => {
  const SECOND = "proj-docker02";

  /** The file with another declaration of a node; without one the node is taken out. */
  function declare(name: string, node?: unknown): void {
    const document = parseDocument(readFileSync(file, "utf8"));
    const at = ["config", "docker-node:nodes", name];
    if (node === undefined) document.deleteIn(at);
    else document.setIn(at, node);
    writeFileSync(file, document.toString({ lineWidth: 0 }));
    waive();
  }

  step("comes to life alone, by --target, and reaches its primary on their segment", async () => {
    const small = { machine: { cpu: { cores: 2 } }, backups: null };
    const { nodes } = labConfig(lab, { nodes: { [SECOND]: small } });
    const declared = (nodes as Record<string, object>)[SECOND];
    declare(SECOND, { ...declared, primary: VM.name });
    const target = [`**::${SECOND}`, `**::${SECOND}-*`, "**:components:CloudImage**"];
    const steps = await upSteps(stack, { target });
    expect(steps.with("create").filter((name) => name.startsWith(VM.name))).toEqual([]);
    const found = (await readNodes(stack))[SECOND];
    expect(found).toMatchObject({
      address: "10.25.20.24",
      primary: { address: VM.address, port: 22, reachable: true },
    });
  });

  step("lets nobody in but who is declared: not the first, though on its segment", async () => {
    const port22 =
      "timeout 10 bash -c '</dev/tcp/10.25.20.24/22' 2>/dev/null && echo open || echo closed";
    expect(await shell.root(port22)).toBe("closed");
  });

  step("leaves nothing to do for either, and the first never noticed", async () => {
    await stack.up({ ...quiet, expectNoChanges: true });
    const boot = /^[0-9a-f-]{36}$/m;
    expect(boot.exec(await shell.root(UNTOUCHED))?.[0]).toBe(boot.exec(before)?.[0]);
    expect((await proxmox.vmIds()).sort()).toEqual([2014, 2019]);
  });

  /** `docker-node probe`, from the first node: each row's state and figure, by its id. */
  async function probe(): Promise<Record<string, [state: string, figure: string]>> {
    const lines: string[] = [];
    const line = ["probe", SECOND, "--stack", "fleet", "--from", VM.name, "--json"];
    await runCommandLine(line, { print: (text) => void lines.push(text), warn: log });
    log(lines.join("\n"));
    const { rows } = JSON.parse(lines.join("\n")) as { rows: Result[] };
    for (const { how } of rows)
      expect(how).toMatch(/from proj-docker01 at (10\.25\.20\.23|fe80:\S+)$/);
    return Object.fromEntries(rows.map(({ id, state, figure = "" }) => [id, [state, figure]]));
  }

  const services = ["ssh-ipv4", "agent-ipv4", "ssh-ipv6", "agent-ipv6"];
  const closed = (ids: readonly string[]): object =>
    Object.fromEntries(ids.map((id) => [id, ["held", "no answer"]]));
  const nothingOpen = ["held", expect.stringMatching(/^0 open, /) as unknown];

  step("is closed to the first, over both families: SSH and the agent too", async () => {
    expect(await probe()).toEqual({
      ...{ "closed-ipv4": nothingOpen, "closed-ipv6": nothingOpen },
      ...closed(services),
    });
  });

  step(
    "has no port open that it alone knows of; without its own firewall that is found",
    async () => {
      const other = await shellTo(lab, stack, SECOND);
      await other.root(`systemd-run --quiet --unit=lab-listener python3 -m http.server --bind :: 38123
      for try in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn | grep -q :38123 && break; sleep 1; done`);
      expect(await probe()).toMatchObject({
        ...{ "closed-ipv4": nothingOpen, "closed-ipv6": nothingOpen },
      });
      const nic = (enable: string): Promise<unknown> =>
        proxmox.put("/nodes/pve01/qemu/2019/firewall/options", { enable });
      const allow = "nft insert rule inet docker_node input tcp dport 38123 accept";
      await other.root(`systemctl stop docker-node-firewall-heal.timer; ${allow}`);
      await nic("0");
      const found = await probe();
      await nic("1");
      await other.root(
        "systemctl stop lab-listener; systemctl start docker-node-firewall-heal docker-node-firewall-heal.timer",
      );
      const open = expect.stringMatching(/^open: (\d+, )*38123[,;]/) as unknown;
      expect(found["closed-ipv4"]).toEqual(["not held", open]);
      expect(found["closed-ipv6"]).toEqual(["not held", open]);
    },
  );

  step("shows the first the fingerprints of the outputs, once a rule lets it in", async () => {
    const text = readFileSync(file, "utf8");
    const rules = ["22", "9001"].map((port) => ({ port, source: VM.address }));
    const second = nodesIn(text)[SECOND] as { network: { firewall: object } };
    const firewall = { ...second.network.firewall, rules };
    declare(SECOND, { ...second, network: { ...second.network, firewall } });
    await upSteps(stack);
    const { hostKey, agentFingerprint } = (await readNodes(stack))[SECOND] as NodeFacts[string];
    expect(await probe()).toEqual({
      ...{ "closed-ipv4": nothingOpen, "closed-ipv6": nothingOpen },
      ...{ "ssh-ipv4": ["held", "open"], "agent-ipv4": ["held", "open"] },
      ...closed(["ssh-ipv6", "agent-ipv6"]),
      "host-key-ipv4": ["held", hostKey],
      "certificate-ipv4": ["held", agentFingerprint],
    });
    writeFileSync(file, text);
    await upSteps(stack);
  });

  step("the first cannot be taken out while it is protected; how it can is said", async () => {
    const text = readFileSync(file, "utf8");
    declare(SECOND, { ...(nodesIn(text)[SECOND] as object), primary: { address: VM.address } });
    declare(VM.name);
    const events: EngineEvent[] = [];
    const preview = stack.preview({ ...quiet, onEvent: (event) => void events.push(event) });
    await expect(preview).rejects.toThrow();
    const said = render(planOf(events, "fleet"), "terminal");
    expect(said).toMatch(/machine\.protect to false[^]*2\. remove nodes\.proj-docker01 from/);
    expect(said).toContain("network development-secondary of proj-docker01 is protected");
    expect(said).not.toMatch(/^proj-docker01-agent:/m);
    expect((await proxmox.vmIds()).sort()).toEqual([2014, 2019]);
    writeFileSync(file, text);
  });
});
