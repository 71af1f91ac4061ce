/** docs/reference/outputs.md, from the contract in contract/schema.ts; and the record that shows when the contract is broken. */
import type { z } from "zod";
import { CONTRACT, contract, nodeContract } from "../../contract/schema";
import { tableRow, toSchema, typeOf, type Schema } from "./schema-table";

/** An output: where it is, what it is, whether it is always there. */
export interface Field {
  readonly path: string;
  readonly type: string;
  readonly always: boolean;
  readonly description: string;
}

/** Types of all outputs by path, `?` behind what may be missing, by version of the contract. */
export type OutputsRecord = Readonly<Record<string, Readonly<Record<string, string>>>>;

const INTRO = `# Outputs

Generated from \`contract/schema.ts\` by \`npm run docs\`; do not edit.

What a stack of this program tells other stacks. This is contract ${CONTRACT}; no output is a secret. A new output keeps the
version. Removing one, renaming it or changing its meaning raises the version, and \`npm test\` checks that. A reader of
another version gets an error that says so, not half of the outputs. A new value of an output that has one of several keeps the
version too: only a stack that declares it has it, and an earlier reader refuses it by its name.

## Reading them

\`\`\`ts
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { dockerNode, dockerProvider } from "docker-node/contract";

const platform = new pulumi.StackReference("organization/docker-node/prod");
const node = dockerNode(platform, "proj-docker02"); // typed and checked; dockerNodes(platform) for all of them
const provider = dockerProvider("proj-docker02", node, { privateKeyFile: "~/.ssh/docker-node_ed25519" });
new docker.Volume("results", { name: "results" }, { provider });
\`\`\`

\`dockerProvider\` pins the node's host key. [Build on a node](../how-to/build-on-a-node.md) says more;
[examples/consumer](../../examples/consumer/README.md) is a whole stack.
`;

const FINGERPRINT = `## The agent's certificate

The Portainer agent makes a new self-signed certificate at every start. The program reads \`agentFingerprint\` when it
creates or replaces the container, and when it resizes the machine or changes Docker. After any other restart the output is out of date, and
whoever pins it is refused. Read it again:

\`\`\`console
pulumi up --replace '**<node>-agent-certificate'
\`\`\`
`;

/** The whole page. */
export function outputsPage(): string {
  const outputSection = (title: string, schema: z.ZodType): string =>
    [
      `## ${title}`,
      "",
      "| output | type | there | meaning |",
      "|---|---|---|---|",
      // A node has a section of its own.
      ...outputFields(schema)
        .filter(({ path }) => !path.startsWith("nodes."))
        .map(fieldRow),
      "",
    ].join("\n");
  const stack = outputSection("Of the stack", contract);
  return [INTRO, stack, outputSection("nodes.<name>", nodeContract), FINGERPRINT].join("\n");
}

function fieldRow({ path, type, always, description }: Field): string {
  return tableRow([`\`${path}\``, type, always ? "always" : "if any", description]);
}

/** Every output of the contract. */
export function outputFields(schema: z.ZodType = contract): Field[] {
  return fieldsOf(toSchema(schema, "output"));
}

function fieldsOf(schema: Schema, prefix = ""): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    const always = (schema.required ?? []).includes(key);
    const type = value.additionalProperties ? "map" : typeOf(value);
    const own = { path, type, always, description: value.description ?? "" };
    return [own, ...nestedFields(path, value)];
  });
}

function nestedFields(path: string, value: Schema): Field[] {
  return [
    ...fieldsOf(value, `${path}.`),
    ...(value.additionalProperties ? fieldsOf(value.additionalProperties, `${path}.<name>.`) : []),
    ...(value.items ? fieldsOf(value.items, `${path}[].`) : []),
  ];
}

/**
 * The record with the contract as it is now.
 * @throws Error when what was recorded for this version is gone or changed: consumers rely on it
 */
export function recordOutputs(
  recorded: OutputsRecord,
  version: number,
  now: readonly Field[],
): OutputsRecord {
  const current = Object.fromEntries(
    now.map(({ path, type, always }) => [path, always ? type : `${type}?`]),
  );
  const broken = Object.entries(recorded[version] ?? {}).flatMap(([path, was]) => {
    const is = current[path];
    if (is !== undefined && isKept(was, is)) return [];
    return [`  ${path}: was ${was}, is ${is ?? "gone"}`];
  });
  if (broken.length === 0) return { ...recorded, [version]: current };
  throw new Error(
    `outputs that other stacks rely on have changed: raise CONTRACT (${version}) in contract/schema.ts\n${broken.join("\n")}`,
  );
}

/** Whether an output is what it was, or more: there always, or with a further value beside the earlier ones. */
function isKept(was: string, is: string): boolean {
  const valuesOf = (type: string): string[] => type.replace(/\?$/, "").split(" or ");
  const more = valuesOf(was).every((value) => valuesOf(is).includes(value));
  return more && (was.endsWith("?") || !is.endsWith("?"));
}
