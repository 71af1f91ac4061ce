/*
 * Each secret of a stack is changed by one change of the configuration and one `up`, and what holds the old one is gone. Portainer and
 * the ways to it are stand-ins; everything on the node is real but the agent.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Stack, UpOptions } from "@pulumi/pulumi/automation";
import { z } from "zod";
import { connect } from "../../clients/portainer";
import type { Tree } from "../../config/tree";
import { newKeyFile, openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { changePbs } from "../../lab/lib/pbs";
import { removeLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import {
  canariesIn,
  foundBy,
  searchScript,
  unexplained,
  type Canary,
  type Known,
} from "../support/canaries";
import { DECLARED, canariesOf, searchDuring } from "./canaries";
import { Life } from "./life";
import { accessTo, startPortainer, type LabPortainer } from "./portainer";
import { openGate, type ProxmoxGate } from "./proxmox-gate";
import { sealsOf } from "./remapped";
import {
  Proxmox,
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

jest.setTimeout(20 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("rotation");
const newSecret = (): string => randomBytes(16).toString("hex");

let lab: Lab;
let stack: Stack;
let shell: Shell;
let portainer: LabPortainer;
let gate: ProxmoxGate;
const life = new Life();
const { step } = life;

/** The values that the stack has now, by name, and all that it ever had. */
const secrets: Record<string, string> = {};
const canaries: Canary[] = [];

/** Sets secrets. What was set before is a canary of its own from then on: nothing may have it any more. */
function rotate(changed: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(changed)) {
    const before = secrets[name];
    if (before !== undefined) {
      const known = canaries.findIndex((one) => one.name === name);
      if (known >= 0) canaries.splice(known, 1);
      canaries.push({ name: `earlier ${name}`, text: tellingPart(name, before) });
    }
    secrets[name] = text;
    canaries.push({ name, text: tellingPart(name, text) });
  }
}

/** The part of a value that is nowhere else. */
function tellingPart(name: string, text: string): string {
  if (name === "proxmoxApiToken") return text.split("=")[1] ?? text;
  return name === "backupKey" ? (JSON.parse(text) as { data: string }).data : text;
}

/** Brings the stack up with the values of now. Meanwhile none shows, and processes have only those that they are declared to have. */
async function up(portainerConfig: Tree = {}): Promise<Steps> {
  const { url, caCertificate } = portainer;
  const own = { environment: { url, caCertificate }, ...portainerConfig };
  const proxmox = { endpoint: gate.endpoint };
  stack = await openStack(lab, { proxmox, nodes: { [NODE]: { portainer: own } } });
  for (const [name, value] of Object.entries(secrets))
    await stack.setConfig(`docker-node:${name}`, { value, secret: true });
  const update = (seen: UpOptions): Promise<Steps> => upSteps(stack, seen);
  const { result: steps, found } = await searchDuring(shell, canaries, update);
  // Until an agent is replaced, it has the value from before.
  const named = found.map((one) => ({ ...one, canary: one.canary.replace(/^earlier /, "") }));
  expect(unexplained(named, [...DECLARED, ...asNext, ...asEdge])).toEqual([]);
  expect(canariesIn(stateFiles(here.stateDir), canaries)).toEqual([]);
  return steps;
}

const tokenOf = (secret: string): string => `${lab.apiToken.split("=")[0] ?? ""}=${secret}`;

/** All of them, stopped ones too. */
const containers = async (): Promise<string> =>
  (await shell.root("docker ps -aq --no-trunc")).split("\n").sort().join();

/** Environments by which Portainer shows exactly the containers that Docker has; again, if one came or went meanwhile. */
async function reachable(): Promise<string[]> {
  const { url, caCertificate, secrets: own, store } = portainer;
  const client = connect({ url, caCertificate, apiKey: own.apiKey });
  const there = await containers();
  const shown: string[] = [];
  for (const { Name, URL: agent } of store.environments) {
    const seen = await client.containers({ url: agent }).catch(() => []);
    if ([...seen].sort().join() === there) shown.push(Name);
  }
  return there === (await containers()) ? shown : reachable();
}

/** What `reachable` says, again and again while something runs. */
async function watch<T>(running: Promise<T>): Promise<[T, string[][]]> {
  const seen: string[][] = [];
  let over = false;
  const look = async (): Promise<void> => {
    while (!over) {
      seen.push(await reachable());
      await new Promise((resolve) => setTimeout(resolve, 5000));
    }
  };
  const [result] = await Promise.all([running.finally(() => (over = true)), look()]);
  return [result, seen];
}

/** What became of rows, with this Portainer. */
async function statesOf(...ids: string[]): Promise<Readonly<Record<string, string>> | undefined> {
  const { states } = await validate(lab, onlyRows(ids), accessTo(portainer));
  return states[NODE];
}

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  stack = await openStack(lab);
  shell = await shellTo(lab, stack, NODE);
  const { agentSecret, backupKey } = lab.credentials;
  for (const one of canariesOf(lab, NODE))
    if (/privateKey|passphrase/.test(one.name)) canaries.push(one);
  const backupToken = lab.pbs.backupTokens[NODE]?.secret ?? "";
  rotate({ agentSecret, backupKey, pbsStorageToken: lab.pbs.storageToken.secret });
  rotate({ [`backupToken-${NODE}`]: backupToken, portainerApiKey: newSecret() });
  rotate({ proxmoxApiToken: lab.apiToken });
  gate = await openGate(lab);
  gate.tokens.add(lab.apiToken);
  const { portainerApiKey: apiKey = "" } = secrets;
  portainer = await startPortainer(lab, { "10.25.20.24": 2019 }, { apiKey, agentSecret });
});

afterAll(async () => {
  await life.end(here);
  portainer.close();
  gate.close();
});

step("the node is in Portainer's list, with all containers that Docker has", async () => {
  const steps = await up();
  await shell.root(
    "docker create --name at-rest $(docker inspect -f '{{.Image}}' portainer_agent)",
  );
  expect(await shell.root("docker inspect -f '{{.State.Running}}' at-rest")).toBe("false");
  expect(steps.with("create")).toEqual([`${NODE}-environment`]);
  expect(await reachable()).toEqual([NODE]);
  const both = { agent: "held", portainer: "held" };
  expect(await statesOf(...Object.keys(both))).toEqual(both);
});

step("a firewall that lets nobody reach the agent hides the node from Portainer", async () => {
  const proxmox = new Proxmox(lab);
  const rules = "/nodes/pve01/qemu/2019/firewall/rules";
  const all = await proxmox.read(
    rules,
    z.array(z.looseObject({ pos: z.coerce.number(), dport: z.string().optional() })),
  );
  const rule = `${rules}/${all.find(({ dport }) => dport === "9001")?.pos ?? ""}`;
  await proxmox.put(rule, { enable: "0" });
  await waitFor(async () => (await reachable()).length === 0, 120);
  await proxmox.put(rule, { enable: "1" });
  await waitFor(async () => (await reachable()).join() === NODE, 120);
  await stack.refresh({ ...quiet, expectNoChanges: true });
});

step("the access tokens of Portainer and Proxmox VE: nothing on the node changes", async () => {
  rotate({ portainerApiKey: newSecret(), proxmoxApiToken: tokenOf(randomUUID()) });
  portainer.secrets.apiKey = secrets.portainerApiKey ?? "";
  gate.tokens.add(secrets.proxmoxApiToken ?? "");
  const steps = await up();
  expect(steps.with("update")).toEqual([`${NODE}-environment`, "proxmox"]);
  expect(steps.diffs).toHaveLength(2);
  // The earlier token is revoked, and nothing asks with it.
  gate.tokens.delete(lab.apiToken);
  await stack.up({ ...quiet, expectNoChanges: true });
  await stack.refresh({ ...quiet, expectNoChanges: true });
});

/** The VM backups in the cluster's storage, which Proxmox asks the backup server for with the token that it keeps. */
const vmBackups = (): Promise<unknown> =>
  new Proxmox(lab).get("/nodes/pve01/storage/pbs01/content?content=backup");

step(
  "the secrets of the backups: container and cluster are told, and work with the new ones alone",
  async () => {
    const stored = await vmBackups();
    rotate({
      [`backupToken-${NODE}`]: randomUUID(),
      backupKey: newKeyFile(),
      pbsStorageToken: randomUUID(),
    });
    changePbs(lab.pbs.settingsFile, ({ tokens }) => {
      for (const one of tokens) {
        if (one.id === lab.pbs.backupTokens[NODE]?.id) one.secret = secrets[`backupToken-${NODE}`];
        if (one.id === lab.pbs.storageToken.id) one.secret = secrets.pbsStorageToken;
      }
    });
    await expect(vmBackups()).rejects.toThrow(/error listing snapshots/);
    const steps = await up();
    // The provider replaces a storage whose token is another; its backups stay.
    expect(steps.with("create-replacement")).toContain("storage-pbs01");
    expect(steps.with("create-replacement")).not.toContain(`${NODE}-vm`);
    expect(await vmBackups()).toEqual(stored);
    await shell.root("docker exec docker_node_backup backup configuration");
    await stack.up({ ...quiet, expectNoChanges: true });
  },
);

const OF_NEXT = "docker inspect portainer_agent_next";

/** Where an agent has its secret, as the second one has it. */
const asNext: Known[] = DECLARED.filter(({ canary }) => canary === "agentSecret").map((one) => ({
  ...one,
  canary: "agentSecretNext",
}));

describe("AGENT_SECRET, on both ends", () => {
  const next = { agent: { next: {} } };
  const both = [NODE, `${NODE} (next)`] as const;

  step("a second agent is there beside the first one, before Portainer changes", async () => {
    rotate({ agentSecretNext: newSecret() });
    const steps = await up(next);
    expect(steps.with("create")).toEqual(
      expect.arrayContaining([`${NODE}-next-agent-container`, `${NODE}-next-environment`]),
    );
    expect(steps.with("create-replacement")).toEqual([]);
    expect(await reachable()).toEqual([both[0]]);
    expect(await sealsOf(shell, "portainer_agent_next")).toBe("root:root 700");
    portainer.secrets.agentSecret = secrets.agentSecretNext ?? "";
    expect(await reachable()).toEqual([both[1]]);
  });

  step("the second agent has its secret where the first one has its own", async () => {
    const own = canaries.filter(({ name }) => name === "agentSecretNext");
    const found = foundBy(await shell.root(searchScript(own)), own);
    expect(found).toContainEqual({ canary: "agentSecretNext", place: OF_NEXT });
    const left = unexplained(found, asNext).filter(({ place }) => place !== OF_NEXT);
    expect(left).toEqual([]);
  });

  step("the first one gets the new secret, and both are reached", async () => {
    rotate({ agentSecret: secrets.agentSecretNext ?? "" });
    const [steps, seen] = await watch(up(next));
    expect(steps.with("create-replacement")).toEqual([`${NODE}-agent-container`]);
    expect(seen.filter((names) => names.length === 0)).toEqual([]);
    expect(await reachable()).toEqual([...both]);
  });

  step("the second one goes", async () => {
    delete secrets.agentSecretNext;
    canaries.splice(
      canaries.findIndex(({ name }) => name === "agentSecretNext"),
      1,
    );
    await stack.removeConfig("docker-node:agentSecretNext");
    const [steps, seen] = await watch(up());
    expect(steps.with("delete")).toContain(`${NODE}-next-environment`);
    expect(seen.filter((names) => names.length === 0)).toEqual([]);
    expect(await reachable()).toEqual([NODE]);
    expect(await shell.root("docker ps -aq -f name=portainer_agent_next")).toBe("");
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

/** The agent's key, once there is one. */
const EDGE = "the agent takes it from its environment alone: waiver policy-secret-in-environment";
/** A database that does not overwrite what it frees; only root reads it. */
const FREED = "a page of containerd's database that is free, until something is written there";

const asEdge: Known[] = DECLARED.filter(({ canary }) => canary === "agentSecret").flatMap((one) =>
  ["edgeKey", "edgeId"].map((canary) => ({ ...one, canary, why: EDGE })),
);
const freed: Known[] = ["earlier agentSecret", "earlier edgeKey", "earlier edgeId"].map(
  (canary) => ({ canary, place: /\/io\.containerd\.metadata\.v1\.bolt\/meta\.db$/, why: FREED }),
);

describe("an agent that reaches Portainer", () => {
  const heartbeat = async (): Promise<boolean> => {
    const { url, caCertificate, secrets: own } = portainer;
    const client = connect({ url, caCertificate, apiKey: own.apiKey });
    return (await client.environment({ name: NODE })).Heartbeat;
  };
  const edge = (): Tree => ({ edge: { url: portainer.nodeUrl, checkinSeconds: 3 } });
  const port = (): string => `https://127.0.0.1:${lab.forwards["2019"]?.agent ?? 0}/ping`;

  step("takes the place of the other one, in one up", async () => {
    const steps = await up(edge());
    expect(steps.with("update")).toEqual(
      expect.arrayContaining([`${NODE}-environment`, `${NODE}-firewall-rules`]),
    );
    expect(steps.with("create-replacement")).toEqual([`${NODE}-agent-container`]);
    expect(steps.with("delete")).toContain(`${NODE}-agent-certificate`);
    await waitFor(heartbeat, 120);
    expect(portainer.store.environments).toMatchObject([{ Name: NODE, Type: 4 }]);
    // The stand-ins have no tunnel, so Portainer sees no container.
    const rows = { agent: "held", portainer: "not measured" };
    expect(await statesOf(...Object.keys(rows))).toEqual(rows);
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("opens no port, and has its key where it is declared to be", async () => {
    await expect(statusOf(port())).rejects.toThrow();
    expect(await shell.root("ss -Hltn 'sport = :9001'")).toBe("");
    const [{ EdgeKey = "", EdgeID = "" } = {}] = portainer.store.environments;
    canaries.push({ name: "edgeKey", text: EdgeKey }, { name: "edgeId", text: EdgeID });
    expect(canariesIn(stateFiles(here.stateDir), canaries)).toEqual([]);
    const envs = await shell.root("docker inspect -f '{{json .Config.Env}}' portainer_agent");
    expect(envs).toContain(`EDGE_KEY=${EdgeKey}`);
    const root = "{{.HostConfig.ReadonlyRootfs}}";
    expect(await shell.root(`docker inspect -f '${root}' portainer_agent`)).toBe("true");
  });

  step("old and new values are where they are declared to be, and nowhere else", async () => {
    const named = canaries.map((one) => ({ ...one, name: one.name.replace(`-${NODE}`, "") }));
    const found = foundBy(await shell.root(searchScript(named)), named);
    const left = unexplained(found, [...DECLARED, ...asEdge, ...freed]);
    expect(left.map(({ canary, place }) => `${canary}: ${place}`)).toEqual([]);
    expect(found.map(({ canary }) => canary)).toEqual(
      expect.arrayContaining(["agentSecret", "backupToken", "backupKey", "edgeKey"]),
    );
  });

  step("and back: Portainer reaches the agent again", async () => {
    await up();
    expect(portainer.store.environments).toMatchObject([{ Name: NODE, Type: 2 }]);
    expect(await reachable()).toEqual([NODE]);
    expect(await statusOf(port())).toBe(204);
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});
