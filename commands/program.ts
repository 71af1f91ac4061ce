/** Builds a program of commands: its options, its output, and its exit status. */
import { Command, CommanderError } from "commander";
import { messageOf } from "../clients/failure";
import {
  STATUS,
  UsageError,
  pointToHelp,
  type Outside,
  type Session,
  type Status,
} from "./command";
import { terminal } from "./terminal";

/** An empty program that writes through `outside`. The commands added to it do the same. */
export function newProgram(name: string, about: string, { print, warn }: Outside): Command {
  const program = new Command(name)
    .description(about)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        print(text.trimEnd());
      },
      writeErr: (text) => {
        warn(text.trimEnd());
      },
    })
    .configureHelp({ showGlobalOptions: true });
  return program.showHelpAfterError(pointToHelp(program));
}

/**
 * Runs one command line and returns its exit status. It prints errors and throws none.
 *
 * @param args without node and script
 * @param given what to use instead of the terminal
 */
export async function runProgram(
  make: (session: Session) => Command,
  args: readonly string[],
  given: Partial<Outside> = {},
): Promise<Status> {
  const outside = { ...terminal, ...given };
  let status: Status = STATUS.fine;
  const program = make({ outside, end: (found) => (status = found) });
  let running = program;
  program.hook("preAction", (_, command) => {
    running = command;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    // Commander has printed the message already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.fine : STATUS.usage;
    outside.warn(messageOf(error));
    if (!(error instanceof UsageError)) return STATUS.failed;
    outside.warn(pointToHelp(running));
    return STATUS.usage;
  }
}
