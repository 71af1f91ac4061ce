import * as pulumi from "@pulumi/pulumi";
import { DockerNode } from "../../components";
import { restartPolicy, toDuration } from "../../components/workloads/container-args";
import { merge } from "../../config/load";
import type { Outputs } from "../../contract/schema";
import program from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi, unwrap, type Recorded, type Recorder } from "../support/mocks";
import { mockConfig, prodNode, prodWith } from "../support/settings";
import { IMAGE, NETWORK, withWeb } from "../support/workloads";

/** What workloads become: resources, what they are told, and in which order. */

const NODE = "proj-docker02";
const NAME = `${NODE}-workload-web`;
const SECRET = "4dabf18193072939515e22adb298388d";
const key = privateKey();

type Options = Record<string, pulumi.CustomResourceOptions>;

interface Seen {
  readonly recorder: Recorder;
  readonly outputs: Outputs;
}

async function run(override: object, secrets: Record<string, string> = {}): Promise<Seen> {
  const config = { ...mockConfig(prodWith(merge({ ssh: key.ssh }, override))), ...secrets };
  const recorder = await startPulumi({ config });
  const outputs = await program();
  await settle(recorder);
  return { recorder, outputs };
}

/** Options of everything that a node is made of, by type and name. */
async function optionsOf(override: object): Promise<Options> {
  const recorder = await startPulumi();
  const seen: Options = {};
  const see: pulumi.ResourceTransformation = ({ type, name, opts }) => {
    seen[`${type} ${name}`] = opts;
    return undefined;
  };
  const node = prodNode(merge({ portainer: null, backups: null }, override));
  new DockerNode(NODE, { node, privateKey: "key" }, { transformations: [see] });
  await settle(recorder);
  return seen;
}

const container = ({ recorder }: Seen): Recorded =>
  recorder.find("docker:index/container:Container", NAME);
const command = ({ recorder }: Seen, step: string): Recorded =>
  recorder.find("command:remote:Command", `${NAME}-${step}`);

const FULL = withWeb(
  {
    command: ["httpd", "-f"],
    networks: { [NETWORK]: { aliases: ["www"] } },
    ports: [
      { port: 443, containerPort: 8443 },
      { port: 80, containerPort: 8080, address: "127.0.0.1" },
    ],
    volumes: { "research-data": { path: "/data", readOnly: true } },
    binds: [{ source: "/srv/web", path: "/www" }],
    env: { LOG: "info" },
    secrets: { "db-password": "web-db" },
    capabilities: ["CHOWN"],
    limits: { memoryMiB: 64, cpus: 0.5, processes: 32 },
    healthCheck: { command: ["wget", "-q", "http://127.0.0.1:8080/"], intervalSeconds: 90 },
    labels: { purpose: "test" },
    restart: "on-failure",
    stopSeconds: 20,
  },
  { volumes: { "research-data": {} } },
);
const FULL_SECRETS = { "docker-node:workloadSecret-web-db": "s3cret'of\nweb" };

test("a workload is an image, its secrets, a container, its limit and what starts it", async () => {
  const { recorder } = await run(FULL, FULL_SECRETS);
  const own = recorder.resources.filter(({ name }) => name.startsWith(NAME));
  expect(own.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
    `command:remote:Command ${NAME}-limits`,
    `command:remote:Command ${NAME}-run`,
    `command:remote:Command ${NAME}-secrets`,
    `docker-node:components:Workload ${NAME}`,
    `docker:index/container:Container ${NAME}`,
    `docker:index/remoteImage:RemoteImage ${NAME}-image`,
  ]);
});

test("a node without workloads has nothing of them", async () => {
  const { recorder, outputs } = await run({});
  expect(recorder.resources.filter(({ name }) => name.includes("workload"))).toEqual([]);
  expect(await unwrap(pulumi.output(outputs.nodes[NODE]?.workloads))).toBeUndefined();
});

test("Docker is told everything, and does not start it", async () => {
  expect(container(await run(FULL, FULL_SECRETS)).inputs).toEqual({
    image: `sha256:id-of-${IMAGE}`,
    ...{ start: false, mustRun: false, hostname: "web" },
    ...{ command: ["httpd", "-f"], user: "65534:65534", envs: ["LOG=info"] },
    labels: [
      { label: "purpose", value: "test" },
      { label: "docker-node.workload", value: "web" },
    ],
    capabilities: { adds: ["CAP_CHOWN"], drops: ["ALL"] },
    ...{ readOnly: true, securityOpts: ["no-new-privileges:true"] },
    ...{ cpuShares: 512, cpuPeriod: 100000, cpuQuota: 50000, memory: 64, memorySwap: 64 },
    networkMode: "bridge",
    networksAdvanced: [{ name: `${NODE}-${NETWORK}-id`, aliases: ["web", "www"] }],
    ports: [
      { internal: 8080, external: 80, ip: "127.0.0.1", protocol: "tcp" },
      { internal: 8443, external: 443, ip: "10.25.20.24", protocol: "tcp" },
    ],
    volumes: [{ volumeName: "research-data", containerPath: "/data", readOnly: true }],
    mounts: [
      {
        ...{ type: "bind", source: "/srv/web", target: "/www", readOnly: true },
        bindOptions: { propagation: "rprivate" },
      },
      {
        ...{ type: "bind", target: "/run/secrets", readOnly: true },
        source: "/var/lib/docker-node/secrets/workloads/web",
        bindOptions: { propagation: "rprivate" },
      },
    ],
    tmpfs: { "/tmp": "size=64m,mode=1777" },
    healthcheck: {
      tests: ["CMD", "wget", "-q", "http://127.0.0.1:8080/"],
      ...{ interval: "1m30s", timeout: "10s", startPeriod: "0s", startInterval: "0s", retries: 3 },
    },
    ...{ restart: "on-failure", maxRetryCount: 5, stopTimeout: 20, destroyGraceSeconds: 20 },
    removeVolumes: false,
    ...{ logDriver: "json-file", logOpts: { "max-size": "100m", "max-file": "3" } },
  });
});

test.each([
  [{ "log-driver": "syslog" }, { logDriver: "syslog" }],
  [
    { "log-driver": "journald", "log-opts": { tag: "x" } },
    { logDriver: "journald", logOpts: { tag: "x" } },
  ],
  [
    { "log-opts": { "max-size": "10m" } },
    { logDriver: "json-file", logOpts: { "max-size": "10m", "max-file": "3" } },
  ],
  [{ init: true }, { init: true }],
  [{ init: false }, {}],
])("every container of the program has what daemon.json says: %j", async (daemon, expected) => {
  const seen = await run(withWeb({}, { engine: { daemon } }));
  const containers = seen.recorder.resources.filter(
    ({ type }) => type === "docker:index/container:Container",
  );
  expect(containers.length).toBeGreaterThanOrEqual(5);
  const standard = { logDriver: "json-file", logOpts: { "max-size": "100m", "max-file": "3" } };
  const wanted = "logDriver" in expected ? expected : { ...standard, ...expected };
  for (const { inputs } of containers) {
    const { logDriver, logOpts, init } = inputs;
    expect({ logDriver, logOpts, init }).toEqual(wanted);
  }
});

test("a workload that says nothing has no network, not even docker0", async () => {
  const { inputs } = container(await run(withWeb()));
  expect(inputs).toMatchObject({ networkMode: "none", readOnly: true });
  expect(inputs).not.toHaveProperty("networksAdvanced");
  expect(inputs).not.toHaveProperty("healthcheck");
});

describe("by itself a workload gets", () => {
  const declared = async (over: object): Promise<Record<string, unknown>> =>
    container(await run(withWeb(over))).inputs;
  let inputs: Record<string, unknown>;
  let limits: string;
  beforeAll(async () => {
    const seen = await run(withWeb());
    inputs = container(seen).inputs;
    limits = String(command(seen, "limits").inputs.stdin);
  });

  test.each<[string, object]>([
    ["nobody as its user", { user: "65534:65534" }],
    ["no capability", { capabilities: { adds: [], drops: ["ALL"] } }],
    ["a root that is read-only", { readOnly: true }],
    [
      "a small folder in memory, and no other mount",
      { tmpfs: { "/tmp": "size=64m,mode=1777" }, volumes: [], mounts: [] },
    ],
    ["no new privileges", { securityOpts: ["no-new-privileges:true"] }],
    ["256 MiB and no swap", { memory: 256, memorySwap: 256 }],
    [
      "one processor, and half the share of the node's own work",
      { cpuPeriod: 100000, cpuQuota: 100000, cpuShares: 512 },
    ],
    ["no network", { networkMode: "none" }],
    ["no variable", { envs: [] }],
    ["a start after each end, unless a person stopped it", { restart: "unless-stopped" }],
    ["ten seconds to end", { stopTimeout: 10 }],
    ["a log that does not grow without end", { logOpts: { "max-size": "100m", "max-file": "3" } }],
  ])("%s", (_, expected) => {
    expect(inputs).toMatchObject(expected);
  });

  test("256 processes at most", () => {
    expect(limits).toContain("PROCESSES='256'");
  });

  test("the health check of its image, no port and no other name", () => {
    for (const key of ["healthcheck", "ports", "hosts", "privileged", "devices", "pidMode"])
      expect(inputs).not.toHaveProperty(key);
  });

  test("the node's own address for a port, and never all of them", async () => {
    const port = { networks: { [NETWORK]: {} }, ports: [{ port: 80, containerPort: 8080 }] };
    expect((await declared(port)).ports).toEqual([
      { internal: 8080, external: 80, ip: "10.25.20.24", protocol: "tcp" },
    ]);
  });

  test("binds that it can only read", async () => {
    const bind = { binds: [{ source: "/srv/web", path: "/www" }] };
    expect((await declared(bind)).mounts).toMatchObject([{ readOnly: true }]);
  });
});

test("further names are entries of its hosts file, one for each address", async () => {
  const hosts = { "printer.example.org": ["10.0.0.7", "10.0.0.8"] };
  expect(container(await run(withWeb({ hosts }))).inputs.hosts).toEqual([
    { host: "printer.example.org", ip: "10.0.0.7" },
    { host: "printer.example.org", ip: "10.0.0.8" },
  ]);
});

test("the new container has a name of its own and is made before the earlier one goes", async () => {
  expect(container(await run(withWeb())).inputs).not.toHaveProperty("name");
  const { [`docker:index/container:Container ${NAME}`]: options } = await optionsOf(withWeb());
  expect(options).toMatchObject({ replaceOnChanges: ["init", "cpuPeriod", "cpuQuota", "tmpfs"] });
  expect(options).not.toHaveProperty("deleteBeforeReplace");
});

test("ports are in the order in which docker lists them, whatever the file's order is", async () => {
  const port = { port: 80, containerPort: 8080 };
  const ports = [
    { ...port, port: 9000 },
    { ...port, address: "127.0.0.1" },
    { ...port, protocol: "udp" },
    port,
    { ...port, port: 1000 },
    { port: 70, containerPort: 9090 },
  ];
  const inOrder = [
    ["10.25.20.24", 80, 8080, "tcp"],
    ["127.0.0.1", 80, 8080, "tcp"],
    ["10.25.20.24", 1000, 8080, "tcp"],
    ["10.25.20.24", 9000, 8080, "tcp"],
    ["10.25.20.24", 80, 8080, "udp"],
    ["10.25.20.24", 70, 9090, "tcp"],
  ];
  for (const declared of [ports, ports.toReversed()]) {
    const web = { networks: { [NETWORK]: {} }, ports: declared };
    expect(container(await run(withWeb(web))).inputs.ports).toEqual(
      inOrder.map(([ip, external, internal, protocol]) => ({ ip, external, internal, protocol })),
    );
  }
});

test("whatever changes on the node waits as long as workloads may take, however many there are", async () => {
  const seen = await run(FULL, FULL_SECRETS);
  for (const step of ["limits", "run", "secrets"])
    expect(JSON.stringify(command(seen, step).inputs.stdin)).toContain("LOCK_TIMEOUT='7200'");
  const agent = seen.recorder.find("command:remote:Command", `${NODE}-agent-limits`);
  expect(agent.inputs.stdin).toContain("LOCK_TIMEOUT='7200'");
  const { recorder } = await run({});
  const alone = recorder.find("command:remote:Command", `${NODE}-agent-limits`);
  expect(alone.inputs.stdin).toContain("LOCK_TIMEOUT='7200'");
});

test("the step that starts it knows its container, limits and policy", async () => {
  const seen = await run(FULL, FULL_SECRETS);
  const lines = String(command(seen, "run").inputs.stdin).split("\n").slice(0, 7);
  expect(lines).toEqual([
    "WORKLOAD='web'",
    "READY_SECONDS='120'",
    "LIMIT='960'",
    "LOCK_TIMEOUT='7200'",
    `CONTAINER='${NAME}-id'`,
    "RESTART='on-failure:5'",
    "SECRETS_WRITTEN='1767225600'",
  ]);
  expect(String(command(seen, "limits").inputs.stdin)).toContain("PROCESSES='32'");
});

test("secrets are files, never variables, and go with the workload", async () => {
  const seen = await run(FULL, FULL_SECRETS);
  const { stdin, delete: remove } = command(seen, "secrets").inputs;
  expect(stdin).toMatchObject({ [SECRET]: expect.any(String) as unknown });
  const { value } = stdin as { value: string };
  expect(value).toContain("FILES='db-password'\nCONTENT_0='s3cret'\\''of\nweb'\n");
  expect(value).toContain("OWNER='65534'");
  expect(remove).toBe(
    "cat >/dev/null; sudo -n rm -rf -- /var/lib/docker-node/secrets/workloads/web",
  );
  const rest = seen.recorder.resources.filter(({ name }) => name !== `${NAME}-secrets`);
  expect(JSON.stringify(rest)).not.toContain("s3cret");
});

test("a secret that is missing is named, before anything is declared", async () => {
  const config = mockConfig(prodWith(merge({ ssh: key.ssh }, FULL)));
  const recorder = await startPulumi({ config });
  await expect(program()).rejects.toThrow(
    "pulumi config set --secret workloadSecret-web-db <value>",
  );
  await settle(recorder);
  expect(recorder.resources).toEqual([]);
});

test("a workload waits for those it depends on to be healthy", async () => {
  const workloads = { web: { image: IMAGE, dependsOn: ["db"] }, db: { image: IMAGE } };
  const { [`command:remote:Command ${NAME}-run`]: options } = await optionsOf({ workloads });
  const before = (options?.dependsOn as pulumi.Resource[]).map(({ urn }) => unwrap(urn));
  expect((await Promise.all(before)).join("\n")).toContain(`${NODE}-workload-db-run`);
});

test("outputs say where a workload is found, and nothing else of it", async () => {
  const { outputs } = await run(FULL, FULL_SECRETS);
  expect(await unwrap(pulumi.output(outputs.nodes[NODE]?.workloads))).toEqual({
    web: {
      networks: { [NETWORK]: ["web", "www"] },
      ports: [
        { address: "127.0.0.1", port: 80, containerPort: 8080, protocol: "tcp" },
        { address: "10.25.20.24", port: 443, containerPort: 8443, protocol: "tcp" },
      ],
    },
  });
});

test.each([
  [5, "5s"],
  [60, "1m0s"],
  [90, "1m30s"],
  [3600, "1h0m0s"],
])("%s seconds are as Go writes them", (seconds, text) => {
  expect(toDuration(seconds)).toBe(text);
});

test.each(["unless-stopped", "always", "no"])("the policy %s has no number", (restart) => {
  const { web } = prodNode(withWeb({ restart })).workloads;
  expect(web && restartPolicy(web)).toBe(restart);
});
