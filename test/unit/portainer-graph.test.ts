import * as pulumi from "@pulumi/pulumi";
import { merge } from "../../config/load";
import type { Contract } from "../../contract/schema";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi, unwrap, type Recorded, type Recorder } from "../support/mocks";
import { selfSigned } from "../support/portainer";
import { mockConfig, problems, prodWith } from "../support/settings";

/** `portainer.environment` in the configuration, and what it is in the graph. */

const NODE = "proj-docker02";
const API_KEY = "ptr_secret-of-portainer";
const PORTAINER = "https://10.25.10.11:9443";
const key = privateKey();

async function run(environment: unknown, secrets: Record<string, string>): Promise<Recorder> {
  const raw = prodWith(merge({ ssh: key.ssh }, environment ? { portainer: { environment } } : {}));
  const recorder = await startPulumi({
    config: {
      ...mockConfig(raw),
      ...secrets,
    },
  });
  outputs = await runStack();
  await settle(recorder);
  return recorder;
}

let outputs: Awaited<ReturnType<typeof runStack>>;
const withKey = { "docker-node:portainerApiKey": API_KEY };
const environmentOf = (recorder: Recorder): Recorded =>
  recorder.find("command:local:Command", `${NODE}-environment`);

test("one command of the workstation, without a machine's path or the key in its line", async () => {
  const environment = { url: PORTAINER, group: "secondary", tags: ["docker"] };
  const { inputs } = environmentOf(await run(environment, withKey));
  expect(inputs).toEqual({
    create: "node -e \"import('docker-node/portainer-environment')\" apply",
    delete: "node -e \"import('docker-node/portainer-environment')\" remove",
    logging: "stderr",
    environment: expect.anything() as unknown,
  });
  const { value } = inputs.environment as { value?: unknown };
  const variables = (value ?? inputs.environment) as Record<string, string>;
  expect(JSON.parse(variables.PORTAINER_ENVIRONMENT ?? "")).toEqual({
    ...{ name: NODE, url: "tcp://10.25.20.24:9001", group: "secondary", tags: ["docker"] },
    docker: "29.10.0",
  });
  expect(JSON.stringify(inputs)).not.toContain(__dirname);
  const found = await unwrap(pulumi.output(outputs));
  const { portainerEnvironment } = (found as unknown as Contract).nodes[NODE] ?? {};
  expect(portainerEnvironment).toEqual({ id: 7, name: NODE, server: PORTAINER });
  expect(await pulumi.isSecret(pulumi.output(outputs))).toBe(false);
});

test("a stack that does not declare it has no such resource, and needs no key", async () => {
  const recorder = await run(undefined, {});
  const names = recorder.all("command:local:Command").map(({ name }) => name);
  expect(names).not.toContain(`${NODE}-environment`);
});

test("the key is asked for before anything is declared", async () => {
  await expect(run({ url: PORTAINER }, {})).rejects.toThrow(
    /secrets are missing[^]*pulumi config set --secret portainerApiKey/,
  );
});

test.each<[string, Record<string, unknown>, string]>([
  [
    "without TLS",
    { url: "http://10.25.10.11:9000" },
    'url: "http://10.25.10.11:9000"; allowed: an https URL',
  ],
  [
    "a fingerprint of another kind",
    { fingerprint: "AB:CD" },
    'fingerprint: "AB:CD"; allowed: a SHA-256 fingerprint',
  ],
  [
    "no PEM",
    { caCertificate: "/etc/ca.pem" },
    'caCertificate: "/etc/ca.pem"; allowed: a certificate as PEM text',
  ],
  ["a tag without a name", { tags: [""] }, 'tags.0: ""; allowed: at least 1 character'],
  ["a key that is no word of ours", { token: "x" }, "token"],
])("%s is refused", (_, change, message) => {
  const environment = { url: PORTAINER, ...change };
  expect(problems(prodWith({ portainer: { environment } })).join("\n")).toContain(message);
});

test("fingerprint and authority at once are refused, and each alone is not", () => {
  const { cert: caCertificate, fingerprint } = selfSigned();
  const found = (change: object): string[] =>
    problems(prodWith({ portainer: { environment: { url: PORTAINER, ...change } } }));
  expect(found({ caCertificate, fingerprint }).join()).toContain(
    "fingerprint or caCertificate, not both",
  );
  expect([...found({ caCertificate }), ...found({ fingerprint })]).toEqual([]);
});

test("two nodes with one name in Portainer are refused", () => {
  const { proxmox, defaults } = prodWith({});
  const environment = { url: PORTAINER, name: "same" };
  const nodes = {
    [NODE]: {},
    "proj-docker03": { machine: { vmId: 2020 }, network: { address: "10.25.20.26/24" } },
  };
  const all = merge(defaults, { portainer: { environment } });
  expect(problems({ proxmox, defaults: all, nodes }).join("\n")).toMatch(
    /portainer\.environment\.name: "same".*a value that no other node has/,
  );
});
