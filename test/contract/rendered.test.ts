import program from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi } from "../support/mocks";
import { stackFile } from "../support/settings";
import { configurationPage } from "../../docs/generator/configuration";
import { merge } from "../../config/load";

/** What production hands to the node, reviewed as text: a change here is a change there. */

const HEADER = "# shellcheck shell=bash";
const key = privateKey();

async function scripts(): Promise<Record<string, string>> {
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
  program();
  await settle(recorder);
  const commands = recorder.all("command:remote:Command");
  return Object.fromEntries(commands.map((c) => [c.name, String(c.inputs.stdin)]));
}

test("variables of every script", async () => {
  const found = Object.entries(await scripts()).map(([name, text]) => [
    name,
    text.split(HEADER)[0],
  ]);
  expect(Object.fromEntries(found)).toMatchSnapshot();
});

test("every script ends by running itself, away from standard input", async () => {
  for (const text of Object.values(await scripts())) {
    expect(text.trimEnd().split("\n").at(-1)).toBe('main "$@" </dev/null');
  }
});

test("no script holds a secret", async () => {
  for (const text of Object.values(await scripts())) {
    expect(text).not.toMatch(/a-secret-of-some-length|automation@pve|PRIVATE KEY/);
  }
});

test("the configuration reference describes every key", () => {
  expect(configurationPage()).toContain("| `machine.vmId` | integer 100 to 999999999 | required |");
  expect(configurationPage()).toContain("| `networks.<name>.parent` |");
});
