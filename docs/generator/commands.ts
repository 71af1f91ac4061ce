/** docs/reference/commands.md, from the help of every command. */
import type { Command } from "commander";
import { makeProgram } from "../../commands/cli";
import { terminal } from "../../commands/terminal";

const INTRO = `# Commands

Generated from the help of the commands by \`npm run docs\`; do not edit.

\`npm run doctor -- …\` and the like are short for \`npx docker-node doctor …\`. Every command takes \`--stack\`
and \`--json\`. Colours are left out where \`NO_COLOR\` is set and where the output is not a terminal. Progress and errors are
on standard error, results on standard output.

| status | meaning |
| ------ | ------- |
| 0 | fine |
| 1 | it failed |
| 2 | wrong usage, and nothing else |
| 3 | it did what was asked, and found something that somebody has to act on |
`;

/** Columns of the page, whatever terminal it is made on. */
const WIDTH = 100;

/** The whole page. */
export function commandsPage(): string {
  const program = makeProgram({ outside: terminal, end: () => undefined });
  return [INTRO, ...[program, ...commandsOf(program)].map(commandSection)].join("\n");
}

/** All commands below one, each before those below it; the built-in `help` is none. */
function commandsOf(parent: Command): Command[] {
  return parent.commands.flatMap((command) => [command, ...commandsOf(command)]);
}

function commandSection(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (text) => (help += text),
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  const names: string[] = [];
  for (let one = command; one.parent; one = one.parent) names.unshift(one.name());
  const title = ["docker-node", ...names].join(" ");
  const text = help.trim().replaceAll(/[ \t]+$/gm, "");
  return `## ${title}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
}
