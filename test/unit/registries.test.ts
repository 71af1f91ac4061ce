import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { askRegistry, askForImage } from "../../clients/registry";
import { interpret } from "../../clients/pulumi/configuration";
import { registryChecks } from "../../commands/doctor/checks/registries";
import { redact } from "../../commands/doctor/report";
import type { Context, Finding } from "../../commands/doctor/types";
import { loadSettings, merge } from "../../config/load";
import { readSecrets } from "../../config/secret-values";
import program from "../../index";
import type { State } from "../../node/recorded";
import { dockerSteps } from "../../node/steps";
import { privateKey } from "../support/key";
import { HOST_KEY, settle, startPulumi, type Recorded, type Recorder } from "../support/mocks";
import { answering, close, listen, selfSigned } from "../support/portainer";
import { privateRegistry, type PrivateRegistry } from "../support/registry";
import { mockConfig, prodNode, prodWith, problems, stackConfig, waived } from "../support/settings";

/** Registries with a password, an authority, or both (docs/how-to/use-a-private-registry.md). */

const HOST = "registry.example.org:5000";
const KEY = "registryPassword-registry.example.org_5000";
const identity = selfSigned();
const authority = identity.cert.trim();
const key = privateKey();

const found = (registries: unknown, more: object = {}): string[] =>
  problems(prodWith({ registries, ...more }));

describe("a declaration", () => {
  test.each([
    ["https://registry.example.org", "as the key: a registry's host or host:port"],
    ["registry.example.org/team", "as the key: a registry's host or host:port"],
    ["registry", "as the key: a registry's host or host:port"],
    ["-registry.example.org", "as the key: a registry's host or host:port"],
    ["registry.example.org:70000", "as the key: a port up to 65535"],
    ["index.docker.io", "Docker Hub is docker.io"],
    ["*.example.org", "as the key: a registry's host or host:port"],
  ])("of %s is refused", (host, allowed) => {
    expect(found({ [host]: {} }).join()).toContain(allowed);
  });

  test.each([[HOST], ["registry.example.org"], ["localhost"], ["10.25.20.5:5000"], ["docker.io"]])(
    "of %s is taken",
    (host) => {
      expect(found({ [host]: { username: "robot$team+ci" } })).toEqual([]);
    },
  );

  test.each<[string, object, string]>([
    ["a user with a colon", { username: "a:b" }, "a user name on one line, without a colon"],
    ["a password", { password: "x" }, "not a key of this section"],
    ["a path", { caCertificate: "/etc/ca.pem" }, "a certificate as PEM text"],
    [
      "what is no certificate",
      { caCertificate: authority.replace(/\n.{8}/, "\nAAAAAAAA") },
      "a certificate that can be read",
    ],
    [
      "more than certificates",
      { caCertificate: `${authority}\nand more\n${authority}` },
      "a certificate that can be read",
    ],
  ])("with %s is refused", (_, registry, allowed) => {
    expect(found({ [HOST]: registry }).join()).toContain(allowed);
  });

  test("with two certificates is taken", () => {
    expect(found({ [HOST]: { caCertificate: `${authority}\n${authority}\n` } })).toEqual([]);
  });

  test("with a certificate that has expired is refused, with its day", () => {
    const raw = prodWith({ registries: { [HOST]: { caCertificate: authority } } });
    const later = new Date(Date.now() + 5 * 24 * 60 * 60 * 1000);
    expect(() => loadSettings(raw, Object.keys(raw), later)).toThrow(
      /registries\."registry\.example\.org:5000"\.caCertificate: "CN=portainer, until .*; allowed: a certificate that has not expired/,
    );
  });

  test("of an authority for Docker Hub is refused, because dockerd would not read it", () => {
    expect(found({ "docker.io": { caCertificate: authority } }).join()).toContain(
      "dockerd trusts only public authorities for it",
    );
  });

  test("of another user on another node is refused, because they share the password", () => {
    const { proxmox, defaults } = prodWith({});
    const other = {
      machine: { vmId: 2020 },
      network: { address: "10.25.20.25/24" },
      registries: { [HOST]: { username: "other" } },
    };
    const nodes = { "proj-docker02": { registries: { [HOST]: { username: "ci" } } }, b: other };
    expect(problems({ proxmox, defaults, nodes })).toEqual([
      expect.stringContaining(
        'nodes.b.registries."registry.example.org:5000".username: "other"; allowed: ci, as for proj-docker02',
      ),
    ]);
  });

  test("must not lie in a subnet of Docker", () => {
    expect(found({ "172.18.0.7:5000": {} }).join()).toContain("172.18.0.7 (registries)");
  });
});

describe("a password", () => {
  const read = (values: Record<string, string>): ReturnType<typeof readSecrets> => {
    const set = Object.entries(stackConfig(prodWith({}))).map(([name, { value }]) => [name, value]);
    pulumi.runtime.setAllConfig({ ...Object.fromEntries(set), ...values } as Record<
      string,
      string
    >);
    const settings = loadSettings(prodWith({ registries: { [HOST]: { username: "ci" } } }));
    return readSecrets(new pulumi.Config("docker-node"), settings);
  };

  test("that is missing is named, with the command that sets it", () => {
    expect(() => read({})).toThrow(
      `secrets are missing; nothing was changed:\n  pulumi config set --secret ${KEY} <value>`,
    );
  });

  test("is a secret", async () => {
    const { registries } = read({ [`docker-node:${KEY}`]: "hush" });
    expect(Object.keys(registries)).toEqual([HOST]);
    expect(await pulumi.isSecret(registries[HOST] as pulumi.Output<string>)).toBe(true);
  });
});

/** The SDK's mocks know of what a resource waits for; only their type is not exported. */
const { getMonitor } = pulumi.runtime as unknown as { getMonitor: () => Monitor };
interface Monitor {
  registerResource(request: Request, ...rest: unknown[]): unknown;
}
interface Request {
  getName(): string;
  getDependenciesList(): string[];
}

const PASSWORD = "first-password-of-the-registry";

async function run(
  node: object = {},
  password = PASSWORD,
  state?: State,
): Promise<{ recorder: Recorder; waits: Map<string, string[]> }> {
  const raw = waived(prodWith({ ...node, ssh: key.ssh }));
  const waivers = { "docker-node:waivers": JSON.stringify(raw.waivers ?? []) };
  const config = { ...mockConfig(raw), ...waivers, [`docker-node:${KEY}`]: password };
  process.env.DOCKER_NODE_DRIFT = "off";
  const recorder = await startPulumi({ config, state });
  const waits = new Map<string, string[]>();
  const monitor = getMonitor();
  const register = monitor.registerResource.bind(monitor);
  jest.spyOn(monitor, "registerResource").mockImplementation((request, ...rest) => {
    const names = request.getDependenciesList().map((urn) => urn.split("::").at(-1) ?? "");
    waits.set(request.getName(), names);
    return register(request, ...rest);
  });
  await program();
  await settle(recorder);
  return { recorder, waits };
}

afterEach(() => {
  delete process.env.DOCKER_NODE_DRIFT;
});

/** The state after that run, as far as the program reads it. */
const stateOf = (recorder: Recorder): State =>
  Object.fromEntries(
    recorder.resources.map(({ type, name, inputs }) => {
      const stdout = name.endsWith("-ready") ? { stdout: HOST_KEY } : {};
      return [
        `urn:pulumi:test::docker-node::${type}::${name}`,
        { type, outputs: { ...inputs, ...stdout } },
      ];
    }),
  );

const declared = { registries: { [HOST]: { username: "ci", caCertificate: authority } } };
const provider = ({ recorder }: Awaited<ReturnType<typeof run>>): Recorded =>
  recorder.find("pulumi:providers:docker");

/** The provider's credentials. The SDK marks what is a secret, and Pulumi encrypts it in the state. */
function credentials(recorder: Recorder): { address: string }[] {
  const { registryAuth } = recorder.find("pulumi:providers:docker").inputs;
  const { value, ...mark } = registryAuth as { value: string };
  expect(Object.values(mark)).toEqual([pulumi.runtime.specialSecretSig]);
  return JSON.parse(value) as { address: string }[];
}

const others = ({ recorder }: Awaited<ReturnType<typeof run>>): object[] =>
  recorder.resources
    .filter(({ type }) => type !== "pulumi:providers:docker")
    .map(({ type, name, inputs }) => ({ type, name, inputs }))
    .sort((a, b) => a.name.localeCompare(b.name));

describe("the program", () => {
  test("gives the credentials to the provider, and to nothing else", async () => {
    const made = await run(declared);
    const auth = { address: HOST, username: "ci", password: PASSWORD };
    expect(credentials(made.recorder)).toEqual([auth]);
    expect(JSON.stringify(others(made))).not.toContain(PASSWORD);
  });

  test("another password changes the provider alone: no image, no container", async () => {
    const [before, after] = [await run(declared), await run(declared, "second-password")];
    expect(provider(after).inputs.registryAuth).not.toEqual(provider(before).inputs.registryAuth);
    expect(others(after)).toEqual(others(before));
  });

  test("knows Docker Hub by both names that images have for it", async () => {
    const login = { "docker.io": { username: "ci" } };
    const node = prodWith(merge({ ssh: key.ssh }, { registries: login }));
    const config = { ...mockConfig(node), "docker-node:registryPassword-docker.io": PASSWORD };
    const recorder = await startPulumi({ config });
    await program();
    await settle(recorder);
    const addresses = credentials(recorder).map(({ address }) => address);
    expect(addresses).toEqual(["docker.io", "registry-1.docker.io"]);
  });

  test("without registries makes what it made before", async () => {
    const made = await run();
    expect(provider(made).inputs).not.toHaveProperty("registryAuth");
    expect(made.recorder.resources.map(({ name }) => name)).not.toContain(
      "proj-docker02-registries",
    );
  });

  test("gives the authorities to the node, before the provider is there", async () => {
    const { recorder } = await run(declared);
    const step = recorder.find("command:remote:Command", "proj-docker02-registries");
    expect(step.inputs.stdin).toContain(`CERTIFICATES='${HOST}\n${authority}'`);
    const order = recorder.resources.map(({ name }) => name);
    expect(order.indexOf(step.name)).toBeLessThan(order.indexOf("proj-docker02-docker"));
  });

  test("takes the authorities back when none is declared any more", async () => {
    const { recorder } = await run({}, PASSWORD, stateOf((await run(declared)).recorder));
    const step = recorder.find("command:remote:Command", "proj-docker02-registries");
    expect(step.inputs.stdin).toContain("CERTIFICATES=''\n");
  });

  test("pulls all images at the same time, and before any container is stopped", async () => {
    const { waits } = await run();
    const images = ["proj-docker02-agent-image", "proj-docker02-backups-image"];
    for (const image of images)
      expect(waits.get(image)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/image$/)]),
      );
    for (const container of ["agent", "backups"])
      expect(waits.get(`proj-docker02-${container}-container`)).toEqual(
        expect.arrayContaining([...images, ...images.map((image) => `${image}-seal`)]),
      );
  });

  test("seals no image where no container is remapped", async () => {
    const { waits } = await run({ engine: { daemon: { "userns-remap": null } } });
    expect([...waits.keys()].filter((name) => name.endsWith("-seal"))).toEqual([]);
  });
});

describe("the authority of a mirror", () => {
  const mirrored = { engine: { daemon: { "registry-mirrors": [`https://${HOST}`] } } };
  const variables = (node: object): unknown =>
    dockerSteps(prodNode(node)).find(({ script }) => script === "registries")?.variables[
      "CERTIFICATES"
    ];

  test("counts for Docker Hub too, where dockerd looks for it with the containerd image store", () => {
    const text = variables({ ...declared, ...mirrored });
    expect(text).toBe(`${HOST}\n${authority}\ndocker.io\n${authority}`);
  });

  test("without one nothing is written", () => {
    expect(variables(mirrored)).toBeUndefined();
  });
});

describe("asked by its client", () => {
  const login = { username: "ci", password: "hush" };
  const open: PrivateRegistry[] = [];
  const start = async (tokens: boolean): Promise<PrivateRegistry> => {
    const registry = await privateRegistry(identity, { user: "ci", password: "hush", tokens });
    open.push(registry);
    return registry;
  };
  const access = ({ host }: PrivateRegistry) =>
    ({ host, scheme: "https", patience: 5000, caCertificate: identity.cert, login }) as const;
  afterEach(() => {
    for (const { server } of open.splice(0)) close(server);
  });

  test.each([
    ["a password", false],
    ["a token for the password", true],
  ])("a registry that wants %s lets in who has it", async (_, tokens) => {
    const registry = await start(tokens);
    const digest = `sha256:${"a".repeat(64)}`;
    const image = { host: registry.host, repository: "team/app", digest };
    expect(await askRegistry(access(registry))).toEqual({ status: 200, challenged: true });
    expect(await askForImage(image, access(registry))).toEqual({ status: 200, challenged: true });
    const wrong = { ...access(registry), login: { ...login, password: "no" } };
    expect(await askRegistry(wrong)).toEqual({ status: 401, challenged: true });
    expect(registry.asked[0]).toBe("GET /v2/ with nothing");
  });

  test("an authority that is not declared is not trusted", async () => {
    const registry = await start(false);
    await expect(askRegistry({ ...access(registry), caCertificate: undefined })).rejects.toThrow(
      /self-signed certificate/,
    );
    expect(registry.asked).toEqual([]);
  });

  test("a token server over plain HTTP gets no password", async () => {
    const given: (string | undefined)[] = [];
    const plain = createServer((request, response) => {
      given.push(request.headers.authorization);
      response.end("{}");
    });
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    const realm = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/token`;
    const server = answering(identity, (_, response) =>
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}"` }).end(),
    );
    const host = (await listen(server)).replace("https://", "");
    const registry = { host, server, asked: [] };
    expect(await askRegistry(access(registry))).toEqual({ status: 401, challenged: true });
    expect(given).toEqual([undefined]);
    plain.close();
    close(server);
  });
});

describe("the doctor", () => {
  let registry: PrivateRegistry;
  beforeAll(async () => {
    registry = await privateRegistry(identity, { user: "ci", password: "hush-hush" });
  });
  afterAll(() => {
    close(registry.server);
  });

  async function judge(declaration: object, password?: string): Promise<Finding | undefined> {
    const { host } = registry;
    const node = { portainer: null, registries: { [host]: declaration } };
    const name = `docker-node:registryPassword-${host.replace(":", "_")}`;
    const configuration = interpret({
      ...stackConfig(waived(prodWith(node))),
      ...(password === undefined ? {} : { [name]: { value: password, secret: true } }),
    });
    expect(configuration.problems).toEqual([]);
    const context = { configuration, patience: 5000, stack: "prod" } as unknown as Context;
    const [check] = registryChecks(context);
    const finding = await check?.run(context);
    const [shown] = redact(
      finding ? [{ id: "", title: "", ...finding }] : [],
      configuration.secrets,
    );
    if (password !== undefined) expect(JSON.stringify(shown)).not.toContain(password);
    return finding;
  }

  const trusted = { caCertificate: identity.cert };
  const user = { ...trusted, username: "ci" };

  test("passes a registry that takes the password", async () => {
    const detail = `${registry.host} accepts ci`;
    expect(await judge(user, "hush-hush")).toEqual({ status: "pass", detail });
  });

  test("fails one that does not, and says how to set it", async () => {
    const name = `registryPassword-${registry.host.replace(":", "_")}`;
    expect(await judge(user, "wrong-word")).toEqual({
      status: "fail",
      detail: `${registry.host} does not accept ci: 401`,
      fix: `pulumi config set --secret ${name} '<password>' --stack prod`,
    });
  });

  test("skips one whose password is not set: the check of the secrets reports it", async () => {
    expect(await judge(user)).toMatchObject({ status: "skip" });
  });

  test("warns of one that wants a user, and of one that cannot be reached", async () => {
    expect(await judge(trusted)).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("it wants a user") as unknown,
    });
    expect(await judge({ username: "ci" }, "hush-hush")).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("self-signed certificate") as unknown,
    });
  });
});
