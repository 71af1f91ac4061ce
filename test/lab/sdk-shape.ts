/**
 * Reads what a resource takes, once from the declarations of a Pulumi SDK for Node and once from the
 * schema of a plugin, in the same words: `disks[].datastoreId?: string`.
 */
import * as fs from "node:fs";
import * as path from "node:path";

import * as ts from "typescript";

/** A type, without what makes it an input: `string`, `number[]`, `{}` of strings, or an object. */
type Shape = string | { [property: string]: Shape };

/** One line per property, those of nested objects included. */
export function lines(shape: Shape, at = ""): string[] {
  if (typeof shape === "string") return [`${at}: ${shape}`];
  const entries = Object.entries(shape).sort(([a], [b]) => a.localeCompare(b));
  return entries.flatMap(([name, inner]) => lines(inner, at ? `${at}.${name}` : name));
}

/** A property's name with what repeats it, as `disks?[]`, and the type repeated. */
function property(name: string, required: boolean, shape: [Shape, string]): [string, Shape] {
  return [`${name}${required ? "" : "?"}${shape[1]}`, shape[0]];
}

// ---- the SDK ----

/** The interfaces of a declaration file by their full names, such as `backup.JobFleecing`. */
function interfaces(file: string): Map<string, ts.InterfaceDeclaration> {
  const text = fs.readFileSync(file, "utf8");
  const found = new Map<string, ts.InterfaceDeclaration>();
  const visit = (node: ts.Node, prefix: string): void => {
    if (ts.isInterfaceDeclaration(node)) found.set(prefix + node.name.text, node);
    else if (ts.isModuleDeclaration(node) && node.body)
      visit(node.body, `${prefix}${node.name.text}.`);
    else
      ts.forEachChild(node, (child) => {
        visit(child, prefix);
      });
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true), "");
  return found;
}

/** Reads the argument types of one npm package. */
export class Sdk {
  private readonly nested: Map<string, ts.InterfaceDeclaration>;

  constructor(private readonly root: string) {
    this.nested = interfaces(path.join(root, "types/input.d.ts"));
  }

  /** The shape of an interface, such as `PbsArgs` of `proxmoxve:storage/pbs:Pbs`. */
  shape(token: string, kind: "Args" | "State"): Shape {
    const provider = token.startsWith("pulumi:providers:");
    const [, module = "", member = ""] = provider ? ["", "provider", "Provider"] : token.split(":");
    const file = path.join(this.root, `${module.replace(/^index\//, "")}.d.ts`);
    const declaration = interfaces(file).get(`${member}${kind}`);
    if (!declaration) throw new Error(`${file} declares no ${member}${kind}`);
    return this.members(declaration);
  }

  /** The type tokens of all resources the package has. */
  tokens(): string[] {
    const files = fs.readdirSync(this.root, { recursive: true, encoding: "utf8" });
    const sources = files.filter((file) => file.endsWith(".js") && !file.includes("node_modules"));
    return sources.flatMap((file) => {
      const text = fs.readFileSync(path.join(this.root, file), "utf8");
      return /__pulumiType = '([^']+:[^']+)'/.exec(text)?.[1] ?? [];
    });
  }

  private members(declaration: ts.InterfaceDeclaration): Shape {
    const signatures = declaration.members.filter((member) => ts.isPropertySignature(member));
    const entries = signatures.map((member) => {
      if (!member.type) throw new Error(`${member.getText()} has no type`);
      return property(member.name.getText(), !member.questionToken, this.type(member.type));
    });
    return Object.fromEntries(entries);
  }

  /** The type of a node and the brackets around it. */
  private type(node: ts.TypeNode): [Shape, string] {
    if (ts.isUnionTypeNode(node)) {
      const parts = node.types.filter((part) => part.kind !== ts.SyntaxKind.UndefinedKeyword);
      if (parts.length === 1 && parts[0]) return this.type(parts[0]);
    }
    if (ts.isArrayTypeNode(node)) return repeated(this.type(node.elementType), "[]");
    if (ts.isTypeLiteralNode(node)) {
      const index = node.members.find((member) => ts.isIndexSignatureDeclaration(member));
      if (index) return repeated(this.type(index.type), "{}");
    }
    if (ts.isTypeReferenceNode(node)) return this.reference(node);
    return [node.getText(), ""];
  }

  /** What `pulumi.Input` wraps, or the interface of that name. */
  private reference(node: ts.TypeReferenceNode): [Shape, string] {
    const name = node.typeName.getText();
    const wrapped = node.typeArguments?.[0];
    if (name === "pulumi.Input" && wrapped) return this.type(wrapped);
    const declaration = this.nested.get(name.replace(/^inputs\./, ""));
    return [declaration ? this.members(declaration) : name, ""];
  }
}

function repeated([shape, brackets]: [Shape, string], by: string): [Shape, string] {
  return [shape, by + brackets];
}

// ---- the plugin ----

interface SchemaType {
  type?: string;
  $ref?: string;
  items?: SchemaType;
  additionalProperties?: SchemaType;
}

interface ObjectType {
  properties?: Record<string, SchemaType>;
  required?: string[];
}

interface ResourceSchema extends ObjectType {
  inputProperties?: Record<string, SchemaType>;
  requiredInputs?: string[];
  stateInputs?: ObjectType;
}

/** The part of a Pulumi package schema that says what resources take. */
export interface PackageSchema {
  provider: ResourceSchema;
  resources: Record<string, ResourceSchema>;
  types?: Record<string, ObjectType>;
}

/** The shape of a resource's inputs, or of the state it is looked up by. */
export function schemaShape(schema: PackageSchema, token: string, kind: "Args" | "State"): Shape {
  const resource = token.startsWith("pulumi:providers:")
    ? schema.provider
    : schema.resources[token];
  if (!resource) throw new Error(`the plugin has no ${token}`);
  if (kind === "State") return objectShape(schema, resource.stateInputs ?? {});
  const { inputProperties: properties, requiredInputs: required } = resource;
  return objectShape(schema, { properties, required });
}

function objectShape(schema: PackageSchema, object: ObjectType): Shape {
  const entries = Object.entries(object.properties ?? {}).map(([name, type]) =>
    property(name, object.required?.includes(name) ?? false, typeShape(schema, type)),
  );
  return Object.fromEntries(entries);
}

function typeShape(schema: PackageSchema, type: SchemaType): [Shape, string] {
  if (type.items) return repeated(typeShape(schema, type.items), "[]");
  if (type.$ref) {
    const object = schema.types?.[type.$ref.replace("#/types/", "")];
    if (!object) throw new Error(`the schema does not define ${type.$ref}`);
    return [objectShape(schema, object), ""];
  }
  if (type.type === "object") {
    return repeated(typeShape(schema, type.additionalProperties ?? { type: "string" }), "{}");
  }
  return [type.type === "integer" ? "number" : (type.type ?? "any"), ""];
}
