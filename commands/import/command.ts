/** `docker-node import`: a VM that runs Docker already becomes a node of a stack. */
import { resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { DEFAULT_STACK, addCommand, type GlobalOptions, type Session } from "../command";
import { ROOT } from "../project";
import { importVm } from "./import";

const SUMMARY = "Adds a VM that already runs Docker to the stack.";

const ABOUT = [
  "It reads the VM through Proxmox and over SSH, and writes what it finds into Pulumi.<stack>.yaml. The next up then adopts the VM. Nothing on the VM is changed.",
  "Status: 0 written, or already in the stack; 1 something prevents it, or you answered no.",
];

interface Options extends GlobalOptions {
  readonly name?: string;
  readonly ssh?: string;
  readonly key?: string;
  readonly hostKey?: string;
  readonly portainer?: string;
  readonly yes?: boolean;
  readonly plan: boolean;
  readonly cwd?: string;
}

/** Adds the command. */
export function addImport(program: Command, { outside, end }: Session): void {
  const example = "import 2014 --stack prod";
  addCommand(program, { use: "import", summary: SUMMARY, about: ABOUT, example })
    .argument("<vmid>", "id of the VM", readVmId)
    .option("--name <name>", "name of the node; default: the VM's")
    .option("--ssh <user@host:port>", "where it is reached; default: its own address")
    .option("--key <file>", "private key; default: that of the stack's other nodes")
    .option("--host-key <key>", "its ed25519 host key; default: the one that answers, to confirm")
    .option("--portainer <address>", "the Portainer server; default: that of the other nodes")
    .option("--yes", "accept the host key and write without asking")
    .option("--no-plan", "do not show what the next up would change")
    .option("--cwd <dir>", "directory of the Pulumi project; default: this one")
    .action(async (vmId: number, _, command: Command) => {
      const { stack = DEFAULT_STACK, yes = false, ...rest } = command.optsWithGlobals<Options>();
      const cwd = resolve(rest.cwd ?? ROOT);
      end(await importVm(vmId, { ...rest, stack, yes, cwd }, outside));
    });
}

function readVmId(text: string): number {
  if (!/^[1-9]\d{2,8}$/.test(text)) throw new InvalidArgumentError("It is a number from 100 on.");
  return Number(text);
}
