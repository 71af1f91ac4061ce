import * as pulumi from "@pulumi/pulumi";
import { loadSettings, merge, type Settings } from "../../config/load";
import { readSecrets } from "../../config/secret-values";
import { hideSecrets } from "../../config/secrets";
import { unwrap } from "../support/mocks";
import { prodWith } from "../support/settings";

/** Production, with an override of its node, and without its backup storage unless told. */
function production(override: unknown = {}, storage = false): Settings {
  const { proxmox, ...raw } = prodWith(override);
  return loadSettings({
    ...raw,
    proxmox: merge(proxmox, storage ? {} : { backupStorage: null }),
  });
}

function read(values: Record<string, string>, from = production()): ReturnType<typeof readSecrets> {
  const entries = Object.entries(values).map(([key, value]) => [`docker-node:${key}`, value]);
  pulumi.runtime.setAllConfig(Object.fromEntries(entries) as Record<string, string>);
  return readSecrets(new pulumi.Config("docker-node"), from);
}

const ALL = { proxmoxApiToken: "t", agentSecret: "sixteen-characters", backupKey: "{}" };

test("all missing secrets are named at once, each with its command", () => {
  expect(() => read({}, production({}, true))).toThrow(
    [
      "secrets are missing; nothing was changed:",
      ...["proxmoxApiToken", "agentSecret", "backupToken", "backupKey", "pbsStorageToken"].map(
        (key) => `  pulumi config set --secret ${key} <value>`,
      ),
    ].join("\n"),
  );
});

test("a node's own token goes before the stack's, and all are secret", async () => {
  const secrets = read({ ...ALL, backupToken: "stack", "backupToken-proj-docker02": "own" });
  const token = secrets.backups["proj-docker02"]?.token;
  expect(await unwrap(pulumi.output(token))).toBe("own");
  expect(await pulumi.isSecret(pulumi.output(token))).toBe(true);
  expect(await pulumi.isSecret(secrets.proxmoxApiToken)).toBe(true);
  expect(secrets.storage).toBeUndefined();
});

test("an agent's secret has a length", () => {
  expect(() => read({ ...ALL, backupToken: "stack", agentSecret: "short" })).toThrow(/agentSecret/);
});

test("a secret that no node needs may be missing", () => {
  const bare = production({ portainer: null, backups: null });
  expect(read({ proxmoxApiToken: "t" }, bare)).toMatchObject({ backups: {} });
});

test("a secret is hidden whole, also where another one is its beginning; a word of five letters is none", () => {
  const secrets = ["abcdef", "abcdefghij", "plain"];
  expect(hideSecrets("abcdefghij, abcdef and plain", secrets)).toBe("[secret], [secret] and plain");
});
