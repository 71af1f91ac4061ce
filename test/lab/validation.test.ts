/*
 * A stack of two nodes on one segment: workloads find one another and move, `docker-node validate` measures every row and all of them
 * hold, on both nodes, and what is not so is found.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { askOnce } from "../../commands/validate/subject";
import { merge } from "../../config/load";
import type { Tree } from "../../config/tree";
import { openLab } from "../../lab/drill/open";
import { backUp, runBackup } from "../../lab/drill/rehearse";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { readNodes } from "../../lab/lib/reach";
import { removeLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import type { NodeFacts } from "../../lab/lib/summary";
import { Life } from "./life";
import { startPortainer, type LabPortainer } from "./portainer";
import { ADDRESS, NODE, PRIMARY, bothNodes, serveNames, twin, workload } from "./segment";
import { Shell, log, waitFor, quiet } from "./support";
import { onlyRows, validate, type Validated } from "./validate";

jest.setTimeout(30 * 60_000);

const VM_IDS = { [ADDRESS[NODE]]: 2019, [ADDRESS[PRIMARY]]: 2014 };
const here = openInstance("validation");
const folder = mkdtempSync(join(tmpdir(), "docker-node-validation-"));
const life = new Life();
const { step } = life;

let lab: Lab;
let stack: Stack;
let portainer: LabPortainer;
const shells: Record<string, Shell> = {};

/** Opens a shell to each node of the outputs. */
async function openShells(): Promise<void> {
  const nodes = await readNodes(stack);
  for (const [name, { address, hostKey }] of Object.entries(nodes))
    shells[name] = new Shell(lab, VM_IDS[address] ?? 0, hostKey);
}

const rootOf = (node: string, script: string): Promise<string> => {
  const shell = shells[node];
  if (!shell) throw new Error(`no shell to ${node}`);
  return shell.root(script);
};

/** The stack of both nodes; its images are made once. */
const segment = askOnce(() => bothNodes(lab, folder, portainer));

/** Declares both nodes, and what differs. */
async function declare(over: Tree = {}): Promise<void> {
  const { stack: both } = await segment();
  stack = await openStack(lab, merge(both, over) as Tree);
  const apiKey = { value: portainer.secrets.apiKey, secret: true };
  await stack.setConfig("docker-node:portainerApiKey", apiKey);
}

/** Portainer is the stack's own, and the nodes are looked at for drift; Trivy has a cache of its own. */
const validateWith = (...options: string[]): Promise<Validated> =>
  validate(lab, options, { XDG_CACHE_HOME: join(folder, "cache"), DOCKER_NODE_DRIFT: "" });

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  stack = await openStack(lab);
  await openShells();
  const { agentSecret } = lab.credentials;
  portainer = await startPortainer(lab, VM_IDS, { apiKey: "ptr_of-the-lab", agentSecret });
});

afterAll(async () => {
  portainer.close();
  rmSync(folder, { recursive: true, force: true });
  await life.end(here);
});

step("the twin comes up beside the node", async () => {
  stack = await openStack(lab, { nodes: { [PRIMARY]: twin() } });
  await stack.up(quiet);
  await openShells();
  await rootOf(PRIMARY, serveNames);
});

step("the node reaches it, and Portainer has both", async () => {
  await declare();
  const { outputs } = await stack.up(quiet);
  expect((outputs.nodes?.value as NodeFacts)[NODE]).toMatchObject({
    primary: { address: ADDRESS[PRIMARY], reachable: true },
  });
  expect(portainer.store.environments.map(({ Name }) => Name).sort()).toEqual([PRIMARY, NODE]);
});

step("everything of the node is backed up", async () => {
  const opened = await openLab(lab, log);
  const site = opened.site(NODE);
  for (const section of ["volumes", "configuration", "images"]) await runBackup(site, section);
  await backUp("vm", { site });
  // The lab's own stack was opened for this.
  await declare();
});

/** Id of the container that runs for a workload on a node; empty if there is none. */
const idOf = (node: string, name: string): Promise<string> =>
  rootOf(node, `docker ps --quiet --filter label=docker-node.workload=${name}`);

step("a workload finds the one of the other node by its generated name", async () => {
  const reader = await idOf(NODE, "reader");
  const ask = `docker exec ${reader} wget -q -O - http://page.internal:8080/`;
  expect(await rootOf(NODE, ask)).toBe("hello");
});

/** What every node is measured by. */
const COMMON = {
  ...{ docker: "held", container: "held", containers: "held" },
  ...{ networks: "held", volumes: "held", images: "held" },
  ...{ cpu: "held", memory: "held", space: "held" },
  ...{ latency: "held", iops: "held", "latency-across": "held" },
  ...{ ports: "held", agent: "held", portainer: "held", discovery: "held" },
  ...{ benchmark: "held", reboot: "held", drift: "held" },
};

step("every row is measured on both, and all hold", async () => {
  const { status, states } = await validateWith("--junit", join(folder, "rows.xml"));
  expect(states).toEqual({
    [PRIMARY]: {
      ...COMMON,
      ...{ primary: "not declared", "discovery-across": "not declared", backups: "not declared" },
    },
    [NODE]: { ...COMMON, primary: "held", "discovery-across": "held", backups: "held" },
  });
  expect(status).toBe(0);
  const report = readFileSync(join(folder, "rows.xml"), "utf8");
  for (const node of [NODE, PRIMARY]) expect(report).toContain(`<testsuite name="${node}"`);
});

/** That each of these rows of the node does not hold. */
async function expectNotHeld(rows: readonly string[]): Promise<void> {
  const { status, states } = await validateWith(NODE, ...onlyRows(rows));
  expect(states[NODE]).toEqual(Object.fromEntries(rows.map((row) => [row, "not held"])));
  expect(status).toBe(3);
}

step("limits that nothing keeps, and what is declared and not there, do not hold", async () => {
  const { vulnerable } = await segment();
  const validation = {
    ...{ maxCpuPercent: 1, maxMemoryPercent: 1, maxDiskPercent: 1 },
    ...{ maxLatencyMs: 0.001, minIops: 1e9 },
  };
  const missing = {
    ...{ networks: { missing: { subnet: "172.19.9.0/24" } }, volumes: { missing: {} } },
    ...{ workloads: { missing: workload(vulnerable, "true", "true") } },
    engine: { version: "29.8.0" },
  };
  // Nothing is brought up: the command asks whether the node is what the stack file says.
  await declare({ nodes: { [NODE]: { validation, ...missing } } });
  await expectNotHeld([
    ...["docker", "containers", "networks", "volumes", "cpu", "memory", "latency"],
    ...["latency-across", "iops", "space", "images"],
  ]);
  await declare();
});

step("what somebody did to the node is found", async () => {
  const image = `$(docker inspect --format '{{.Image}}' ${await idOf(NODE, "reader")})`;
  await rootOf(
    NODE,
    `touch /run/reboot-required
    docker run --detach --name rogue --privileged --userns host ${image} sleep 9999 >/dev/null
    systemd-run --quiet --unit rogue python3 -m http.server 2376 --bind ${ADDRESS[NODE]}
    sed -i 's/"live-restore": true/"live-restore": false/' /etc/docker/daemon.json
    timeout 120 sh -c 'until ss -Hltn "sport = 2376" | grep -q .; do sleep 1; done'`,
  );
  await expectNotHeld(["ports", "benchmark", "reboot", "drift"]);
  await rootOf(
    NODE,
    `rm /run/reboot-required
    docker rm --force rogue >/dev/null; systemctl stop rogue
    sed -i 's/"live-restore": false/"live-restore": true/' /etc/docker/daemon.json`,
  );
});

/** The nodes that run what the program placed. */
async function findRover(): Promise<string[]> {
  const found = await Promise.all(
    [PRIMARY, NODE].map(async (node) => ((await idOf(node, "rover")) ? [node] : [])),
  );
  return found.flat();
}

step(
  "a node that is drained gives its placed workload to the other, and gets it back",
  async () => {
    const [home = "", ...others] = await findRover();
    expect(others).toEqual([]);
    await declare({ nodes: { [home]: { drain: "spread" } } });
    await stack.up(quiet);
    expect(await findRover()).toEqual([home === NODE ? PRIMARY : NODE]);
    await declare();
    await stack.up(quiet);
    expect(await findRover()).toEqual([home]);
  },
);

step("an agent and a twin that are down, and a late backup, are found", async () => {
  await rootOf(PRIMARY, "systemctl stop systemd-resolved ssh.socket ssh 2>/dev/null; true");
  await rootOf(NODE, "docker stop portainer_agent >/dev/null; docker volume create late");
  const rows = ["agent", "portainer", "primary", "discovery-across", "backups", "drift"];
  const { status, states } = await validateWith(NODE, ...onlyRows(rows));
  expect([status, states[NODE]]).toEqual([
    3,
    {
      ...{ agent: "not held", portainer: "not measured", primary: "not held" },
      "discovery-across": "not held",
      // Pulumi reads the whole stack, and the twin's Docker is out of reach.
      ...{ backups: "not held", drift: "not measured" },
    },
  ]);
  await rootOf(NODE, "docker start portainer_agent >/dev/null; docker volume rm late");
  const agentAnswers = async (): Promise<boolean> =>
    (await validateWith(NODE, ...onlyRows(["agent"]))).status === 0;
  await waitFor(agentAnswers, 120);
});
