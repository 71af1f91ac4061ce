/** What all commands share: exit statuses, input and output, help texts, and Ctrl-C. */
import type { Command } from "commander";
import type { Opened } from "./site/open";

/** How a command ends. */
export const STATUS = {
  fine: 0,
  /** It could not do what was asked. */
  failed: 1,
  /** Wrong usage, and never anything else. */
  usage: 2,
  /** It worked, and found something that needs action. */
  finding: 3,
} as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

/** Prints one line, or several. */
export type Print = (text: string) => void;

/** Input and output of a command. Tests replace them. */
export interface Outside {
  /** The result, on standard output. */
  readonly print: Print;
  /** Progress and errors, on standard error. */
  readonly warn: Print;
  /** Progress: one terminal line that the next text overwrites. Without a terminal it shows nothing. */
  readonly show: Print;
  /** Asks a question that is answered by yes or no. */
  readonly ask: (question: string) => Promise<boolean>;
  /** Opens a stack for recoveries. */
  readonly open: (stack: string) => Promise<Opened>;
  /** Whether standard output shows colours. */
  readonly colour: boolean;
}

/** One run of the command line. */
export interface Session {
  readonly outside: Outside;
  /** Sets the exit status. */
  readonly end: (status: Status) => void;
}

/** Options every command takes. */
export interface GlobalOptions {
  readonly stack?: string;
  readonly json?: boolean;
}

/** The stack of a command that names none. */
export const DEFAULT_STACK = "prod";

/** Wrong usage that shows only when the command runs. The message is one line, and one on how to see the help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Refuses `--json` beside an option that itself says what is printed. @throws UsageError */
export function refuseJson({ json }: GlobalOptions, option: string): void {
  if (json) throw new UsageError(`--json does not go with ${option}`);
}

/** The help of a command. */
export interface Description {
  /** Name and arguments, such as `import <vmid>`. */
  readonly use: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** The rest of the description; each text is a paragraph. */
  readonly about: readonly string[];
  /** What to type after the name of the program. */
  readonly example: string;
}

/** Adds a command with its help. */
export function addCommand(
  parent: Command,
  { use, summary, about, example }: Description,
): Command {
  const command = parent
    .command(use)
    .summary(summary)
    .description([summary, ...about].join("\n\n"));
  return command
    .addHelpText("after", `\nExample:\n  ${namesOf(command)[0] ?? ""} ${example}`)
    .showHelpAfterError(pointToHelp(command));
}

/** How to see the help of a command. */
export function pointToHelp(command: Command): string {
  return `How to use it: ${namesOf(command).join(" ")} --help`;
}

/** The names of the program, of the commands that a command is below, and its own. */
function namesOf(command: Command): string[] {
  const names: string[] = [];
  for (let one: Command | null = command; one; one = one.parent) names.unshift(one.name());
  return names;
}

/**
 * Runs something, and holds Ctrl-C back until its running step ends: the signal tells of it. Then the steps before it are
 * undone, which a process that dies at once could not do.
 */
export async function withInterrupts<T>(
  warn: Print,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const addNote = (): void => {
    warn("interrupted: this step runs to its end, then the steps before it are undone");
    controller.abort(new Error("interrupted"));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, addNote);
  try {
    return await act(controller.signal);
  } finally {
    for (const signal of signals) process.off(signal, addNote);
  }
}
