/** Turns everything that was found into one node of the stack. */
import { addressOf } from "../../config/cidr";
import { DEFAULT_DAEMON } from "../../config/daemon";
import type { Composed } from "../../config/compose/model";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import { ConfigError, describeProblem, type Problem } from "../../config/problems";
import { DEFAULT_STARTUP } from "../../config/schema";
import { daemonOf, dockerOf, publicKeysOf } from "./docker";
import type { Facts } from "./facts";
import { Findings, type Finding } from "./finding";
import { machineOf } from "./machine";
import type { Tree } from "../../config/tree";
import { pinExactly, withoutDefaults } from "./minimal";
import { networksOf } from "./networks";
import { agentOf, reportOthers, volumesOf, type Named, type Portainer } from "./platform";
import type { Hardware } from "./hardware";

export interface Given {
  /** Name of the node. */
  readonly name: string;
  readonly hardware: Hardware;
  readonly facts: Facts;
  readonly ssh: {
    readonly user: string;
    readonly hostKey: string;
    readonly privateKeyFile: string;
    /** Where it was reached, when that is not its own address and port 22. */
    readonly endpoint?: { readonly host: string; readonly port: number };
  };
  /** What the stack declares so far. */
  readonly stack: RawSettings;
  /** What docker compose made of the files of its projects. */
  readonly composed?: Readonly<Record<string, Composed>>;
  readonly portainer: Portainer;
}

/** A node that is ready to be written, unless a finding refuses it. */
export interface Draft {
  readonly node: Tree;
  readonly findings: readonly Finding[];
}

/** The configuration's own defaults, as far as they suit an adopted node. */
const OWN_DEFAULTS = {
  machine: { description: "", tags: [], startup: DEFAULT_STARTUP },
  engine: { groupMembers: [], daemon: DEFAULT_DAEMON },
  networks: {},
  volumes: {},
  adopt: { networks: {}, volumes: [] },
};

/** Drafts the configuration of a node as it was found. */
export function draft(given: Given): Draft {
  const findings = new Findings();
  const base = merge(OWN_DEFAULTS, given.stack.defaults ?? {}) as Tree;
  const parts = { ...draftFixed(given, base, findings), ...draftNamed(given, findings) };
  for (;;) {
    const node = withoutDefaults(base, treeOf(parts, base));
    const problems = problemsOf(given, node);
    const culprits = problems.filter((problem) => drop(problem, given.name, parts, findings));
    if (culprits.length > 0) continue;
    for (const problem of problems) judge(problem, findings);
    announce(given, parts, findings);
    readProtection(given.hardware, base, findings);
    return { node, findings: findings.all };
  }
}

interface Parts {
  readonly machine: Tree;
  readonly network: Tree;
  readonly ssh: Tree;
  readonly engine: Tree;
  readonly agent: { portainer: Tree; id: string } | undefined;
  readonly networks: Record<string, Named>;
  readonly volumes: Record<string, Named>;
}

function draftFixed(
  { hardware, facts, ssh, portainer }: Given,
  base: Tree,
  findings: Findings,
): Omit<Parts, "networks" | "volumes"> {
  const { machine, network } = machineOf(hardware, facts, findings);
  const { daemon } = base.engine as { daemon: Tree };
  const address = typeof network.address === "string" ? addressOf(network.address) : "";
  return {
    machine,
    network,
    ssh: { ...ssh, publicKeys: publicKeysOf(facts, ssh.user, findings) },
    engine: {
      ...dockerOf(facts, ssh.user, findings),
      daemon: pinExactly(daemon, daemonOf(facts, findings)),
    },
    agent: agentOf(facts, address, portainer, findings),
  };
}

function draftNamed({ facts }: Given, findings: Findings): Pick<Parts, "networks" | "volumes"> {
  return { networks: networksOf(facts, findings), volumes: volumesOf(facts, findings) };
}

function treeOf({ agent, networks, volumes, ...sections }: Parts, base: Tree): Tree {
  const configsOf = (all: Record<string, Named>): Tree =>
    Object.fromEntries(Object.entries(all).map(([name, { config }]) => [name, config]));
  const ids = Object.entries(networks).map(([name, { id }]) => [name, id]);
  return {
    ...sections,
    portainer: agent?.portainer ?? null,
    networks: pinExactly(base.networks, configsOf(networks)),
    volumes: pinExactly(base.volumes, configsOf(volumes)),
    adopt: {
      networks: Object.fromEntries(ids) as Tree,
      volumes: Object.keys(volumes),
      agent: agent?.id,
    },
  };
}

/** Values that weaken the node stay as found. Their waivers need an owner, so the user writes them. */
function judge(problem: Problem, { refuse, waive }: Findings): void {
  if (problem.waiver) waive(problem.waiver, describeProblem(problem));
  else refuse("configuration", describeProblem(problem));
}

function problemsOf({ stack, composed, name }: Given, node: Tree): readonly Problem[] {
  const others = Object.entries((stack.nodes ?? {}) as Tree).filter(([other]) => other !== name);
  try {
    const nodes = { ...Object.fromEntries(others), [name]: node };
    loadSettings({ ...stack, nodes }, undefined, undefined, composed);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

/** A network or volume that the configuration does not accept is left as it is, undeclared. */
function drop(
  { path, allowed }: Problem,
  node: string,
  parts: Parts,
  { leave }: Findings,
): boolean {
  const [section, owner, kind, name] = path.map(String);
  if (section !== "nodes" || owner !== node || (kind !== "networks" && kind !== "volumes"))
    return false;
  if (name === undefined || !(name in parts[kind])) return false;
  Reflect.deleteProperty(parts[kind], name);
  leave(`${kind.slice(0, -1)} ${name}`, `cannot be declared: allowed is ${allowed}`);
  return true;
}

/** Protection is the program's default, and the only thing that an adopted VM gets without being asked for. */
function readProtection({ config }: Hardware, base: Tree, { change }: Findings): void {
  const declared = (base.machine as Tree).protect !== false;
  if (declared && Number(config.protection ?? 0) === 0)
    change("protection", "Proxmox and Pulumi refuse to delete the VM (machine.protect)");
}

function announce({ facts }: Given, parts: Parts, findings: Findings): void {
  for (const kind of ["networks", "volumes"] as const) {
    for (const name of Object.keys(parts[kind]))
      findings.adopt(`${kind.slice(0, -1)} ${name}`, "stays as it is");
  }
  reportOthers(facts, findings);
}
