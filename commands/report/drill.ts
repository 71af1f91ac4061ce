/** The figures of the last drill, which `npm run drill -- --json FILE` writes. */
import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import { UsageError } from "../command";
import type { DrillFacts, Known } from "./model";

const against = z.object({ measured: z.number(), required: z.number() });
const rehearsals = z.array(
  z.object({
    kind: z.string(),
    ok: z.boolean(),
    rto: against,
    rpo: against,
    error: z.string().optional(),
  }),
);

/** @throws UsageError when there is no such file, AnswerError when it holds something else */
export function readDrill(file?: string): Known<DrillFacts> {
  if (file === undefined) return { reason: "no file of figures was named (--drill)" };
  const is = statSync(file, { throwIfNoEntry: false });
  if (!is?.isFile())
    throw new UsageError(`--drill ${file}: no file; wanted: what a drill wrote with --json`);
  const found = parseJson(rehearsals, readFileSync(file, "utf8"), `--drill ${file}`);
  return { value: { at: is.mtime.toISOString(), rehearsals: found } };
}
