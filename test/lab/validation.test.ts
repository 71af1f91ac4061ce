/*
 * `docker-node validate` in a stack of two nodes on one segment: every row is measured and holds, on both; what is not so is found.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { merge } from "../../config/load";
import type { Tree } from "../../config/tree";
import { openLab } from "../../lab/drill/open";
import { backUp, runBackup } from "../../lab/drill/rehearse";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { buildScanner, seedScannable } from "../../lab/lib/scanner";
import { readNodes } from "../../lab/lib/reach";
import { NETWORK, removeLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import type { NodeFacts } from "../../lab/lib/summary";
import { Life } from "./life";
import { accessTo, startPortainer, type LabPortainer } from "./portainer";
import { secondNode } from "./second-node";
import { Shell, log, waitFor } from "./support";
import { onlyRows, validate, type Validated } from "./validate";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const PRIMARY = "proj-docker01";
const ADDRESS = { [NODE]: "10.25.20.24", [PRIMARY]: "10.25.20.23" };
const VM_IDS = { [ADDRESS[NODE]]: 2019, [ADDRESS[PRIMARY]]: 2014 };
const DOMAIN = "research.example";
const REGISTRY = `${NETWORK.registry}:5000`;
const here = openInstance("validation");
const folder = mkdtempSync(join(tmpdir(), "docker-node-validation-"));
const quiet = { onOutput: (): void => undefined };
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

/** What both nodes have in common here: Portainer, and scans by the lab's Trivy and database. */
async function commonParts(): Promise<Tree> {
  const program = join(await buildScanner(log), "trivy");
  const registry = { port: lab.registryPorts.plain, pid: 0 };
  const { database } = await seedScannable(registry, join(folder, "layouts"), log);
  const name = `${REGISTRY}/${database.repository}:${database.tag}`;
  const { url, caCertificate } = portainer;
  const endpoint = { host: "127.0.0.1", port: registry.port };
  return {
    images: { scan: { program, javaDatabase: null, database: name } },
    registries: { [REGISTRY]: { endpoint } },
    portainer: { environment: { url, caCertificate } },
  };
}

/** What of the twin the node is let in to: SSH, the page of a workload, and names. */
const rules = ["22/tcp", "8080/tcp", "53/tcp", "53/udp"].map((one) => {
  const [port, proto] = one.split("/");
  return { port, proto, source: ADDRESS[NODE], comment: "the secondary" };
});

/** The first node, which lets the second one in. It is not backed up. */
function twin(): unknown {
  const own = { backups: null, network: { firewall: { rules } } };
  return merge(secondNode.nodes[PRIMARY], own);
}

/** A workload that is healthy once this command says so. */
function workload(command: string, healthy: string): Tree {
  const { repository, tag, digest } = lab.images.busybox;
  return {
    image: `${REGISTRY}/${repository}:${tag}@${digest}`,
    command: ["sh", "-c", command],
    networks: { "development-secondary": {} },
    limits: { memoryMiB: 64, cpus: 0.5, processes: 32 },
    healthCheck: {
      command: ["sh", "-c", healthy],
      intervalSeconds: 5,
      timeoutSeconds: 60,
      retries: 30,
    },
    ...{ readySeconds: 600, stopSeconds: 1 },
  };
}

/** One on the twin that serves a page, and one on the node that finds it by its name. */
function workloads(): Record<string, Tree> {
  const page = "echo hello >/tmp/index.html; exec httpd -f -p 8080 -h /tmp";
  const read = (host: string): string => `wget -q -O - http://${host}:8080/ | grep -qx hello`;
  return {
    page: {
      ...workload(page, read("127.0.0.1")),
      ports: [{ port: 8080, containerPort: 8080 }],
    },
    reader: {
      ...workload("trap exit TERM; while :; do sleep 1; done", read("page.internal")),
      reaches: ["page"],
    },
  };
}

/** Makes the twin's systemd-resolved the segment's name server: it knows the twin's full name, from the hosts file. */
const serveNames = `
  echo '${ADDRESS[PRIMARY]} ${PRIMARY}.${DOMAIN}' >>/etc/hosts
  printf '[Resolve]\nDNSStubListenerExtra=${ADDRESS[PRIMARY]}\n' >/etc/systemd/resolved.conf.d/50-segment.conf
  systemctl restart systemd-resolved`;

async function bothNodes(): Promise<Tree> {
  const common = await commonParts();
  const { page, reader } = workloads();
  const names = {
    network: { searchDomain: DOMAIN },
    engine: { daemon: { dns: [ADDRESS[PRIMARY]] } },
  };
  const nodes = {
    [PRIMARY]: merge(merge(twin(), common), { workloads: { page } }),
    [NODE]: merge(merge(common, names), { primary: PRIMARY, workloads: { reader } }),
  };
  return { nodes };
}

/** With this Portainer, and a cache of its own for Trivy. */
const validateWith = (...options: string[]): Promise<Validated> =>
  validate(lab, options, { ...accessTo(portainer), XDG_CACHE_HOME: join(folder, "cache") });

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

step("everything of the node is backed up", async () => {
  const opened = await openLab(lab, log);
  const site = opened.site(NODE);
  for (const section of ["volumes", "configuration", "images"]) await runBackup(site, section);
  await backUp("vm", { site });
});

step("the twin comes up beside the node", async () => {
  stack = await openStack(lab, { nodes: { [PRIMARY]: twin() } });
  await stack.up(quiet);
  await openShells();
  await shells[PRIMARY]?.root(serveNames);
});

step("the node reaches it, and Portainer has both", async () => {
  stack = await openStack(lab, await bothNodes());
  const apiKey = { value: portainer.secrets.apiKey, secret: true };
  await stack.setConfig("docker-node:portainerApiKey", apiKey);
  const { outputs } = await stack.up(quiet);
  expect((outputs.nodes?.value as NodeFacts)[NODE]).toMatchObject({
    primary: { address: ADDRESS[PRIMARY], reachable: true },
  });
  expect(portainer.store.environments.map(({ Name }) => Name).sort()).toEqual([PRIMARY, NODE]);
});

/** Whether a busy host is fast enough is not what is tested. */
const measured = expect.stringMatching(/held$/) as unknown;

/** What every node is measured by. */
const COMMON = {
  ...{ docker: "held", container: "held", containers: "held" },
  ...{ networks: "held", volumes: "held", images: "held" },
  ...{
    cpu: measured,
    memory: "held",
    latency: measured,
    iops: measured,
    "latency-across": measured,
  },
  ...{ ports: "held", agent: "held", portainer: "held", discovery: "held" },
  ...{ benchmark: "held", reboot: "held", drift: "held" },
};

step("a workload finds the one of the other node by its generated name", async () => {
  const reader = "$(docker ps --quiet --filter label=docker-node.workload=reader)";
  const ask = `docker exec ${reader} wget -q -O - http://page.internal:8080/`;
  expect(await shells[NODE]?.root(ask)).toBe("hello");
});

step("every row is measured on both and holds", async () => {
  const { states } = await validateWith("--junit", join(folder, "rows.xml"));
  expect(states).toEqual({
    [PRIMARY]: {
      ...COMMON,
      ...{ primary: "not declared", "discovery-across": "not declared", backups: "not declared" },
    },
    [NODE]: { ...COMMON, primary: "held", "discovery-across": "held", backups: "held" },
  });
  const report = readFileSync(join(folder, "rows.xml"), "utf8");
  for (const node of [NODE, PRIMARY]) expect(report).toContain(`<testsuite name="${node}"`);
});

step("where all that is asked holds it ends with status 0", async () => {
  const rows = ["images", "portainer", "primary", "backups", "agent", "discovery-across"];
  const { status } = await validateWith(NODE, ...onlyRows(rows));
  expect(status).toBe(0);
});

step(
  "a container that Portainer does not see, a twin that is down and a late backup are found",
  async () => {
    await shells[PRIMARY]?.root("systemctl stop systemd-resolved ssh.socket ssh 2>/dev/null; true");
    await shells[NODE]?.root("docker stop portainer_agent >/dev/null; docker volume create late");
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
    await shells[NODE]?.root("docker start portainer_agent >/dev/null; docker volume rm late");
    const agentAnswers = async (): Promise<boolean> =>
      (await validateWith(NODE, ...onlyRows(["agent"]))).status === 0;
    await waitFor(agentAnswers, 120);
  },
);
