/** `docker-node doctor`: checks everything that the first `pulumi up` needs. */
import type { Command } from "commander";
import { DEFAULT_STACK, STATUS, addCommand, refuseJson } from "../command";
import type { GlobalOptions, Print, Session, Status } from "../command";
import { examine } from "./checks";
import { gather } from "./context";
import { scriptFor } from "./render";
import { isReady, toJson, redact, toTable } from "./report";
import { nodesOf } from "./types";

const SUMMARY = "Checks everything that the first up needs.";

const ABOUT = [
  "It checks this workstation, the configuration, Proxmox VE, and the servers that nodes talk to. For everything that is missing, it shows the command that fixes it. It changes nothing.",
  "Status: 0 ready, 1 the checks could not run, 3 a check failed.",
];

interface Options extends GlobalOptions {
  readonly cwd?: string;
  readonly printRole?: boolean;
}

/** Adds the command. */
export function addDoctor(program: Command, { outside, end }: Session): void {
  const example = "doctor --stack prod";
  addCommand(program, { use: "doctor", summary: SUMMARY, about: ABOUT, example })
    .option("--cwd <dir>", "directory of the Pulumi project; default: this one")
    .option(
      "--print-role",
      "print the script that creates role, user and token in Proxmox for the stack",
    )
    .action(async (_, command: Command) => {
      end(await diagnose(command.optsWithGlobals<Options>(), outside.print));
    });
}

async function diagnose(options: Options, print: Print): Promise<Status> {
  const { stack = DEFAULT_STACK, cwd } = options;
  if (options.printRole) refuseJson(options, "--print-role");
  const context = await gather({ stack, cwd });
  const { problems, secrets } = context.configuration;
  if (options.printRole) {
    if (problems.length > 0)
      throw new Error(["the configuration is not valid:", ...problems].join("\n"));
    print(scriptFor(nodesOf(context)));
    return STATUS.fine;
  }
  const results = redact(await examine(context), secrets);
  print(options.json ? toJson(stack, results) : toTable(results));
  return isReady(results) ? STATUS.fine : STATUS.finding;
}
