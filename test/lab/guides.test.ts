/*
 * From the README to Portainer's list, a dashboard with data and a page for a browser, as somebody goes who reads documents and no
 * code: what is written in a stack file, and what is typed, comes from the guides.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "../../clients/process";
import { merge } from "../../config/load";
import type { Tree } from "../../config/tree";
import { pinnedName } from "../../lab/lib/config";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { NETWORK, removeLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import { commands, links, read, yamlBlock } from "../support/documents";
import { queries } from "../support/monitoring";
import { textOfPart } from "../support/reports";
import { Life } from "./life";
import { startPortainer, type LabPortainer } from "./portainer";
import { Prometheus } from "./prometheus";
import { log, shellTo, waitFor } from "./support";
import { onlyRows, validate } from "./validate";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const GUIDES = {
  register: "docs/how-to/register-in-portainer.md",
  monitor: "docs/how-to/monitor-a-node.md",
  report: "docs/how-to/report.md",
};
const here = openInstance("guides");
const folder = mkdtempSync(join(tmpdir(), "docker-node-guides-"));
const life = new Life();
const { step } = life;

let lab: Lab;
let portainer: LabPortainer;
let prometheus: Prometheus;
/** What has been written into the stack file so far. */
let written: Tree = {};

/** Writes a section of the node into the stack file: the guide's block, with what is of this place. */
async function write(section: Tree, own: Tree): Promise<void> {
  written = merge(written, { nodes: { [NODE]: merge(section, own) } }) as Tree;
  await openStack(lab, written);
}

/** The first line of a guide that begins so. */
function lineOf(guide: string, begin: string): string {
  const found = commands(guide).find(({ line }) => line.startsWith(begin));
  if (!found) throw new Error(`${guide} has no line ${begin}`);
  return found.line;
}

/** Types a line of a guide, for the lab's stack; its exit status. */
async function type(line: string, own: Readonly<Record<string, string>> = {}): Promise<number> {
  const filled = Object.entries(own).reduce(
    (text, [open, value]) => text.replace(open, value),
    line,
  );
  const typed = filled.replace("--stack prod", "--stack lab");
  log(typed);
  const env = { ...cliEnv(lab), PULUMI_SKIP_CONFIRMATIONS: "true" };
  const { code, stdout, stderr } = await ask({ program: "bash", args: ["-c", typed], env });
  log(stdout + stderr);
  return code ?? -1;
}

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  prometheus = new Prometheus(lab);
  const { agentSecret } = lab.credentials;
  const secrets = { apiKey: "ptr_of-the-lab", agentSecret };
  portainer = await startPortainer(lab, { "10.25.20.24": 2019 }, secrets);
});

afterAll(async () => {
  await prometheus.stop();
  portainer.close();
  rmSync(folder, { recursive: true, force: true });
  await life.end(here);
});

step("the README leads to the guides", () => {
  const led = [
    ...links(read("README.md")),
    ...links(read("docs/README.md")).map((to) => `docs/${to}`),
  ];
  expect(led).toEqual(expect.arrayContaining(Object.values(GUIDES)));
});

describe("in Portainer's list", () => {
  step("the section is written, the token set, and up makes the environment", async () => {
    const { url, fingerprint, secrets } = portainer;
    await write(yamlBlock(GUIDES.register, "portainer"), {
      // The lab's host stands for port01.
      portainer: { server: NETWORK.host, environment: { url, fingerprint } },
    });
    const set = lineOf(GUIDES.register, "pulumi config set --secret portainerApiKey");
    expect(await type(`${set} --stack prod`, { "<access token>": secrets.apiKey })).toBe(0);
    for (const begin of ["npx docker-node doctor", "pulumi up"])
      expect([begin, await type(lineOf(GUIDES.register, begin))]).toEqual([begin, 0]);
    expect(portainer.store.environments.map(({ Name }) => Name)).toEqual([NODE]);
  });

  step("Portainer shows the containers that Docker has", async () => {
    const { status, states } = await validate(lab, [NODE, ...onlyRows(["agent", "portainer"])]);
    expect(states).toEqual({ [NODE]: { agent: "held", portainer: "held" } });
    expect(status).toBe(0);
  });
});

describe("on a dashboard", () => {
  step("the section is written, and up sets it up", async () => {
    const { cadvisor, haproxy } = lab.images;
    const images = { image: pinnedName(cadvisor), proxy: { image: pinnedName(haproxy) } };
    await write(yamlBlock(GUIDES.monitor, "monitoring"), {
      monitoring: { scrapers: [NETWORK.host], cadvisor: images },
    });
    expect(await type(lineOf(GUIDES.monitor, "pulumi up"))).toBe(0);
  });

  step("Prometheus reads the targets by the file that the guide has made", async () => {
    const file = join(folder, "docker-nodes.json");
    const line = lineOf(GUIDES.monitor, "pulumi stack output monitoringTargets");
    expect(await type(line, { "docker-nodes.json": file })).toBe(0);
    await prometheus.start(JSON.parse(readFileSync(file, "utf8")) as never);
    await waitFor(async () => {
      const found = await prometheus.targets();
      return found.length === 3 && found.every(({ health }) => health === "up");
    });
  });

  step("every panel has data, once a backup was made and changes were looked for", async () => {
    const shell = await shellTo(lab, await openStack(lab, written), NODE);
    for (const kind of ["volumes", "configuration", "images"])
      await shell.root(`docker exec docker_node_backup backup ${kind}`);
    await shell.root("systemctl start docker-node-drift docker-node-health");
    const panels = queries.map((query) => query.replaceAll("$node", NODE));
    const empty = (): Promise<string[]> => prometheus.findingNothing(panels);
    await waitFor(async () => (await empty()).length === 0, 120).catch(() => undefined);
    expect(await empty()).toEqual([]);
  });
});

step("a page of the node, with what Portainer and Prometheus say", async () => {
  const line = commands(GUIDES.report).find((one) => one.line.includes("--prometheus"))?.line ?? "";
  const out = join(folder, "reports");
  const status = await type(`${line} --out ${out}`, {
    "http://mon01.example.org:9090": prometheus.url,
  });
  // 3: no drill was ever rehearsed here.
  expect([0, 3]).toContain(status);
  const page = readFileSync(join(out, `node-${NODE}.html`), "utf8");
  expect(page).toContain(`<h1>Node ${NODE}</h1>`);
  expect(textOfPart(page, "containers")).toContain("portainer_agent");
  expect(textOfPart(page, "validation")).toMatch(/Portainer/);
  expect(textOfPart(page, "alerts")).not.toContain("not known");
});
