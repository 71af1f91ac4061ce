/** `npm run drill`: rehearses every recovery in a lab of its own. */
import { writeFileSync } from "node:fs";
import { Argument, type Command } from "commander";
import { openInstance } from "../lib/instance";
import { runInterruptible } from "../lib/interrupt";
import { bringUpLab } from "../lib/kept";
import { removeLab, type Lab } from "../lib/services";
import { STATUS, type Session } from "../../commands/command";
import { newProgram, runProgram } from "../../commands/program";
import { terminal } from "../../commands/terminal";
import { imageOf, openLab } from "./open";
import { KINDS, rehearse, summarize, type Rehearsal, type Stage } from "./rehearse";
import type { Kind } from "../../commands/restore/steps";

/** Name of its lab instance. */
export const DRILL = "drill";

const ABOUT = `Brings up a lab of its own, and there loses and recovers a volume, a container, the platform and the VM,
or only the kinds named. Nothing outside this machine is touched.

Status: 0 all came back as they were and in time, 1 something did not.`;

function makeDrill({ outside, end }: Session): Command {
  return newProgram("npm run drill --", ABOUT, outside)
    .addArgument(new Argument("[kind...]", "what to lose").choices(KINDS))
    .option("--json <file>", "also write the figures to a file")
    .option("--keep", `leave the lab running afterwards, as instance "${DRILL}"`)
    .addHelpText("after", "\nExample:\n  npm run drill -- volume container")
    .action(async (wanted: Kind[], { json, keep = false }: Options) => {
      const kinds = KINDS.filter((kind) => wanted.length === 0 || wanted.includes(kind));
      const rehearsals = await runInLab(kinds, keep);
      outside.print(`\n${summarize(rehearsals)}`);
      if (json) writeFileSync(json, `${JSON.stringify(rehearsals, null, 2)}\n`);
      const good = rehearsals.length === kinds.length && rehearsals.every(({ ok }) => ok);
      end(good ? STATUS.fine : STATUS.failed);
    });
}

interface Options {
  readonly json?: string;
  readonly keep?: boolean;
}

async function runInLab(kinds: readonly Kind[], keep: boolean): Promise<Rehearsal[]> {
  const here = openInstance(DRILL);
  return runInterruptible(here, terminal.warn, async (interrupted) => {
    try {
      const lab = await bringUpLab(here, terminal.warn, (text) => process.stderr.write(text));
      const stage = await openStage(lab);
      const rehearsals: Rehearsal[] = [];
      for (const kind of kinds) if (!interrupted()) rehearsals.push(await rehearse(kind, stage));
      return rehearsals;
    } finally {
      if (!keep) await removeLab(here);
    }
  });
}

/** Returns the first node of a running lab. */
export async function openStage(lab: Lab): Promise<Stage> {
  const opened = await openLab(lab, terminal.warn);
  const [name = ""] = Object.keys(opened.settings.nodes);
  return { site: opened.site(name), image: imageOf(lab), print: terminal.warn };
}

if (require.main === module)
  void runProgram(makeDrill, process.argv.slice(2)).then((status) => process.exit(status));
