/** Each secret of the table is rotated by one change and one `up`: what another value reaches, and that nothing is made anew for it. */
import { SECRETS } from "../../config/secrets";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi, type Recorded } from "../support/mocks";
import { prodWith } from "../support/settings";

const NODE = "proj-docker02";
const HOST = "registry.example.org";
const key = privateKey();

/** A value for each secret, by its name in the table and its key. */
const FIRST: Readonly<Record<string, string>> = {
  proxmoxApiToken: "automation@pve!pulumi=first",
  agentSecret: "first-secret-of-the-agents",
  agentSecretNext: "the-next-secret-of-the-agents",
  portainerApiKey: "first-key-of-portainer",
  backupToken: "first-token-of-the-backups",
  backupKey: '{"kdf":null,"data":"first"}',
  "registryPassword-<host>": "first-password-of-the-registry",
  imageScannerToken: "first-token-of-the-scanner",
  pbsStorageToken: "first-token-of-the-storage",
  pbsStorageKey: '{"kdf":null,"data":"storage"}',
  "workloadSecret-<name>": "first-secret-of-the-workload",
};

const keyOf = (name: string): string =>
  `docker-node:${name.replace("<host>", HOST).replace("<name>", "greeting")}`;

/** A node that uses every secret. */
const everything = {
  registries: { [HOST]: { username: "ci" } },
  images: {
    scan: { database: null, javaDatabase: null, server: { url: "https://trivy.example.org" } },
  },
  portainer: { agent: { next: {} }, environment: { url: "https://port01.example.org" } },
  workloads: {
    web: {
      image: `${HOST}/platform/web:1@sha256:${"0".repeat(64)}`,
      secrets: { greeting: "greeting" },
    },
  },
};

async function run(values: Readonly<Record<string, string>>): Promise<readonly Recorded[]> {
  const { proxmox, defaults, nodes, waivers } = prodWith({ ...everything, ssh: key.ssh });
  const settings = Object.entries({ proxmox, defaults, nodes, waivers }).map(
    ([name, value]) => [`docker-node:${name}`, JSON.stringify(value)] as const,
  );
  const secrets = Object.entries(values).map(([name, value]) => [keyOf(name), value] as const);
  const recorder = await startPulumi({ config: Object.fromEntries([...settings, ...secrets]) });
  process.env.DOCKER_NODE_DRIFT = "off";
  await runStack().finally(() => {
    delete process.env.DOCKER_NODE_DRIFT;
  });
  await settle(recorder);
  return recorder.resources;
}

let before: readonly Recorded[];

beforeAll(async () => {
  before = await run(FIRST);
});

/** What another value changes: resource and input. */
async function changedBy(name: string): Promise<string[]> {
  const other = (FIRST[name] ?? "").replace(/first|next|storage/, "other");
  const after = await run({ ...FIRST, [name]: other });
  expect(after.map((one) => one.name)).toEqual(before.map((one) => one.name));
  return after.flatMap(({ name: resource, inputs }, at) => {
    const earlier = before[at]?.inputs ?? {};
    return Object.keys(inputs)
      .filter((input) => JSON.stringify(inputs[input]) !== JSON.stringify(earlier[input]))
      .map((input) => `${resource}.${input}`);
  });
}

const ofNode = (...inputs: string[]): string[] => inputs.map((input) => `${NODE}-${input}`);
const scans = (...containers: string[]): string[] =>
  ofNode(...containers.map((container) => `scan-${container}.environment`));

/** What holds the value. Only the agents, which take it from their environment alone, are made anew for one. */
const CHANGED: Readonly<Record<(typeof SECRETS)[number]["name"], readonly string[]>> = {
  proxmoxApiToken: ["proxmox.apiToken"],
  agentSecret: ofNode("agent-container.envs"),
  agentSecretNext: ofNode("next-agent-container.envs"),
  portainerApiKey: ofNode("environment.environment", "next-environment.environment"),
  backupToken: ofNode("backups-secrets.stdin"),
  backupKey: ofNode("backups-secrets.stdin"),
  "registryPassword-<host>": [
    ...scans("docker_node_backup", "web"),
    ...ofNode("docker.registryAuth"),
  ],
  imageScannerToken: [
    ...scans("portainer_agent", "portainer_agent_next", "docker_node_cadvisor"),
    ...scans("docker_node_socket_proxy", "docker_node_backup", "web"),
  ],
  pbsStorageToken: ["storage-pbs01.password"],
  pbsStorageKey: ["storage-pbs01.encryptionKey"],
  "workloadSecret-<name>": ofNode("workload-web-secrets.stdin"),
};

test.each(SECRETS.map(({ name }) => [name]))("%s", async (name) => {
  expect((await changedBy(name)).sort()).toEqual([...CHANGED[name]].sort());
});
