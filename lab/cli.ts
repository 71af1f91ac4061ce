/** `npm run lab`: runs everything on one machine. */
import { CommandError } from "@pulumi/pulumi/automation";
import type { Command } from "commander";
import { STATUS, addCommand, type Description, type Session } from "../commands/command";
import { newProgram, runProgram } from "../commands/program";
import {
  build,
  loadSaved,
  openShell,
  operate,
  removeAll,
  bringUpAgain,
  runConsumer,
  runInLab,
  saveAs,
  showStatus,
  start,
  type Act,
} from "./acts";
import { openInstance } from "./lib/instance";

const ABOUT = [
  "Runs everything on one machine. Without a command it brings everything up, runs the program and leaves it running; the first lab of the same sources is kept for a day, and the next ones begin with it.",
  "DOCKER_NODE_LAB names an instance, to have several at once.",
  "Status: 0 fine, 1 it failed, 2 wrong usage; of ssh and run that of their command.",
].join("\n\n");

interface LabCommand extends Omit<Description, "about"> {
  readonly act: Act;
  /** Whether all that follows is for another program. */
  readonly passesOn?: boolean;
}

const COMMANDS: readonly LabCommand[] = [
  {
    use: "up",
    summary: "run the program again, as after a change of Pulumi.lab.yaml",
    example: "up",
    act: bringUpAgain,
  },
  {
    use: "preview",
    summary: "show what up would change",
    example: "preview",
    act: operate("preview"),
  },
  {
    use: "refresh",
    summary: "read back what is really there",
    example: "refresh",
    act: operate("refresh"),
  },
  {
    use: "destroy",
    summary: "delete what the program made; the lab goes on",
    example: "destroy",
    act: operate("destroy"),
  },
  {
    use: "status",
    summary: "what runs, and where",
    example: "status",
    act: showStatus,
  },
  {
    use: "ssh [command...]",
    summary: "a shell on the node, or one command",
    example: "ssh docker info",
    act: openShell,
    passesOn: true,
  },
  {
    use: "consumer <operation>",
    summary: "up or destroy: the stack of examples/consumer, on the node",
    example: "consumer up",
    act: runConsumer,
  },
  {
    use: "save <name>",
    summary: "save it all, guests' memory included; the lab goes on",
    example: "save before",
    act: saveAs,
  },
  {
    use: "load <name>",
    summary: "a lab as it was saved, as this instance, which must not be there yet",
    example: "load before",
    act: loadSaved,
  },
  {
    use: "build",
    summary: "make what a first start takes minutes to make; starts nothing",
    example: "build",
    act: build,
  },
  {
    use: "run <command...>",
    summary: "any command with the lab's pulumi",
    example: "run npx docker-node plan --stack lab",
    act: runInLab,
    passesOn: true,
  },
  {
    use: "down",
    summary: "stop everything and remove every trace",
    example: "down",
    act: removeAll,
  },
];

/** The program with all its commands. Without one it brings the lab up. */
export function makeLab(session: Session): Command {
  const program = newProgram("npm run lab --", ABOUT, session.outside)
    .enablePositionalOptions()
    .addHelpText("after", "\nExample:\n  npm run lab");
  for (const { act, passesOn = false, ...description } of COMMANDS) {
    const command = addCommand(program, { ...description, about: [] });
    if (passesOn) command.passThroughOptions().allowUnknownOption();
    command.action(() => perform(act, command.args, session));
  }
  // A command that is not known is an argument of the program, whose error says nothing of commands.
  program.helpCommand(true).allowExcessArguments();
  return program.action(() => {
    const [unknown] = program.args;
    if (unknown !== undefined) program.error(`error: unknown command '${unknown}'`);
    return perform(start, [], session);
  });
}

async function perform(
  act: Act,
  args: readonly string[],
  { outside, end }: Session,
): Promise<void> {
  try {
    await act(openInstance(), args, outside);
  } catch (error) {
    // The output of pulumi was shown already.
    if (!(error instanceof CommandError)) throw error;
    end(STATUS.failed);
  }
}

if (require.main === module)
  void runProgram(makeLab, process.argv.slice(2)).then((status) => {
    // Without a status of ours it is that of the command which ssh or run was given.
    process.exit(status === STATUS.fine ? process.exitCode : status);
  });
