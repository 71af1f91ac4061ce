/**
 * The inputs of the resources: names, types, defaults and what is secret are those of
 * @pulumi/command 1.2.1. The check of inputs and the answer to GetSchema both come from this
 * table.
 */
const NAME = "command";
export const VERSION = "1.2.1";

export type Scalar = "string" | "number" | "integer" | "boolean";

export interface Field {
  /** A scalar, any list, a map of strings, an asset or archive, or an object of its own type. */
  type: Scalar | "list" | "map" | "source" | Shape;
  required?: boolean;
  secret?: boolean;
  default?: string | number;
  values?: readonly string[];
}

export interface Shape {
  token: string;
  fields: Readonly<Record<string, Field>>;
}

const endpoint: Shape["fields"] = {
  host: { type: "string", required: true },
  port: { type: "number", default: 22 },
  user: { type: "string", default: "root" },
  password: { type: "string", secret: true },
  privateKey: { type: "string", secret: true },
  privateKeyPassword: { type: "string", secret: true },
  agentSocketPath: { type: "string" },
  hostKey: { type: "string" },
  dialErrorLimit: { type: "integer", default: 10 },
  perDialTimeout: { type: "integer", default: 15 },
};

const proxy: Shape = { token: "command:remote:ProxyConnection", fields: endpoint };
const connection: Shape = {
  token: "command:remote:Connection",
  fields: { ...endpoint, proxy: { type: proxy } },
};

const commands: Shape["fields"] = {
  create: { type: "string" },
  update: { type: "string" },
  delete: { type: "string" },
  stdin: { type: "string" },
  environment: { type: "map" },
  logging: { type: "string", values: ["none", "stdout", "stderr", "stdoutAndStderr"] },
  addPreviousOutputInEnv: { type: "boolean" },
  triggers: { type: "list" },
};

export const command: Shape = {
  token: "command:remote:Command",
  fields: { connection: { type: connection, required: true, secret: true }, ...commands },
};

/** Without files that a command makes or is given (`assetPaths`, `archivePaths`). */
export const localCommand: Shape = {
  token: "command:local:Command",
  fields: { ...commands, dir: { type: "string" }, interpreter: { type: "list" } },
};

export const copyToRemote: Shape = {
  token: "command:remote:CopyToRemote",
  fields: {
    connection: { type: connection, required: true, secret: true },
    source: { type: "source", required: true },
    remotePath: { type: "string", required: true },
    triggers: { type: "list" },
  },
};

type Json = Record<string, unknown>;

function typeJson({ type }: Field): Json {
  if (type === "list") return { type: "array", items: { $ref: "pulumi.json#/Any" } };
  if (type === "map") return { type: "object", additionalProperties: { type: "string" } };
  if (type === "source") return { $ref: "pulumi.json#/Asset" };
  return typeof type === "string" ? { type } : { $ref: `#/types/${type.token}` };
}

function propertiesOf(shape: Shape): Json {
  const toJson = ([name, field]: [string, Field]): [string, Json] => [
    name,
    {
      ...typeJson(field),
      ...(field.secret && { secret: true }),
      ...(field.default !== undefined && { default: field.default }),
      ...(name === "triggers" && { replaceOnChanges: true }),
    },
  ];
  return Object.fromEntries(Object.entries(shape.fields).map(toJson));
}

function requiredOf(shape: Shape): string[] {
  return Object.keys(shape.fields).filter((name) => shape.fields[name]?.required);
}

function resourceJson(shape: Shape, outputs: string[]): Json {
  const produced = Object.fromEntries(outputs.map((name) => [name, { type: "string" }]));
  return {
    properties: { ...propertiesOf(shape), ...produced },
    required: [...requiredOf(shape), ...outputs],
    inputProperties: propertiesOf(shape),
    requiredInputs: requiredOf(shape),
  };
}

/** The answer to GetSchema: as much of the package as this stand-in serves. */
export function packageSchema(): string {
  const typeSpec = (shape: Shape): Json => ({
    type: "object",
    properties: propertiesOf(shape),
    required: requiredOf(shape),
  });
  return JSON.stringify({
    name: NAME,
    version: VERSION,
    description: "Stand-in for the commands of the Command provider",
    types: { [connection.token]: typeSpec(connection), [proxy.token]: typeSpec(proxy) },
    resources: {
      [command.token]: resourceJson(command, ["stdout", "stderr"]),
      [localCommand.token]: resourceJson(localCommand, ["stdout", "stderr"]),
      [copyToRemote.token]: resourceJson(copyToRemote, []),
    },
  });
}
