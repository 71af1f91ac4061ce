import runStack from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi } from "../support/mocks";
import { stackFile } from "../support/settings";
import { configurationPage } from "../../docs/generator/configuration";
import { merge } from "../../config/load";

/** What production hands to the node, reviewed as text: a change here is a change there. */

const HEADER = "# shellcheck shell=bash";
const key = privateKey();

/** Standard input of every command, as it is registered: a secret is an object around its text. */
async function scripts(): Promise<Record<string, string | { readonly value: string }>> {
  const prod = stackFile("prod");
  const ssh = { "proj-docker02": { ssh: key.ssh } };
  const recorder = await startPulumi({
    config: {
      "docker-node:proxmox": JSON.stringify(prod.proxmox),
      "docker-node:nodes": JSON.stringify(merge(prod.nodes, ssh)),
      "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
      "docker-node:agentSecret": "a-secret-of-some-length",
    },
  });
  await runStack();
  await settle(recorder);
  const commands = recorder.all("command:remote:Command");
  return Object.fromEntries(commands.map((c) => [c.name, c.inputs.stdin as string]));
}

const inClear = (stdin: string | { readonly value: string }): string =>
  typeof stdin === "string" ? stdin : stdin.value;

/** A program that a step writes is as long as the others together. */
const withoutProgram = (text: string): string =>
  text.replace(/^RUNTIME='#!\/bin\/bash\n[^]*?'\n(?=LIMIT=')/m, "RUNTIME='…'\n");

test("variables of every script", async () => {
  const found = Object.entries(await scripts()).map(([name, text]) => [
    name,
    withoutProgram(inClear(text)).split(HEADER)[0],
  ]);
  expect(Object.fromEntries(found)).toMatchSnapshot();
});

test("every script ends by running itself, away from standard input", async () => {
  for (const text of Object.values(await scripts())) {
    expect(inClear(text).trimEnd().split("\n").at(-1)).toBe('main "$@" </dev/null');
  }
});

test("no script holds a secret, unless it is one itself", async () => {
  const plain = Object.values(await scripts()).filter((stdin) => typeof stdin === "string");
  expect(plain.length).toBeGreaterThan(5);
  for (const text of plain) {
    expect(text).not.toMatch(/a-secret-of-some-length|automation@pve|PRIVATE KEY/);
  }
});

test("the configuration reference describes every key", () => {
  expect(configurationPage()).toContain("| `machine.vmId` | integer 100 to 999999999 | required |");
  expect(configurationPage()).toContain("| `networks.<name>.parent` |");
});
