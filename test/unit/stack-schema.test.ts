import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { parse } from "yaml";
import { merge } from "../../config/load";
import { documentedDaemonSchema } from "../../config/daemon";
import { nodeSchema, proxmoxSchema } from "../../config/schema";
import { toSchema, type Schema } from "../../docs/generator/schema-table";

/** schema/stack.schema.json as an editor uses it: on the text of a stack file. */

type Tree = Record<string, unknown>;

const ROOT = join(__dirname, "..", "..");
const text = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const published = JSON.parse(text("schema/stack.schema.json")) as Schema & {
  definitions: { node: Schema };
};
const validate = new Ajv({ allErrors: true }).compile(published);

/** Where a file is wrong. */
function mistakes(file: unknown): string[] {
  void validate(file);
  return (validate.errors ?? []).map(({ dataPath, params }) => {
    const { additionalProperty, propertyName } = params as Record<string, string | undefined>;
    return [dataPath, additionalProperty ?? propertyName].filter(Boolean).join(" ");
  });
}

const stack = (name: string): Tree => parse(text(`Pulumi.${name}.yaml`)) as Tree;
const NODE = { "docker-node:nodes": { "proj-docker02": {} } };
const withConfig = (over: Tree): unknown => merge(stack("prod"), { config: over });
const withNode = (own: unknown): unknown =>
  withConfig(merge(NODE, { "docker-node:nodes": { "proj-docker02": own } }) as Tree);

test.each(["prod", "lab"])("Pulumi.%s.yaml is valid, and says where its schema is", (name) => {
  expect(mistakes(stack(name))).toEqual([]);
  const [first] = text(`Pulumi.${name}.yaml`).split("\n");
  expect(first).toBe("# yaml-language-server: $schema=schema/stack.schema.json");
});

/** What the program takes. */
const RIGHT: [string, unknown][] = [
  ["keys of Pulumi and of other programs", { ...stack("prod"), encryptionsalt: "v1:x" }],
  ["a key of another program", withConfig({ "aws:region": "eu-central-1" })],
  ["a secret", withConfig({ "docker-node:agentSecret": { secure: "v1:abc" } })],
  ["a node's own token", withConfig({ "docker-node:backupToken-n1": { secure: "v1:abc" } })],
  ["defaults that say a part", withConfig({ "docker-node:defaults": { machine: { cpu: {} } } })],
  ["a node that leaves the rest to the defaults", { config: NODE }],
  [
    "half a network, whose other half is a default",
    withNode({ networks: { lan: { internal: true } } }),
  ],
  ["half a macvlan", withNode({ networks: { lan: { driver: "macvlan", vlan: 30 } } })],
  ["half an ipvlan", withNode({ networks: { lan: { driver: "ipvlan", vlan: 30 } } })],
  ["networks of either kind", withNode({ networks: { lan: { subnet: "10.0.0.0/24" } } })],
  ["keys of daemon.json", withNode({ engine: { daemon: { debug: true, mtu: 1400 } } })],
  ["a primary in this stack", withNode({ primary: "proj-docker01" })],
  ["a primary elsewhere", withNode({ primary: { address: "10.25.20.23" } })],
  ["a template", withNode({ machine: { image: { template: 9000 } } })],
];

test.each(RIGHT)("right: %s", (_what, file) => {
  expect(mistakes(file)).toEqual([]);
});

test("null removes a value of the defaults", () => {
  const machine = { protect: null, image: null };
  const own = { machine, portainer: null, networks: { lan: null }, network: { firewall: null } };
  expect(mistakes({ config: { "docker-node:nodes": { "n-1": own } } })).toEqual([]);
});

const AT_NODE = ".config['docker-node:nodes']['proj-docker02']";

/** [what, file, where it is told] */
const WRONG: [string, unknown, string][] = [
  ["a misspelt section", withConfig({ "docker-node:defualts": {} }), "docker-node:defualts"],
  ["another version", withConfig({ "docker-node:configVersion": 2 }), "configVersion']"],
  ["a secret in plain text", withConfig({ "docker-node:agentSecret": "abc" }), "agentSecret']"],
  ["no endpoint", { config: { "docker-node:proxmox": {} } }, ".config['docker-node:proxmox']"],
  ["a name that no host has", { config: { "docker-node:nodes": { Node_1: {} } } }, "Node_1"],
  ["a misspelt key", withNode({ machine: { vmid: 7 } }), `${AT_NODE}.machine vmid`],
  ["another type", withNode({ machine: { onBoot: "yes" } }), `${AT_NODE}.machine.onBoot`],
  ["too much", withNode({ network: { vlan: 4095 } }), `${AT_NODE}.network.vlan`],
  ["another choice", withNode({ engine: { source: "snap" } }), `${AT_NODE}.engine.source`],
  ["a number for a version", withNode({ engine: { version: 29 } }), `${AT_NODE}.engine.version`],
  [
    "a driver there is not",
    withNode({ networks: { lan: { driver: "overlay" } } }),
    "networks['lan'].driver",
  ],
  ["a refused key of daemon.json", withNode({ engine: { daemon: { hosts: [] } } }), "daemon hosts"],
  ["an image without digest", withNode({ backups: { image: "a:1.0" } }), ".backups.image"],
  [
    "half an image",
    withNode({ machine: { image: { sha256: "a".repeat(64), url: null } } }),
    "image",
  ],
  [
    "a rule with a misspelt key",
    withNode({ network: { firewall: { rules: [{ prot: "tcp" }] } } }),
    "prot",
  ],
];

test.each(WRONG)("wrong: %s", (_what, file, where) => {
  expect(mistakes(file).join("\n")).toContain(where);
});

/** Descriptions by place. */
function descriptions(schema: Schema, path: string): [string, string][] {
  const { description, properties = {}, additionalProperties: map, items } = schema;
  const branches = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return [
    ...(description === undefined ? [] : ([[path, description]] as [string, string][])),
    ...Object.entries(properties).flatMap(([key, one]) => descriptions(one, `${path}.${key}`)),
    ...(map ? descriptions(map, `${path}.*`) : []),
    ...(items ? descriptions(items, `${path}[]`) : []),
    ...branches.flatMap((branch) => descriptions(branch, path)),
  ];
}

test("every description of the program's schema is there", () => {
  const told = descriptions(published.definitions.node, "node");
  const own = descriptions(toSchema(nodeSchema), "node").filter(
    ([path]) => !path.startsWith("node.engine.daemon"),
  );
  const daemon = descriptions(toSchema(documentedDaemonSchema), "node.engine.daemon");
  expect(own.length + daemon.length).toBeGreaterThan(100);
  expect(told).toEqual(expect.arrayContaining([...own, ...daemon]));
  const proxmox = published.properties?.config?.properties?.["docker-node:proxmox"] ?? {};
  expect(descriptions(proxmox, "")).toEqual(
    expect.arrayContaining(descriptions(toSchema(proxmoxSchema), "")),
  );
});
