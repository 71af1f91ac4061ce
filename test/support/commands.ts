import { makeProgram } from "../../commands/cli";
import { terminal } from "../../commands/terminal";

/** Names of all commands of the command line. */
export const COMMAND_NAMES: readonly string[] = makeProgram({
  outside: terminal,
  end: () => undefined,
}).commands.map((command) => command.name());
