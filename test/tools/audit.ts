/**
 * `npm run audit`: known faults of the packages that the program runs with, as the registry tells them. High and critical ones fail.
 * A registry that does not answer is told and fails nothing, because a mirror may not have the question.
 */
import { spawnSync } from "node:child_process";

/** What to say, and the exit status. */
interface Verdict {
  readonly said: string;
  readonly status: 0 | 1;
}

interface Fault {
  readonly name: string;
  readonly severity: string;
  readonly range: string;
}

/** The answer of `npm audit --json`. */
interface Answer {
  readonly message?: string;
  readonly vulnerabilities?: Readonly<Record<string, Fault>>;
}

/** Judges what `npm audit --json` printed. */
export function judgeAudit(text: string): Verdict {
  const { message = "it gave no list", vulnerabilities } = JSON.parse(text) as Answer;
  if (!vulnerabilities)
    return { said: `::warning::the registry does not answer the audit: ${message}`, status: 0 };
  const all = Object.values(vulnerabilities);
  const grave = all.filter(({ severity }) => ["high", "critical"].includes(severity));
  const lines = grave.map(({ name, severity, range }) => `${severity}: ${name} ${range}`);
  const count = `${all.length} packages with known faults, ${grave.length} of them high or critical`;
  return { said: [...lines, count].join("\n"), status: grave.length > 0 ? 1 : 0 };
}

function main(): void {
  const { stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], { encoding: "utf8" });
  const { said, status } = judgeAudit(stdout);
  process.stdout.write(`${said}\n`);
  process.exitCode = status;
}

if (require.main === module) main();
