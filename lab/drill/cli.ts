/** `npm run drill`: rehearses every recovery in a lab of its own. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { declare, instance } from "../lib/instance";
import { interruptible } from "../lib/interrupt";
import { removeLab, startLab, type Lab } from "../lib/services";
import { labConfig, openStack as openLabStack } from "../lib/stack";
import { UsageError, complain, finish, parsed, print } from "../../commands/command";
import { imageOf, openLab } from "./open";
import { KINDS, rehearse, summary, type Rehearsal, type Stage } from "./rehearse";
import type { Kind } from "../../commands/restore/steps";

/** Name of the lab it makes. */
export const DRILL = "drill";

const USAGE = `usage: npm run drill -- [OPTION]... [KIND]...

  --json FILE  also write the figures to a file
  --keep       leave the lab running afterwards, as instance "${DRILL}"

Brings up a lab of its own, and there loses and recovers a volume, a container, the platform and the VM,
or only the KINDs named. Nothing outside this machine is touched.

Status: 0 all came back as they were and in time, 1 something did not, 2 wrong usage.`;

const OPTIONS = {
  json: { type: "string" },
  keep: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parsed(() =>
    parseArgs({ args, options: OPTIONS, allowPositionals: true }),
  );
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const unknown = positionals.find((name) => !KINDS.includes(name as Kind));
  if (unknown) throw new UsageError(`${unknown}: can be ${KINDS.join(", ")}`);
  const kinds = KINDS.filter((kind) => positionals.length === 0 || positionals.includes(kind));
  const rehearsals = await inLab(kinds, values.keep);
  print(`\n${summary(rehearsals)}`);
  if (values.json) writeFileSync(values.json, `${JSON.stringify(rehearsals, null, 2)}\n`);
  return rehearsals.length === kinds.length && rehearsals.every(({ ok }) => ok) ? 0 : 1;
}

async function inLab(kinds: readonly Kind[], keep: boolean): Promise<Rehearsal[]> {
  const here = instance(DRILL);
  return interruptible(here, complain, async (interrupted) => {
    try {
      const stage = await setStage(await startLab(here, complain));
      const rehearsals: Rehearsal[] = [];
      for (const kind of kinds) if (!interrupted()) rehearsals.push(await rehearse(kind, stage));
      return rehearsals;
    } finally {
      if (!keep) await removeLab(here);
    }
  });
}

/** Emulated processors beyond those of the workstation only get in each other's way. */
const SMALL = { machine: { cpu: { cores: 2 } } };

/** Brings the node up, with fewer processors; from then on it is a node like any other. */
async function setStage(lab: Lab): Promise<Stage> {
  const { nodes } = labConfig(lab) as { nodes: Record<string, object> };
  const smaller = Object.keys(nodes).map((name) => [name, SMALL] as const);
  declare(lab.instance, { nodes: Object.fromEntries(smaller) });
  const stack = await openLabStack(lab);
  await stack.up({ onOutput: (text) => process.stderr.write(text) });
  return stageOf(lab);
}

/** The first node of a lab that is up. */
export async function stageOf(lab: Lab): Promise<Stage> {
  const opened = await openLab(lab, complain);
  const [name = ""] = Object.keys(opened.settings.nodes);
  return { site: opened.site(name), image: imageOf(lab), print: complain };
}

if (require.main === module) finish(main(process.argv.slice(2)), USAGE);
