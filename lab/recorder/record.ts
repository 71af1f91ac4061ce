/**
 * Records previews in the lab as fixtures of the tests: `npm run lab`, then `tsx lab/recorder/record.ts [NAME]...`.
 * Only previews are run; the lab's node is left as it is.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { withScratch } from "../../clients/scratch";
import { openInstance } from "../lib/instance";
import { startLab, type Lab } from "../lib/services";
import { openStack } from "../lib/stack";
import { overrideOf, SCENARIOS, type Scenario } from "./scenarios";
import { scrub } from "./scrub";

const FOLDER = join(__dirname, "..", "..", "test", "fixtures", "plan");

/** First line of a fixture: its origin. It is no event, so readers ignore it. */
export function headerOf(scenario: string, origin: string): string {
  return JSON.stringify({ fixture: { scenario, origin } });
}

/** Previews one scenario; returns the lines of the fixture. */
export async function record(lab: Lab, name: string, scenario: Scenario): Promise<string[]> {
  return withScratch("record", async (temporary) => {
    const events = await readEvents(scenario.empty ? moveState(lab, temporary) : lab, scenario);
    const { credentials, pulumi } = lab;
    const { agentSecret, passphrase, proxmoxTokenSecret } = credentials;
    const origin = `recorded in the lab, pulumi ${pulumi.version} (${pulumi.origin}), scrubbed`;
    return [
      headerOf(name, origin),
      ...scrub(events, [agentSecret, passphrase, proxmoxTokenSecret]),
    ];
  });
}

/** The same lab with another, empty state directory. */
const moveState = (lab: Lab, stateDir: string): Lab => ({
  ...lab,
  instance: { ...lab.instance, stateDir },
});

async function readEvents(lab: Lab, scenario: Scenario): Promise<EngineEvent[]> {
  const rotated = { ...lab.credentials, agentSecret: `${lab.credentials.agentSecret}-rotated` };
  const used = scenario.rotate ? { ...lab, credentials: rotated } : lab;
  const stack = await openStack(used, overrideOf(scenario));
  const events: EngineEvent[] = [];
  await stack.preview({ onOutput: () => undefined, onEvent: (event) => events.push(event) });
  return events;
}

async function main(names: string[]): Promise<void> {
  const lab = await startLab(openInstance(), (line) => process.stderr.write(`${line}\n`));
  for (const name of names.length > 0 ? names : Object.keys(SCENARIOS)) {
    const scenario = SCENARIOS[name];
    if (!scenario)
      throw new Error(`no scenario ${name}; there are ${Object.keys(SCENARIOS).join(", ")}`);
    const lines = await record(lab, name, scenario);
    writeFileSync(join(FOLDER, `${name}.ndjson`), `${lines.join("\n")}\n`);
    process.stderr.write(`${name}: ${lines.length - 1} events\n`);
  }
  // The stack's configuration is the last scenario's: put the lab's own back.
  await openStack(lab);
}

if (require.main === module)
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
