/** What all commands share: exit statuses, what they do outside, how they are described, and Ctrl-C. */
import type { Command } from "commander";
import type { Opened } from "./site/open";

/** How a command ends. */
export const STATUS = {
  fine: 0,
  /** It could not do what was asked. */
  failed: 1,
  /** Wrong usage, and nothing else. */
  usage: 2,
  /** It did what was asked, and found something that somebody has to act on. */
  finding: 3,
} as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

/** Prints one line, or several. */
export type Print = (text: string) => void;

/** What a command does outside of this process. Tests put their own in its place. */
export interface Outside {
  /** The result, on standard output. */
  readonly print: Print;
  /** Progress and errors, on standard error. */
  readonly warn: Print;
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
  /** Tells the exit status. */
  readonly end: (status: Status) => void;
}

/** Options every command takes. */
export interface GlobalOptions {
  readonly stack?: string;
  readonly json?: boolean;
}

/** The stack of a command that names none. */
export const DEFAULT_STACK = "prod";

/** Wrong usage that only shows once the command runs: told in one line, with how to see the help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

interface Description {
  /** Name and arguments, such as `import <vmid>`. */
  readonly use: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** The rest, a paragraph a line. */
  readonly about: readonly string[];
  /** What to type after `docker-node`. */
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
    .addHelpText("after", `\nExample:\n  npx docker-node ${example}`)
    .showHelpAfterError(seeHelp(command));
}

/** How to see the help of a command. */
export function seeHelp(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one; one = one.parent) names.unshift(one.name());
  return `How to use it: ${names.join(" ")} --help`;
}

/**
 * While data is moved, Ctrl-C takes effect at the end of the step under way: what was begun is then taken
 * back, which a process that dies at once could not do.
 */
export function holdInterrupts(warn: Print): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const note = (): void => {
    warn("interrupted: this step is ended, then what was begun is taken back");
    controller.abort(new Error("interrupted"));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, note);
  const release = (): void => {
    for (const signal of signals) process.off(signal, note);
  };
  return { signal: controller.signal, release };
}
