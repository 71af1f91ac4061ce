/** Puts the node into the stack's file, once the user wants it. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Outside } from "../command";
import type { Draft } from "./draft";
import { nodeText } from "./render";
import { addNode } from "./stack-file";

interface Drafted {
  readonly name: string;
  readonly found: Draft;
  /** Do not ask. */
  readonly yes: boolean;
}

/**
 * Shows the node, asks, and writes it; false when the user said no. The file is replaced at once, so it is never
 * incomplete.
 */
export async function writeNode(
  file: string,
  { name, found, yes }: Drafted,
  { print, ask }: Pick<Outside, "print" | "ask">,
): Promise<boolean> {
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const after = addNode(before, name, found.node);
  if (after === before) {
    print(`${file} has ${name} already, just so.`);
    return true;
  }
  print(nodeText(name, found));
  if (!yes && !(await ask(`Write this to ${file}?`))) return false;
  writeFileSync(`${file}.new`, after);
  renameSync(`${file}.new`, file);
  print(`${name} is in ${file}.`);
  return true;
}
