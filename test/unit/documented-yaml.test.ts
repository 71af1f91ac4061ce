/**
 * Every YAML block of every document is taken by what reads it: by the program's own loader, where it goes into a stack file,
 * else by docker compose or Prometheus. A block that nobody is known to read fails.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { readCompose } from "../../clients/compose";
import { targetGroups } from "../../components/outputs";
import { loadSettings, type RawSettings, type Settings } from "../../config/load";
import { nodeSchema } from "../../config/schema";
import { missingSecrets } from "../../config/secret-needs";
import { isTree, type Tree } from "../../config/tree";
import { dayAfter } from "../../config/waivers/days";
import { findPromtool } from "../../lab/lib/prometheus";
import { DOCUMENTED, replayIn } from "../support/compose";
import { ROOT, blocks, documents, read, type Block } from "../support/documents";
import { RULES, rules } from "../support/monitoring";
import { selfSigned } from "../support/portainer";
import { makeScratch } from "../support/scratch";
import { prodNode, prodWith, stackFile, waiver } from "../support/settings";

const NODE = "proj-docker02";
const IMAGE = `registry.example.org/platform/postgres:17.2@sha256:${"0f".repeat(32)}`;

const { cert, fingerprint } = selfSigned();

/** What a reader writes in the place of what a block leaves open. A waiver's last day is one to come. */
function filledIn(text: string): string {
  const pem = /^( *)-----BEGIN CERTIFICATE-----\n *…\n *-----END CERTIFICATE-----$/gm;
  return text
    .replaceAll("<64 hex digits>", "0f".repeat(32))
    .replaceAll("AB:CD:…", fingerprint)
    .replaceAll(pem, (_, indent: string) => cert.trim().replaceAll(/^/gm, indent))
    .replaceAll(/(?<=expires: )"\d{4}-\d\d-\d\d"/g, `"${dayAfter(new Date(), 100)}"`);
}

/** One more node like production's. */
const another = (name: string, number: number, more: object = {}): Tree => ({
  [name]: {
    ...{ machine: { vmId: 2000 + number }, network: { address: `10.25.20.${number}/24` } },
    ...more,
  },
});

/** What the words around a block ask for beside it, by document and first key. */
const AROUND: Readonly<Record<string, Tree>> = {
  "docs/explanation/security.md hardening": { waivers: [waiver("hardening-audit-off")] },
  "docs/reference/security.md config": {
    nodes: another("proj-docker03", 33, { engine: { daemon: { "userns-remap": null } } }),
  },
  "docs/how-to/change-a-node.md networks": { waivers: [waiver("network-vlan-unfiltered")] },
  "docs/how-to/place-workloads.md docker-node:workloads": { nodes: another("proj-docker01", 31) },
  "docs/how-to/place-workloads.md place": {
    defaults: { volumes: { "db-data": {} } },
    nodes: another("proj-docker03", 33),
    workloads: { db: { image: IMAGE, volumes: { "db-data": { path: "/data" } } } },
  },
  "docs/how-to/run-several-nodes.md proj-docker01": { nodes: another("proj-docker01", 31) },
};

/** Where a block belongs that has neither keys of a stack file nor of a node, by its first key. */
const WITHIN: Readonly<Record<string, readonly string[]>> = {
  "observatory-secondary": ["nodes", NODE, "networks"],
  "proj-docker01": ["nodes"],
  place: ["workloads", "db"],
};

type Kind = "stack file" | "Prometheus" | "compose file" | "comment";

/** What a block is part of; undefined when nobody is known to read it. */
function kindOf(tree: unknown): Kind | undefined {
  if (tree === null) return "comment";
  if (!isTree(tree)) return undefined;
  const keys = Object.keys(tree);
  if (keys.every((key) => ["scrape_configs", "rule_files"].includes(key))) return "Prometheus";
  if (keys[0] === "services") return "compose file";
  const isOfFile = keys.every((key) => key === "config" || key.startsWith("docker-node:"));
  const isOfNode = keys.every((key) => key in nodeSchema.shape);
  return isOfFile || isOfNode || (keys[0] ?? "") in WITHIN ? "stack file" : undefined;
}

interface Known extends Block {
  readonly tree: unknown;
  /** Its document and first key. */
  readonly key: string;
}

const all: readonly Known[] = documents()
  .flatMap((document) => blocks(document, "yaml", "yml"))
  .map((block) => {
    const text = filledIn(block.text);
    const tree = parse(text) as unknown;
    const [first = ""] = isTree(tree) ? Object.keys(tree) : [];
    return { ...block, text, tree, key: `${block.document} ${first}` };
  });

const of = (kind: Kind): Known[] => all.filter(({ tree }) => kindOf(tree) === kind);
const named = (kind: Kind): [string, Known][] =>
  of(kind).map((block) => [`${block.document}:${block.line}`, block]);

/** A block as the settings of a stack, from its top. */
function settingsOf({ tree }: Known): Tree {
  const own = tree as Tree;
  if (isTree(own["config"])) return withoutPrefix(own["config"]);
  const [first = ""] = Object.keys(own);
  if (first.startsWith("docker-node:")) return withoutPrefix(own);
  const path = WITHIN[first] ?? ["nodes", NODE];
  return path.reduceRight<Tree>((below, key) => ({ [key]: below }), own);
}

const withoutPrefix = (tree: Tree): Tree =>
  Object.fromEntries(Object.entries(tree).map(([key, value]) => [key.split(":")[1] ?? key, value]));

/** Writes a map into another one. */
function writeInto(base: unknown, added: unknown): unknown {
  if (!isTree(base) || !isTree(added)) return added;
  const written = Object.entries(added).map(([key, value]) => [key, writeInto(base[key], value)]);
  return { ...base, ...(Object.fromEntries(written) as Tree) };
}

/** The stack file of production, its node's settings as the defaults, with what a document adds to it. */
function stackWith(...added: readonly Tree[]): RawSettings {
  const { waivers } = stackFile("prod");
  const parts: Tree[] = [{ ...prodWith({}), waivers }, ...added];
  const lists = parts.flatMap((one) => (one["waivers"] ?? []) as object[]);
  const together = parts.reduce<unknown>(writeInto, {}) as RawSettings;
  return { ...together, waivers: lists };
}

async function load(block: Known): Promise<Settings> {
  const raw = stackWith(AROUND[block.key] ?? {}, settingsOf(block));
  const composed = await readCompose(raw.compose, DOCUMENTED, replayIn(DOCUMENTED));
  return loadSettings(raw, undefined, undefined, composed);
}

test("every block belongs to a kind", () => {
  expect(all.length).toBeGreaterThan(20);
  expect(all.filter(({ tree }) => !kindOf(tree)).map(({ key }) => key)).toEqual([]);
  const unknown = ["jobs: {}", "networks: {}\nnetwroks: {}", "- a", "docker-nodes:nodes: {}"];
  expect(unknown.map((text) => kindOf(parse(text)))).toEqual(unknown.map(() => undefined));
});

test("no exception is left that no block needs", () => {
  const keys = all.map(({ key }) => key);
  expect(Object.keys(AROUND).filter((key) => !keys.includes(key))).toEqual([]);
  const first = keys.map((key) => key.split(" ")[1]);
  expect(Object.keys(WITHIN).filter((key) => !first.includes(key))).toEqual([]);
});

describe("in the stack file of production", () => {
  /** Secrets that production has already. */
  const its = missingSecrets(() => false, loadSettings(stackWith())).map(({ name }) => name);

  test.each(named("stack file"))(
    "%s is taken, and its document says how each secret is set that it calls for",
    async (_, block) => {
      const settings = await load(block);
      const more = missingSecrets((name) => its.includes(name), settings);
      const unsaid = more.filter(
        ({ name }) => !read(block.document).includes(`pulumi config set --secret ${name}`),
      );
      expect(unsaid.map(({ name }) => name)).toEqual([]);
    },
  );

  test("a block that is wrong is told", async () => {
    const [block] = of("stack file").filter(({ key }) => key.endsWith(" monitoring"));
    const wrong = { monitoring: { scrapers: ["10.25.10.300"] } };
    await expect(load({ ...(block as Known), tree: wrong })).rejects.toThrow(/10\.25\.10\.300/);
  });
});

test.each(named("compose file"))(
  "%s is the file that a real docker compose has read",
  (_, block) => {
    const [, path = ""] = /^# (\S+)\n/.exec(block.text) ?? [];
    // Its answer is recorded, and is read with the block that names the file.
    expect(read(`test/fixtures/compose/documented/${path}`)).toBe(block.text);
  },
);

test.each(named("comment"))("%s is the line by which editors check a stack file", (_, block) => {
  const [, schema = ""] = /^# yaml-language-server: \$schema=(\S+)\n$/.exec(block.text) ?? [];
  expect(existsSync(join(ROOT, schema))).toBe(true);
  expect(read("Pulumi.prod.yaml").startsWith(block.text)).toBe(true);
});

describe("in Prometheus's configuration", () => {
  const promtool = findPromtool() ?? "";
  const withPromtool = promtool ? test : test.skip;
  const reason = promtool ? "" : " (skipped: no promtool here; npm run lab -- build)";
  let folder = "";
  beforeEach(() => {
    folder = makeScratch();
    const targets = targetGroups({ [NODE]: prodNode() });
    writeFileSync(join(folder, "docker-nodes.json"), JSON.stringify(targets));
    copyFileSync(join(ROOT, RULES), join(folder, "alerts.yml"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** What promtool says of a configuration, whose files are in the folder here. */
  function check(configuration: unknown): { status: number | null; said: string } {
    const file = join(folder, "prometheus.yml");
    writeFileSync(file, stringify(configuration).replaceAll("/etc/prometheus/", `${folder}/`));
    const options = { encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync(promtool, ["check", "config", file], options);
    return { status, said: stdout + stderr };
  }

  withPromtool(`the blocks of a guide are taken, with the files they name${reason}`, () => {
    const guides = new Set(of("Prometheus").map(({ document }) => document));
    expect(guides.size).toBeGreaterThan(0);
    for (const guide of guides) {
      const parts = of("Prometheus").filter(({ document }) => document === guide);
      const { status, said } = check(Object.assign({}, ...parts.map(({ tree }) => tree as Tree)));
      expect({ status, said }).toMatchObject({ status: 0 });
      expect(said).toContain(`${rules.length} rules found`);
      expect(said).not.toContain("WARNING");
    }
  });

  withPromtool(`a file of targets that is not there is told${reason}`, () => {
    const files = ["/etc/prometheus/lost.json"];
    const scrape = { job_name: "docker-node", file_sd_configs: [{ files }] };
    expect(check({ scrape_configs: [scrape] }).said).toContain("WARNING");
  });
});
