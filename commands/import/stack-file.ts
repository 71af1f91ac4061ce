/** Adds a node to a stack's file. All other text of the file stays exactly as it is. */
import { isDeepStrictEqual } from "node:util";
import { isMap, isScalar, parse, parseDocument, stringify, type Node, type YAMLMap } from "yaml";
import { isTree, type Tree } from "../../config/tree";

const NODES = "docker-node:nodes";
const NOTE = "# Adopted by `npx docker-node import`, see docs/how-to/adopt-a-vm.md";

/** The file has a node of that name that says something else. */
export class NodeExists extends Error {
  override readonly name = "NodeExists";
}

/**
 * The text of the file with the node in it; the same text when it is there already.
 * @throws NodeExists when another one has the name
 * @throws Error when the file is not one a node can be added to
 */
export function addNode(text: string, name: string, node: Tree): string {
  const nodes = nodesOf(text);
  if (name in nodes) {
    if (isDeepStrictEqual(nodes[name], node)) return text;
    throw new NodeExists(
      `the stack has another node ${name} already: take it out to have it written as it was found, or give this one a --name`,
    );
  }
  const result = insertNode(text, name, node);
  if (!isDeepStrictEqual(nodesOf(result), { ...nodes, [name]: node }))
    throw new Error(
      `the node does not fit into the file; add it by hand:\n${renderNode(name, node, 4)}`,
    );
  return result;
}

/** The nodes of a file's text, as they are written. */
function nodesOf(text: string): Tree {
  const file: unknown = parse(text);
  const config = isTree(file) ? file.config : undefined;
  const nodes = isTree(config) ? config[NODES] : undefined;
  if (nodes === undefined || nodes === null) return {};
  if (isTree(nodes)) return nodes;
  throw new Error(`${NODES} is JSON in a text; write it as a map to have a node added`);
}

function insertNode(text: string, name: string, node: Tree): string {
  const document = parseDocument(text);
  const config = document.get("config", true);
  if (config === undefined)
    return `${withNewline(text)}config:\n  ${NODES}:\n${renderNode(name, node, 4)}`;
  if (!isMap(config) || config.flow || config.items.length === 0)
    throw new Error("config is empty or written in one line; write it as a block");
  const nodes = config.get(NODES, true) as Node | undefined;
  if (isMap(nodes) && nodes.items.length > 0 && !nodes.flow)
    return splice(text, nodes, (column) => renderNode(name, node, column));
  if (nodes !== undefined) throw new Error(`${NODES} is written in one line; write it as a block`);
  return splice(text, config, (column) => {
    const key = `${" ".repeat(column)}${NODES}:\n`;
    return `${key}${renderNode(name, node, column + 2)}`;
  });
}

/** Puts lines behind the last one of a block. */
function splice(text: string, block: YAMLMap, lines: (column: number) => string): string {
  const [first] = block.items;
  const start = isScalar(first?.key) ? (first.key.range?.[0] ?? 0) : 0;
  const column = start - (text.lastIndexOf("\n", start - 1) + 1);
  const newline = text.indexOf("\n", endOf(block) - 1);
  const at = newline < 0 ? text.length : newline + 1;
  return `${withNewline(text.slice(0, at))}${lines(column)}${text.slice(at)}`;
}

/** Where the last value of a block ends, comments behind it not counted. */
function endOf(node: Node): number {
  const last = isMap(node) && !node.flow ? node.items.at(-1) : undefined;
  const value = (last?.value ?? last?.key) as Node | undefined;
  return value ? endOf(value) : (node.range?.[1] ?? 0);
}

function renderNode(name: string, node: Tree, column: number): string {
  const body = `${NOTE}\n${stringify({ [name]: node }, { lineWidth: 0 })}`;
  return body.replace(/^(?=.)/gm, " ".repeat(column));
}

const withNewline = (text: string): string =>
  text === "" || text.endsWith("\n") ? text : `${text}\n`;
