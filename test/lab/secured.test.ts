/*
 * A node that runs is hardened, lets in whom it should, keeps its secrets, and proves it by `validate`. Each unit of the hardening
 * alone is in hardening.test.ts, the firewall beside Docker's nftables in firewall.test.ts.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { ask } from "../../clients/process";
import { loadSettings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { labConfig } from "../../lab/lib/config";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { readNodes } from "../../lab/lib/reach";
import { removeLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import { renderScript } from "../../node/scripts";
import { hardeningStep } from "../../node/steps";
import { canariesIn, foundBy, searchScript } from "../support/canaries";
import { canariesOf, searchDuring, undeclared } from "./canaries";
import { tryForwarding, type Forwarded } from "./forwarding";
import { firewall, hardenedState, probes } from "./hardened";
import { Life } from "./life";
import { openLayers, sealsOf } from "./remapped";
import {
  type Shell,
  log,
  shellTo,
  stateFiles,
  statusOf,
  waitFor,
  quiet,
  upSteps,
  type Steps,
} from "./support";
import { onlyRows, validate } from "./validate";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("secured");

let lab: Lab;
let stack: Stack;
let shell: Shell;
const life = new Life();
const { step } = life;

async function up(override: Record<string, unknown> = {}): Promise<Steps> {
  stack = await openStack(lab, override);
  return upSteps(stack);
}

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  stack = await openStack(lab);
  shell = await shellTo(lab, stack, NODE);
  await shell.pullBusybox();
});

afterAll(() => life.end(here));

describe("hardened", () => {
  const UNITS =
    "ssh sudo sysctl modules coredumps journal updates time resolved services modes audit".split(
      " ",
    );
  const off = Object.fromEntries(UNITS.map((unit) => [unit, false]));

  step("sshd lets in named users by keys and modern algorithms, root never", async () => {
    const { root, user, old } = await probes.logins(shell);
    expect(root).toMatch(/Permission denied/);
    expect(user).toBe("ubuntu");
    expect(old).toMatch(/no matching key exchange method found/);
    const effective = await shell.root("sshd -T -C user=ubuntu,host=localhost,addr=127.0.0.1");
    for (const line of [
      "permitrootlogin no",
      "x11forwarding no",
      "allowagentforwarding yes",
      "allowusers ubuntu",
      "maxsessions 50",
      "maxstartups 100:30:200",
    ])
      expect(effective.split("\n")).toContain(line);
  });

  step("is asked in a session that outlives its sshd, as while openssh is updated", async () => {
    const variables = { MODE: "check", UNITS: UNITS.join(" "), NODE_USER: "ubuntu" };
    const check = renderScript("hardening", { ...variables, FORWARDING: "true" });
    const stop =
      "systemctl stop ssh.socket; systemctl start ssh.socket; systemctl is-active ssh.service || true";
    expect(await shell.root(stop)).toBe("inactive");
    expect(await shell.root("sshd -t 2>&1 || true")).toBe(
      "Missing privilege separation directory: /run/sshd",
    );
    expect(await shell.root(check)).toBe("");
  });

  step("a second run changes nothing on the node, and no service starts anew", async () => {
    const node = loadSettings(labConfig(lab) as never).nodes[NODE] as NodeConfig;
    const { script, variables } = hardeningStep(node);
    const services = "auditd systemd-journald systemd-resolved";
    const state = async (): Promise<string[]> => [
      await hardenedState(shell),
      await shell.root(`systemctl show --value --property=MainPID ${services}`),
    ];
    const before = await state();
    await shell.root("touch /run/before");
    await shell.root(renderScript(script, variables));
    const written = "find /etc /var/lib/docker-node/hardening -newer /run/before; rm /run/before";
    expect(await shell.root(written)).toBe("");
    expect(await state()).toEqual(before);
  });

  step("the kernel keeps its secrets, and forwards for containers alone", async () => {
    expect(await probes.kernel(shell)).toEqual("2 1 2 0 0 1 |/bin/false");
    expect(await probes.coreDump(shell)).toBe("none");
    expect(await probes.module(shell)).toMatch(/^install \/bin\/false/);
    expect(await firewall.past(shell)).toBe("dropped");
  });

  step("auditd hears of what is done to Docker's files and programs", async () => {
    for (const path of ["/etc/docker/probe", "/usr/bin/dockerd", "/usr/bin/runc"])
      expect([path, await probes.audited(shell, path)]).toEqual([path, "heard"]);
  });

  step("the segment hears nothing of it, its journal has a limit, its updates come", async () => {
    expect(await shell.root("ss -Hlnut | grep -E ':(5355|5353) ' || echo closed")).toBe("closed");
    expect(await shell.root("journalctl -u systemd-journald --no-pager")).toMatch(
      /System Journal \(\/var\/log\/journal\/.* max 1G/,
    );
    expect(await shell.root("systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer")).toBe(
      "enabled\nenabled",
    );
    expect(await shell.root("apt-config dump | grep Automatic-Reboot")).toContain('"false"');
  });

  step("units are off and on again: as before, and as declared", async () => {
    const hardened = await hardenedState(shell);
    const steps = await up({ nodes: { [NODE]: { hardening: off } } });
    expect(steps.with("update")).toEqual([`${NODE}-hardening`]);
    expect(await shell.root("auditctl -l; systemctl is-enabled auditd || true")).toBe(
      "No rules\ndisabled",
    );
    expect(
      await shell.root(
        "find /etc -name '*docker-node-hardening*' -o -name '99-docker-node*' -path '*systemd*'",
      ),
    ).toBe("");
    expect(await shell.root("ss -Hlnut | grep -c ':5355 '")).not.toBe("0");
    expect(await shell.root("ls /etc/apt/apt.conf.d | grep -c docker-node || true")).toBe("0");
    expect(await hardenedState(shell)).not.toBe(hardened);
    await up();
    expect(await hardenedState(shell)).toBe(hardened);
  });
});

describe("without forwarding, as in production", () => {
  const forwarded = async (): Promise<Forwarded> => {
    const { [NODE]: node } = await readNodes(stack);
    const ports = lab.forwards["2019"];
    if (!ports || !node) throw new Error(`no node ${NODE}`);
    return tryForwarding(lab, ports, node.hostKey);
  };

  step("the node is as declared, and Docker's provider needs none of it", async () => {
    // The lab declares it, so each way is one that works.
    const port = expect.stringMatching(/^SSH-2\.0-/) as unknown;
    expect(await forwarded()).toEqual({ port, back: "bound", socket: "200" });
    const steps = await up({ nodes: { [NODE]: { hardening: { sshForwarding: false } } } });
    expect(steps.with("update")).toEqual([`${NODE}-hardening`]);
    await stack.refresh({ ...quiet, expectNoChanges: true });
    await stack.preview({ ...quiet, expectNoChanges: true });
  });

  step("sshd forwards no port, no socket and no agent to whoever may log in", async () => {
    const effective = await shell.root("sshd -T -C user=ubuntu,host=localhost,addr=127.0.0.1");
    for (const what of ["tcp", "streamlocal", "agent"])
      expect(effective.split("\n")).toContain(`allow${what}forwarding no`);
    expect(await forwarded()).toEqual({
      port: expect.stringMatching(/administratively prohibited/) as unknown,
      back: expect.stringMatching(/remote port forwarding failed/) as unknown,
      socket: "ECONNRESET",
    });
    await up();
    const { port } = await forwarded();
    expect(port).toMatch(/^SSH-2\.0-/);
  });
});

describe("the node's own firewall", () => {
  const table = (): Promise<string> => firewall.table(shell);
  const neighbour = (port: number): Promise<string> => firewall.neighbour(shell, port);

  step("lets in the declared sources alone, to the node and to its containers", async () => {
    await shell.root(
      "docker run -d --rm --name published -p 10.25.20.24:8088:80 busybox:lab sh -c 'mkdir -p /www; exec httpd -f -p 80 -h /www' >/dev/null",
    );
    // Its ports are the node's own; Docker forwards nothing to them.
    await shell.root(
      "docker run -d --rm --name shared --network host --userns host busybox:lab sh -c 'mkdir -p /www; exec httpd -f -p 8089 -h /www' >/dev/null",
    );
    await waitFor(async () => (await shell.root("ss -Hltn 'sport = :8089'")) !== "", 60);
    for (const port of [22, 9001, 8088, 8089])
      expect([port, await neighbour(port)]).toEqual([port, "closed"]);
    const rules = ["8088", "8089"].map((port) => ({ port, comment: "a container's" }));
    const open = await up({ nodes: { [NODE]: { network: { firewall: { rules } } } } });
    expect(open.with("update")).toEqual(
      expect.arrayContaining([`${NODE}-firewall`, `${NODE}-firewall-confirm`]),
    );
    for (const port of [8088, 8089]) expect([port, await neighbour(port)]).toEqual([port, "open"]);
    expect(await neighbour(9001)).toBe("closed");
    await up();
    for (const port of [8088, 8089])
      expect([port, await neighbour(port)]).toEqual([port, "closed"]);
    await shell.root("docker stop --time 1 published shared >/dev/null");
  });

  step("the node's own firewall outlives Docker, a flush and a reboot", async () => {
    const whole = await table();
    await shell.root("systemctl restart docker");
    expect(await table()).toBe(whole);
    await shell.root("nft flush ruleset");
    await waitFor(async () => (await table()) === whole, 60);
    expect(await firewall.past(shell)).toBe("dropped");
    const boot = "cat /proc/sys/kernel/random/boot_id";
    const before = await shell.root(boot);
    await shell.root("systemd-run --on-active=1 systemctl reboot 2>/dev/null");
    await waitFor(async () => (await shell.root(boot)) !== before);
    expect(await table()).toBe(whole);
    await shell.root("systemctl is-system-running --wait >/dev/null || true");
    expect(await shell.root("systemctl is-active docker docker-node-firewall-heal.timer")).toBe(
      "active\nactive",
    );
    // Docker's own rules, which the flush had taken, are back with its start.
    await waitFor(
      async () =>
        (await statusOf(`https://127.0.0.1:${lab.forwards["2019"]?.agent ?? 0}/ping`)) === 204,
    );
    expect(await neighbour(22)).toBe("closed");
    expect(await shell.root("iptables -S FORWARD | head -n 1")).toBe("-P FORWARD DROP");
    expect(await firewall.past(shell)).toBe("dropped");
  });

  step(
    "and over the reboot nobody but root gets at what root's containers are made of",
    async () => {
      for (const container of ["portainer_agent", "docker_node_backup"]) {
        expect([container, await sealsOf(shell, container)]).toEqual([container, "root:root 700"]);
        expect([container, await openLayers(shell, container)]).toEqual([container, ""]);
      }
    },
  );
});

step("no container of root's starts on an image that somebody has changed", async () => {
  const agent = "portainer_agent";
  const started = (): Promise<string> =>
    shell.root(`docker inspect --format '{{.HostConfig.Runtime}} {{.State.Running}}' ${agent}`);
  expect(await started()).toBe("docker-node true");
  // By real root: nobody else gets there. The layer is the image's last one.
  const file = await shell.root(`image=$(docker inspect --format '{{.Image}}' ${agent})
    layer=$(docker image inspect --format '{{.GraphDriver.Data.UpperDir}}' "$image")
    file=$(find "$layer" -type f -size +0 | sort | head -n 1)
    docker stop ${agent} >/dev/null
    cp -a "$file" /run/unspoilt
    printf x | dd of="$file" bs=1 conv=notrunc status=none
    ! docker start ${agent} >/dev/null 2>/run/refused
    echo "$file"`);
  expect(file).toMatch(/^\/var\/lib\/docker\//);
  expect(await shell.root("cat /run/refused")).toMatch(
    /docker-node: the layers of sha256:\w+ are not what its digests say; .* sha256:\w+/,
  );
  expect(await started()).toBe("docker-node false");
  await shell.root(`cp -a /run/unspoilt '${file}'
    rm /run/unspoilt /run/refused
    docker start ${agent} >/dev/null`);
  expect(await started()).toBe("docker-node true");
  await stack.preview({ ...quiet, expectNoChanges: true });
});

describe("secrets", () => {
  step("are on the node where they are declared to be, and nowhere else", async () => {
    const canaries = canariesOf(lab, NODE);
    const found = foundBy(await shell.root(searchScript(canaries)), canaries);
    expect(undeclared(found)).toEqual([]);
    const folder = "/var/lib/docker-node/secrets/backup";
    expect(found).toEqual(
      expect.arrayContaining([
        { canary: "backupToken", place: `${folder}/token` },
        { canary: "backupKey", place: `${folder}/key.json` },
        { canary: "agentSecret", place: "docker inspect portainer_agent" },
      ]),
    );
  });

  step("show nowhere while they are put on the node again", async () => {
    const canaries = canariesOf(lab, NODE);
    const { deployment } = (await stack.exportStack()) as { deployment: unknown };
    const { resources } = deployment as { resources: { urn: string }[] };
    const replace = resources.map(({ urn }) => urn).filter((urn) => urn.endsWith("-secrets"));
    expect(replace).not.toEqual([]);
    const again = (seen: object): Promise<unknown> => stack.up({ ...seen, replace });
    const { found } = await searchDuring(shell, canaries, again);
    expect(undeclared(found)).toEqual([]);
    expect(found).toContainEqual({ canary: "agentSecret", place: "environ of agent" });
    await stack.preview({ ...quiet, expectNoChanges: true });
  });

  step("are in nothing that commands print, and in no state", async () => {
    const canaries = canariesOf(lab, NODE);
    const plan = "npx docker-node plan --stack lab --format json";
    const inspecting = [
      ...[plan, "npx docker-node doctor --stack lab --json", "pulumi stack export"],
      ...["backups", "benchmark", "probe"].map(
        (name) => `npx docker-node ${name} --stack lab --json`,
      ),
    ];
    const env = cliEnv(lab);
    let printed = "";
    for (const line of [...inspecting, "pulumi stack output --json"]) {
      const { stdout, stderr } = await ask({ program: "bash", args: ["-c", line], env });
      // Each says something of its own, and not only that it cannot run.
      expect([line, stdout]).toEqual([line, expect.stringMatching(/^[[{]/)]);
      printed += stdout + stderr;
    }
    expect(printed).toContain("proj-docker02");
    expect(canariesIn(printed, canaries)).toEqual([]);
    expect(canariesIn(stateFiles(here.stateDir), canaries)).toEqual([]);
  });
});

describe("validation", () => {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-validate-"));
  const made = (what: string): string =>
    `docker ${what} --quiet --filter label=docker-node.validate`;

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const measured = expect.stringMatching(/held$/) as unknown;

  step("measures every row, or says why it cannot, and leaves nothing on the node", async () => {
    const { states } = await validate(lab, ["--junit", join(folder, "rows.xml")]);
    expect(states[NODE]).toEqual({
      ...{ docker: "held", container: "held", containers: "held" },
      ...{ networks: "held", volumes: "held", images: "not declared" },
      // Measured; whether a busy host is fast enough is not what is tested.
      ...{ cpu: measured, memory: "held", latency: measured, iops: measured, space: "held" },
      "latency-across": "not declared",
      ...{ ports: "held", agent: "held", portainer: "not measured" },
      ...{ primary: "not declared", discovery: "held", "discovery-across": "not declared" },
      benchmark: "held",
      // Before the first night there may be none yet.
      backups: measured,
      // An update may have come meanwhile.
      reboot: measured,
      // Nobody looks at the node in this file, but where it is about that.
      drift: "not measured",
    });
    expect(readFileSync(join(folder, "rows.xml"), "utf8")).toContain(`<testsuite name="${NODE}"`);
    const left = ["ps --all", "volume ls", "network ls", "image ls --all"].map(made).join("; ");
    expect(await shell.root(left)).toBe("");
  });

  step("holds with every measured row, and ends with status 3 when the agent is down", async () => {
    const rows = [...onlyRows(["agent", "ports", "portainer"]), "--allow-unmeasured"];
    expect((await validate(lab, rows)).status).toBe(0);
    await shell.root("docker stop portainer_agent >/dev/null");
    const { status, states } = await validate(lab, rows);
    await shell.root("docker start portainer_agent >/dev/null");
    const down = { agent: "not held", ports: "not held", portainer: "not measured" };
    expect([status, states[NODE]]).toEqual([3, down]);
    const answers = async (): Promise<boolean> =>
      (await validate(lab, onlyRows(["agent"]))).status === 0;
    await waitFor(answers, 120);
  });
});
