import * as pulumi from "@pulumi/pulumi";
import { declaredImages } from "../../config/images";
import { merge } from "../../config/load";
import { waives } from "../../config/waivers/check";
import type { Contract } from "../../contract/schema";
import { knownBy } from "../../commands/validate/rows/platform";
import runStack from "../../index";
import { privateKey } from "../support/key";
import {
  REGISTERED,
  settle,
  startPulumi,
  unwrap,
  type Recorded,
  type Recorder,
} from "../support/mocks";
import { selfSigned } from "../support/portainer";
import { mockConfig, problems, prodNode, prodWith, waived, waiver } from "../support/settings";

/** `portainer.environment` in the configuration, and what it is in the graph. */

const NODE = "proj-docker02";
const API_KEY = "ptr_secret-of-portainer";
const PORTAINER = "https://10.25.10.11:9443";
const key = privateKey();

/** Exported, but marked internal. */
const { getMonitor } = pulumi.runtime as unknown as {
  getMonitor: () => { registerResource: (asked: Asked) => void };
};
interface Asked {
  getName(): string;
  getRetainondelete(): boolean;
}
/** Names of the resources that stay when they are removed from the stack. */
let retained: string[];

async function run(
  environment: unknown,
  secrets: Record<string, string>,
  edge?: unknown,
  agent?: unknown,
): Promise<Recorder> {
  const portainer = environment ? { environment, edge, agent } : {};
  const raw = waived(prodWith(merge({ ssh: key.ssh }, { portainer })));
  const recorder = await startPulumi({
    config: {
      ...mockConfig(raw),
      "docker-node:waivers": JSON.stringify(raw.waivers ?? []),
      ...secrets,
    },
  });
  const registered = jest.spyOn(getMonitor(), "registerResource");
  outputs = await runStack();
  await settle(recorder);
  const kept = registered.mock.calls.filter(([asked]) => asked.getRetainondelete());
  retained = kept.map(([asked]) => asked.getName());
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

test("goes from Portainer with the node, unless it is to stay", async () => {
  await run({ url: PORTAINER }, withKey);
  expect(retained).toEqual([]);
  await run({ url: PORTAINER, retainOnDelete: true }, withKey);
  expect(retained).toEqual([`${NODE}-environment`]);
});

describe("an agent that reaches Portainer", () => {
  const { cert: caCertificate, fingerprint } = selfSigned();
  const environment = { url: PORTAINER, caCertificate };
  const containerOf = (recorder: Recorder): Recorded["inputs"] =>
    recorder.find("docker:index/container:Container", `${NODE}-agent-container`).inputs;
  const plainEnvs = (recorder: Recorder): unknown[] => {
    const { envs } = containerOf(recorder) as { envs: { value?: unknown } };
    return ((envs.value ?? envs) as { value?: unknown }[]).map((one) => one.value ?? one);
  };
  const isHidden = (recorder: Recorder, text: string): boolean =>
    Object.values(containerOf(recorder))
      .filter((value) => !JSON.stringify(value).includes(pulumi.runtime.specialSigKey))
      .every((value) => !JSON.stringify(value).includes(text));

  test("gets the key of its environment, which is made first, and opens no port", async () => {
    const recorder = await run(environment, withKey, { checkinSeconds: 9 });
    expect(plainEnvs(recorder)).toEqual([
      "LOG_LEVEL=INFO",
      "AGENT_SECRET=a-secret-of-some-length",
      "EDGE=1",
      `EDGE_ID=${REGISTERED.edge.id}`,
      `EDGE_KEY=${REGISTERED.edge.key}`,
      "SSL_CERT_FILE=/portainer-ca.pem",
    ]);
    expect([REGISTERED.edge.id, REGISTERED.edge.key].map((it) => isHidden(recorder, it))).toEqual([
      true,
      true,
    ]);
    const file = /^\/var\/lib\/docker-node\/authorities\/[0-9a-f]{16}\.pem$/;
    const mount = { type: "bind", target: "/portainer-ca.pem", readOnly: true };
    expect(containerOf(recorder)).toMatchObject({
      ...{ ports: [], readOnly: true },
      mounts: [{ ...mount, source: expect.stringMatching(file) as unknown }],
    });
    expect(containerOf(recorder)).not.toHaveProperty("uploads");
    const [{ source = "" } = {}] = containerOf(recorder).mounts as { source?: string }[];
    const { inputs } = recorder.find("command:remote:Command", `${NODE}-agent-authority`);
    expect(inputs.stdin).toContain(`AUTHORITY='${caCertificate}'\nFILE='${source}'\n`);
    expect(recorder.all("command:remote:Command").map(({ name }) => name)).not.toContain(
      `${NODE}-agent-certificate`,
    );
  });

  test("tells Portainer where it goes, and needs no rule in a firewall", async () => {
    const recorder = await run(environment, withKey, { url: "https://port01.example.org" });
    const { environment: given } = environmentOf(recorder).inputs as { environment: object };
    expect(JSON.stringify(given)).toContain(
      String.raw`\"url\":\"https://port01.example.org\",\"edge\":{}`,
    );
    const rules = JSON.stringify(recorder.all("proxmoxve:firewall/rulesLegacy:RulesLegacy"));
    expect(rules).toContain("SSH from management");
    expect(rules).not.toContain("Portainer");
    expect(JSON.stringify(recorder.all("command:remote:Command"))).not.toContain("9001");
  });

  test("is in the outputs without an address; nothing there is secret", async () => {
    await run(environment, withKey, {});
    const found = await unwrap(pulumi.output(outputs));
    const node = (found as unknown as Contract).nodes[NODE];
    expect(node?.portainerEnvironment).toEqual({ id: 7, name: NODE, server: PORTAINER });
    expect([node?.agentUrl, node?.agentFingerprint]).toEqual([undefined, undefined]);
    expect(await pulumi.isSecret(pulumi.output(outputs))).toBe(false);
  });

  test("takes any certificate only if that is declared", async () => {
    const recorder = await run({ url: PORTAINER, fingerprint }, withKey, { insecurePoll: true });
    expect(plainEnvs(recorder)).toContain("EDGE_INSECURE_POLL=1");
    expect(containerOf(recorder)).not.toHaveProperty("uploads");
  });

  const edge = {};
  test.each<[string, object, RegExp]>([
    ["without an environment", { edge }, /portainer\.edge: .*; needs portainer/],
    [
      "with a fingerprint, which it cannot check",
      { edge, environment: { url: PORTAINER, fingerprint } },
      /environment\.fingerprint: .*; allowed: caCertificate with portainer\.edge/,
    ],
    [
      "with an authority that it is not to look at",
      { edge: { insecurePoll: true }, environment },
      /edge\.insecurePoll: true; allowed: false with environment\.caCertificate/,
    ],
    [
      "to the node itself",
      { edge: { url: "https://localhost:9443" }, environment },
      /edge\.url: "https:\/\/localhost:9443"; allowed: a URL that leads the node to Portainer/,
    ],
    [
      "without a waiver for any certificate",
      { edge: { insecurePoll: true }, environment: { url: PORTAINER } },
      /edge\.insecurePoll: true; allowed: false; or a waiver with id portainer-insecure-poll/,
    ],
    [
      "never",
      { edge: { checkinSeconds: 0 }, environment },
      /checkinSeconds: 0; allowed: at least 1/,
    ],
    ["without TLS", { edge: { url: "http://a" }, environment }, /edge\.url: .*an https URL/],
  ])("%s is refused", (_, portainer, message) => {
    expect(problems(prodWith({ portainer })).join("\n")).toMatch(message);
  });

  test("that was adopted is refused", () => {
    const adopt = { agent: "a".repeat(64) };
    expect(problems(prodWith({ portainer: { edge, environment }, adopt })).join("\n")).toMatch(
      /adopt\.agent: .*; leave it out with portainer\.edge/,
    );
  });

  test("frees its port for others", () => {
    const monitoring = { nodeExporter: { port: 9001 } };
    const found = (portainer: object): string =>
      problems(waived(prodWith({ portainer, monitoring }))).join("\n");
    expect(found({})).toMatch(/nodeExporter\.port: 9001; allowed: a port of its own/);
    expect(found({ edge, environment })).toBe("");
  });

  test("is known to Portainer by its name, and another one by its URL", () => {
    const known = (portainer: object) => knownBy({ name: NODE, node: prodNode({ portainer }) });
    expect(known({})).toEqual({ url: "https://10.25.20.24:9001" });
    expect(known({ edge, environment })).toEqual({ name: NODE });
    expect(known({ edge, environment: { ...environment, name: "two" } })).toEqual({ name: "two" });
  });
});

describe("an agent with the next secret", () => {
  const NEXT = "the-next-secret-of-portainer";
  const secrets = { ...withKey, "docker-node:agentSecretNext": NEXT };
  const environment = { url: PORTAINER };
  const next = { port: 9002 };

  test("is a second container, and a second environment after it", async () => {
    const recorder = await run(environment, secrets, undefined, { next });
    const containers = recorder
      .all("docker:index/container:Container")
      .filter(({ name }) => name.endsWith("agent-container"));
    expect(containers.map(({ inputs }) => inputs)).toMatchObject([
      { name: "portainer_agent", ports: [{ external: 9001 }] },
      { name: "portainer_agent_next", ports: [{ external: 9002, ip: "10.25.20.24" }] },
    ]);
    const secretOf = ({ inputs }: Recorded): string =>
      /AGENT_SECRET=([\w-]+)/.exec(JSON.stringify(inputs))?.[1] ?? "";
    expect(containers.map(secretOf)).toEqual(["a-secret-of-some-length", NEXT]);
    const registered = recorder.find("command:local:Command", `${NODE}-next-environment`);
    const { value } = registered.inputs.environment as { value?: unknown };
    const variables = (value ?? registered.inputs.environment) as Record<string, string>;
    expect(JSON.parse(variables.PORTAINER_ENVIRONMENT ?? "")).toEqual({
      ...{ name: `${NODE} (next)`, url: "tcp://10.25.20.24:9002" },
      ...{ through: "tcp://10.25.20.24:9001", docker: "29.10.0" },
    });
  });

  test("stays in Portainer with the other one, so that both go without a Portainer", async () => {
    await run({ ...environment, retainOnDelete: true }, secrets, undefined, { next });
    const both = [`${NODE}-environment`, `${NODE}-next-environment`];
    expect(retained.sort()).toEqual(both);
  });

  test("is let through the firewall beside the other one", async () => {
    const recorder = await run(environment, secrets, undefined, { next });
    const { rules } = recorder.find("proxmoxve:firewall/rulesLegacy:RulesLegacy").inputs;
    const agents = (rules as { comment: string; dport: string; source: string }[]).filter(
      ({ comment }) => comment.includes("agent"),
    );
    expect(agents).toMatchObject([
      { dport: "9001", source: "10.25.10.11" },
      { dport: "9002", source: "10.25.10.11" },
    ]);
  });

  test("that reaches Portainer has a key of its own, and no port", async () => {
    const { cert: caCertificate } = selfSigned();
    const own = { ...environment, caCertificate };
    const recorder = await run(own, secrets, {}, { next });
    const { inputs } = recorder.find("command:local:Command", `${NODE}-next-environment`);
    expect(JSON.stringify(inputs)).not.toContain("through");
    const container = recorder.find(
      "docker:index/container:Container",
      `${NODE}-next-agent-container`,
    );
    expect(container.inputs).toMatchObject({ name: "portainer_agent_next", ports: [] });
  });

  test("needs the secret, and a port of its own", async () => {
    await expect(run(environment, withKey, undefined, { next })).rejects.toThrow(
      /secrets are missing[^]*pulumi config set --secret agentSecretNext/,
    );
    const agent = { next: { port: 9001 } };
    expect(problems(prodWith({ portainer: { agent } })).join("\n")).toMatch(
      /agent\.next\.port: 9001; allowed: another port than portainer\.agent\.port/,
    );
  });

  test("is among the images of the node, and waived with the other one", () => {
    const node = prodNode({ portainer: { agent: { next } } });
    expect(declaredImages(node).map(({ container }) => container)).toContain(
      "portainer_agent_next",
    );
    const given = waiver("policy-secret-in-environment", { container: "portainer_agent" });
    const weak = { id: "policy-secret-in-environment", node: NODE };
    const [one, other] = ["portainer_agent_next", "docker_node_backup"].map((container) =>
      waives(given as never, { ...weak, container }),
    );
    expect([one, other]).toEqual([true, false]);
  });
});

test("a stack that does not declare it has no such resource, and needs no key", async () => {
  const recorder = await run(undefined, {});
  const commands = recorder.all("command:local:Command").map(({ name }) => name);
  expect(commands.filter((name) => name.includes("environment"))).toEqual([]);
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
