/** The command line, `docker-node`. Each command has a folder beside this file. */
import type { Command } from "commander";
import { addBackups } from "./backups/command";
import { addBenchmark } from "./benchmark/command";
import type { Outside, Session, Status } from "./command";
import { addDoctor } from "./doctor/command";
import { addImport } from "./import/command";
import { addPlan } from "./plan/command";
import { addProbe } from "./probe/command";
import { newProgram, runProgram } from "./program";
import { readManifest } from "./project";
import { addReport } from "./report/command";
import { addRestore } from "./restore/command";
import { addValidate } from "./validate/command";

const COMMANDS = [
  ...[addDoctor, addPlan, addImport, addBackups, addRestore],
  ...[addValidate, addBenchmark, addProbe, addReport],
];

const ABOUT = `Commands for Docker host VMs on Proxmox VE. Pulumi makes and changes the VMs of a stack; these commands do the rest.

Status: 0 fine, 1 it failed, 2 wrong usage, 3 it found something to act on.`;

/** The program with all its commands. */
export function makeProgram(session: Session): Command {
  const program = newProgram("npx docker-node", ABOUT, session.outside)
    .version(readManifest().version)
    .option("--stack <name>", "the stack; default: prod, and for plan the selected one")
    .option("--json", "print JSON, for programs")
    .addHelpText("after", "\nExample:\n  npx docker-node doctor --stack prod");
  for (const add of COMMANDS) add(program, session);
  return program;
}

/** Runs one command line to its exit status; see `runProgram`. */
export function runCommandLine(
  args: readonly string[],
  given: Partial<Outside> = {},
): Promise<Status> {
  return runProgram(makeProgram, args, given);
}
