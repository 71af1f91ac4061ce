import { readFileSync } from "node:fs";
import { readCompose, type RunDocker } from "../../clients/compose";
import { ask } from "../../clients/process";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import { REASONS } from "../../config/compose/refused";
import { SERVICE_KEYS } from "../../config/compose/service";
import {
  COMPOSE,
  PROJECTS,
  RECORDED,
  argumentsOf,
  builtCompose,
  composedOf,
  recordOf,
  replay,
  withoutFolder,
  type Recorded,
} from "../support/compose";
import { prodWith } from "../support/settings";

/** Compose files: what docker compose makes of them, and what becomes of that. Answers are recorded from a real docker compose. */

type Name = keyof typeof PROJECTS;

const NODE = { volumes: { shop_data: {}, cached_data: {} } };

function stackWith(name: Name, more: object = {}, node: object = NODE): RawSettings {
  return { ...prodWith(node), compose: { [name]: merge(PROJECTS[name], more) } };
}

async function said(name: Name, more: object = {}, node: object = NODE): Promise<string[]> {
  try {
    loadSettings(stackWith(name, more, node), undefined, undefined, await composedOf(name));
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n  ").slice(1);
    throw error;
  }
  return [];
}

async function workloads(name: Name, more: object = {}): Promise<Record<string, unknown>> {
  const raw = stackWith(name, more);
  const { nodes } = loadSettings(raw, undefined, undefined, await composedOf(name));
  return nodes["proj-docker02"]?.workloads ?? {};
}

const NETWORK = "development-secondary";

test("a service becomes a workload, whatever it may have", async () => {
  const { "shop-web": web } = await workloads("shop");
  expect(web).toEqual({
    image: expect.stringMatching(/^registry\.example\.org\/platform\/web:1\.2@sha256:/) as unknown,
    command: ["httpd", "-f"],
    entrypoint: ["/entry", "--quiet"],
    env: { LOG: "info", EMPTY: "" },
    ports: [
      { port: 8080, containerPort: 80, protocol: "tcp" },
      ...[9000, 9001].map((port) => ({
        ...{ port, containerPort: port, protocol: "udp", address: "127.0.0.1" },
      })),
    ],
    networks: { [NETWORK]: { aliases: ["web", "www"] } },
    volumes: { shop_data: { path: "/data", readOnly: true } },
    binds: [{ source: "/srv/web", path: "/www", readOnly: false }],
    tmpfs: [
      { path: "/tmp", sizeMiB: 64 },
      { path: "/var/tmp", sizeMiB: 64 },
      { path: "/run", sizeMiB: 16 },
    ],
    secrets: { db: "web-db", "db.txt": "web-db" },
    limits: { memoryMiB: 128, cpus: 0.5, processes: 99 },
    user: "1000:1000",
    capabilities: ["NET_BIND_SERVICE"],
    readOnlyRoot: true,
    restart: "on-failure",
    ...{ stopSeconds: 90, readySeconds: 120, dependsOn: ["shop-db"], reaches: [] },
    hosts: { printer: ["10.0.0.7", "10.0.0.8"] },
    healthCheck: {
      command: ["/bin/sh", "-c", "wget -q http://127.0.0.1/"],
      ...{ intervalSeconds: 90, timeoutSeconds: 10, startPeriodSeconds: 0, retries: 2 },
    },
    labels: { purpose: "shop" },
  });
});

test("what the file does not say has the strict default of every workload", async () => {
  const { "shop-db": db } = await workloads("shop");
  expect(db).toMatchObject({
    ...{ user: "65534:65534", readOnlyRoot: true, capabilities: [], ports: [] },
    tmpfs: [{ path: "/tmp", sizeMiB: 64 }],
    limits: { memoryMiB: 512, cpus: 2, processes: 128 },
    healthCheck: { command: ["pg_isready"], startPeriodSeconds: 20 },
    networks: { [NETWORK]: { aliases: ["db"] } },
  });
});

test("a profile brings in its services, and a variable its value; whoever waits for them then does", async () => {
  const all = await workloads("cached");
  expect(Object.keys(all)).toEqual(["cached-cache", "cached-db", "cached-web"]);
  expect(all["cached-web"]).toMatchObject({
    env: { LOG: "debug" },
    dependsOn: ["cached-cache", "cached-db"],
  });
  expect(all["cached-cache"]).toMatchObject({ networks: {} });
});

test("the stack file adds what compose has no word for, and wins", async () => {
  const services = { db: { readySeconds: 300, limits: { cpus: 1 } } };
  expect((await workloads("shop", { services }))["shop-db"]).toMatchObject({
    readySeconds: 300,
    limits: { memoryMiB: 512, cpus: 1 },
  });
  expect(await said("shop", { services: { lost: {} } })).toEqual([
    "compose.shop.services.lost: {}; allowed: a service of the files: db, web",
  ]);
});

describe("what is refused", () => {
  test("is named by file, service and key, with the way around and never by its value", async () => {
    const lines = await said("refused");
    expect(lines.join("\n")).not.toMatch(/never-shown|unconfined/);
    const own = lines.filter((line) => line.includes("is not taken over"));
    expect(own.map((line) => line.replace(/: is not taken over.*/, ""))).toEqual(
      [
        "configs",
        "networks.default.driver",
        "networks.default.ipam",
        "networks.default.enable_ipv6",
        "volumes.data.driver_opts",
        ...["Db.depends_on.web.condition", "Db.depends_on.web.restart"],
        "Db.networks.default.ipv4_address",
        "Db",
        ...["web.build", "web.configs", "web.deploy.replicas", "web.deploy.resources.reservations"],
        ...["web.devices", "web.environment.UNSET", "web.env_file"],
        ...["web.hostname", "web.healthcheck", "web.healthcheck.disable", "web.logging"],
        ...["web.network_mode", "web.ports.0", "web.ports.1.name", "web.ports.1.app_protocol"],
        ...["web.privileged", "web.restart", "web.secrets.0", "web.security_opt.0"],
        ...["web.stdin_open", "web.tmpfs.0"],
        ...["web.volumes.0", "web.volumes.1", "web.volumes.2.bind.selinux", "web.volumes.3.type"],
      ].map((key) => {
        const service = /^(web|Db)/.test(key) ? "services." : "";
        return `compose.refused.refused.yaml.${service}${key}`;
      }),
    );
    for (const line of own) expect(line).toMatch(/; (allowed|leave it out): .{4,}/);
    expect(own[2]).toMatch(
      /allowed: name and external; .* nodes\.<name>\.networks\.<name>\.subnet and \.ipv6$/,
    );
    expect(own[3]).toMatch(/allowed: name and external; .* nodes\.<name>\.networks\.<name>\.ipv6$/);
    expect(lines).toContain(
      "compose.refused.refused.yaml.services.web.env_file: is not taken over; allowed: write what anybody may see under environment, and the rest as secrets (pulumi config set --secret workloadSecret-<name>)",
    );
  });

  test("is told with words of its own, for each key that has some", async () => {
    const told = Object.entries(REASONS).map(([key, reason]) => {
      const service = key === "scale" ? "db" : "web";
      const at = key === "security_opt" ? `${key}.0` : key;
      const advice = reason.startsWith("leave it out") ? reason : `allowed: ${reason}`;
      return `compose.each.each.yaml.services.${service}.${at}: is not taken over; ${advice}`;
    });
    // Compose itself refuses what is no key of its files, as it does in broken.yaml.
    expect(await said("each")).toEqual(expect.arrayContaining(told));
    expect(Object.keys(SERVICE_KEYS).filter((key) => key in REASONS)).toEqual(["security_opt"]);
  });

  test("the file that says it is named, of several", async () => {
    expect(await said("overridden", {}, { volumes: { overridden_data: {} } })).toEqual([
      "compose.overridden.override.yaml.services.db.privileged: is not taken over; leave it out: cap_add names what it needs",
    ]);
  });

  test("a value that no workload takes is told where the service stands", async () => {
    expect(await said("shop", {}, {})).toEqual([
      'compose.shop.shop.yaml.services.web.volumes.shop_data: "shop_data"; allowed: a volume of the node: there is none',
    ]);
  });

  test.each<[Name, string]>([
    ["unset", "they need variables that are not set: TAG; allowed"],
    ["broken", "validating broken.yaml: services.web additional properties 'imagee' not allowed;"],
    ["missing", "no such file or directory"],
  ])("files that cannot be read: %s", async (name, reason) => {
    const [line, ...rest] = await said(name);
    expect(rest).toEqual([]);
    expect(line).toMatch(new RegExp(`^compose\\.${name}\\.files: `));
    expect(line).toContain(reason);
  });

  test("a character that no field allows, without its value", async () => {
    const composed = await composedOf("shop");
    const model = { services: { web: { environment: { TOKEN: "never-shown\u0007" } } } };
    const shop = { sources: [], ...composed.shop, model };
    expect(() => loadSettings(stackWith("shop"), undefined, undefined, { shop })).toThrow(
      "compose.shop.files.services.web.environment.TOKEN: is not taken over; allowed: text without control characters",
    );
  });

  test("a path that is none of a file", () => {
    const raw = { ...prodWith({}), compose: { shop: { files: ["https://example.org/a.yaml"] } } };
    expect(() => loadSettings(raw)).toThrow("compose.shop.files.0");
  });
});

describe("docker compose of the workstation", () => {
  const answer =
    (code: number | undefined, stdout: string): RunDocker =>
    () =>
      Promise.resolve({ code, stdout, stderr: "docker: unknown command: docker compose" });

  test.each([
    ["is missing with docker", answer(undefined, ""), "docker compose is not installed here: "],
    ["is missing", answer(1, ""), "docker compose is not installed here: "],
    ["is too old", answer(0, "2.34.0\n"), "docker compose 2.34.0 is older than 2.35.0"],
  ])("%s: that is said, with what to do", async (_, run, complaint) => {
    const read = await readCompose({ shop: PROJECTS.shop }, COMPOSE, run);
    expect(read.shop?.complaint).toContain(complaint);
    expect(read.shop?.complaint).toContain("docker-compose-plugin");
  });

  test("is not asked for a stack without projects", async () => {
    const run: RunDocker = () => Promise.reject(new Error("asked"));
    expect(await readCompose(undefined, COMPOSE, run)).toEqual({});
  });

  test("is told the declared variables, and asked not to read env files", async () => {
    const seen: [string, object][] = [];
    const run: RunDocker = (args, variables) => {
      seen.push([args.join(" "), variables]);
      return replay(args, variables);
    };
    await readCompose({ shop: PROJECTS.shop }, COMPOSE, run);
    expect(seen).toEqual([
      ["compose version --short", {}],
      [expect.stringContaining("--no-env-resolution"), { TAG: "1.2" }],
    ]);
  });

  test("sees nothing of the environment but where its plugins are", async () => {
    process.env.DOCKER_NODE_LEAK = "leaked";
    const { stdout } = await ask({
      ...{ program: "env", args: [], env: { OWN: "1" }, inherits: ["PATH"] },
    });
    delete process.env.DOCKER_NODE_LEAK;
    expect(stdout).toContain("OWN=1");
    expect(stdout).not.toContain("leaked");
  });

  const built = builtCompose();
  (built ? test : test.skip)(
    "says today what is recorded, where the lab has built it",
    async () => {
      const realIn =
        (cwd: string): RunDocker =>
        async (args, variables) => {
          const ran = await ask({
            ...{ program: built ?? "", args: argumentsOf(args), cwd, inherits: ["PATH"] },
            env: { ...variables, COMPOSE_DISABLE_ENV_FILE: "true" },
          });
          const known = JSON.parse(readFileSync(recordOf(args, cwd), "utf8")) as Recorded;
          const { code, stdout } = known;
          expect({ code: ran.code, stdout: withoutFolder(ran.stdout, cwd) }).toEqual({
            code,
            stdout,
          });
          return ran;
        };
      for (const [folder, projects] of RECORDED) {
        const read = await readCompose(projects, folder, realIn(folder));
        expect(Object.keys(read)).toEqual(Object.keys(projects));
      }
    },
  );
});

test("the guide lists every key that a service may have", () => {
  const guide = readFileSync(`${COMPOSE}/../../../docs/how-to/use-compose-files.md`, "utf8");
  for (const key of Object.keys(SERVICE_KEYS)) expect(guide).toContain(`\`${key}\``);
});
