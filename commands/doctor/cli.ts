/** `npm run doctor`: is everything there that the first `pulumi up` needs? */
import { parseArgs } from "node:util";
import { examine } from "./checks";
import { gather } from "./context";
import { scriptFor, update } from "./render";
import { exitCode, json, redact, table } from "./report";
import { nodesOf } from "./types";

const USAGE = `usage: npm run doctor -- [OPTIONS]

  --stack NAME   the stack to look at (prod)
  --json         for programs
  --cwd DIR      directory of the Pulumi project (this repository)
  --print-role   print the script that makes Proxmox role, user and token for the stack
  --render       write commands/doctor/privileges.json into that script and into docs/reference/proxmox-privileges.md`;

const OPTIONS = {
  stack: { type: "string", default: "prod" },
  cwd: { type: "string" },
  json: { type: "boolean", default: false },
  "print-role": { type: "boolean", default: false },
  render: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Print = (text: string) => void;

/** Runs one command line; the exit status. */
export async function main(args: string[], print: Print): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  if (values.help) print(USAGE);
  else if (values.render) update();
  else return diagnose(values, print);
  return 0;
}

interface Wanted {
  readonly stack: string;
  readonly cwd?: string;
  readonly json: boolean;
  readonly "print-role": boolean;
}

async function diagnose(wanted: Wanted, print: Print): Promise<number> {
  const context = await gather(wanted);
  const { problems, secrets } = context.configuration;
  if (wanted["print-role"]) {
    if (problems.length > 0)
      throw new Error(["the configuration is not sound:", ...problems].join("\n"));
    print(scriptFor(nodesOf(context)));
    return 0;
  }
  const results = redact(await examine(context), secrets);
  print(wanted.json ? json(wanted.stack, results) : table(results));
  return exitCode(results);
}

if (require.main === module) {
  main(process.argv.slice(2), (text) => process.stdout.write(`${text}\n`)).then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.stderr.write(
        `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`,
      );
      process.exitCode = 2;
    },
  );
}
