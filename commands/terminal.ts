/** Input and output of a command that a person or a workflow has started. */
import { createInterface } from "node:readline/promises";
import { readPbsCredentials } from "../clients/backup-server";
import type { Outside } from "./command";
import { openStack, type Opened } from "./site/open";

/** Standard output and error, questions on the terminal, and recoveries with the environment's credentials. */
export const terminal: Outside = {
  print: (text) => process.stdout.write(`${text}\n`),
  warn: (text) => process.stderr.write(`${emptyLine()}${text}\n`),
  show: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`${emptyLine()}${text}`);
  },
  ask,
  open,
  // https://no-color.org: any value but an empty one.
  colour: process.stdout.isTTY && !process.env["NO_COLOR"],
};

/** Goes to the start of the line and erases it (ECMA-48, CR and EL), so that nothing of what was shown there is left. */
const emptyLine = (): string => (process.stderr.isTTY ? "\r\u001b[K" : "");

/** Asks on the terminal; throws where there is none. */
async function ask(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new Error(`${question} There is no terminal to answer on; --yes answers yes`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`${question} [y/N] `);
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

function open(stack: string): Promise<Opened> {
  const environment = process.env;
  return openStack(stack, {
    credentials: () => readPbsCredentials(environment),
    proxmoxToken: environment["PROXMOX_RESTORE_TOKEN"],
  });
}
