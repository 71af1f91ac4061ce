import * as docker from "@pulumi/docker";
import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import program from "../../index";
import { merge, type RawSettings } from "../../config/load";
import { dayAfter } from "../../config/waivers/days";
import { POLICIES, TYPES } from "../../policies/policies";
import { privateKey } from "../support/key";
import { settle, startPulumi, type Recorded } from "../support/mocks";
import { stackConfig, stackFile, waiver } from "../support/settings";

/** The policies, asked as Pulumi's engine asks them: with the proxies of the pack around the inputs. */

const { Secret } = jest.requireActual<{ Secret: new (value: unknown) => { value: unknown } }>(
  "@pulumi/policy",
);
const { unknownCheckingProxy, unknownStringValue } = jest.requireActual<{
  unknownCheckingProxy: (inputs: unknown) => Record<string, unknown>;
  unknownStringValue: string;
}>("@pulumi/policy/proxy");
const { secretsPreservingProxy } = jest.requireActual<{
  secretsPreservingProxy: (inputs: unknown) => unknown;
}>("@pulumi/policy/secret");

const DIGEST = `sha256:${"a".repeat(64)}`;
const PINNED = `registry.example.org/app:1.2@${DIGEST}`;

interface Resource {
  readonly type: string;
  readonly props: object;
  readonly name?: string;
  /** Name of its provider. */
  readonly provider?: string;
  readonly protect?: boolean;
}

type Policy = (typeof POLICIES)[number];

const isOfResources = (policy: Policy): policy is Exclude<Policy, { validateStack: unknown }> =>
  "validateResource" in policy;

function argsOf({ type, props, name = "it", protect = false, ...its }: Resource) {
  const own = its.provider ?? "proj-docker02-docker";
  const provider = { name: own, type: "pulumi:providers:docker", props: {}, urn: "" };
  return {
    ...{ type, name, urn: `urn:${name}`, provider, props: unknownCheckingProxy(unwrapped(props)) },
    opts: { protect },
  } as never;
}

/** Inputs as a validation gets them: nothing says which were secrets. */
const unwrapped = (props: object): object =>
  Object.fromEntries(
    Object.entries(props).map(([key, one]) => [key, one instanceof Secret ? one.value : one]),
  );

/** What the policies of resources say of one, each with its policy's name. */
async function refused(resource: Resource): Promise<string[]> {
  const said: string[] = [];
  for (const policy of POLICIES.filter(isOfResources)) {
    const report = (what: string): void => void said.push(`${policy.name}: ${what}`);
    await policy.remediateResource?.({
      ...(argsOf(resource) as object),
      props: unknownCheckingProxy(secretsPreservingProxy(resource.props)),
    } as never);
    const validations = [policy.validateResource ?? []].flat();
    for (const validate of validations) await validate(argsOf(resource), report);
  }
  return said;
}

/** What the policies of a whole stack say. */
async function refusedTogether(resources: readonly Resource[]): Promise<string[]> {
  const said: string[] = [];
  const args = { resources: resources.map(argsOf) } as never;
  for (const policy of POLICIES)
    if ("validateStack" in policy)
      await policy.validateStack(args, (what: string) => void said.push(what));
  return said;
}

const container = (props: object): Resource => ({
  type: TYPES.container,
  props: { name: "app", image: PINNED, ...props },
});

function declare(waivers: readonly object[], more: Record<string, string> = {}): void {
  const nodes = JSON.stringify({ "proj-docker01": {}, "proj-docker02": {} });
  const own = { "docker-node:nodes": nodes, "docker-node:waivers": JSON.stringify(waivers) };
  pulumi.runtime.setAllConfig({ ...own, ...more });
}

beforeEach(() => {
  declare([]);
});

test("types are those of the packages the program is written with", () => {
  const typeOf = (resource: unknown): string => (resource as { __pulumiType: string }).__pulumiType;
  expect(TYPES).toEqual({
    container: typeOf(docker.Container),
    image: typeOf(docker.RemoteImage),
    volume: typeOf(docker.Volume),
    machine: typeOf(proxmox.VmLegacy),
    job: typeOf(proxmox.backup.Job),
  });
});

test.each<[what: string, driverOpts: unknown, said: string[]]>([
  ["of its own", undefined, []],
  ["in memory", { type: "tmpfs", device: "tmpfs", o: "size=1m" }, []],
  ["that is a folder of its own", { type: "none", o: "bind", device: "/srv/web" }, []],
  ["whose folder is not known", { o: "bind", device: unknownStringValue }, []],
  [
    "that is the node's root",
    { type: "none", o: "bind", device: "/" },
    ["no-mounts-of-the-node: mounts / of the node; or a waiver with id cis-docker-5.6"],
  ],
  [
    "that is a socket",
    { o: "rbind", device: "/run/docker.sock" },
    [
      "no-mounts-of-the-node: mounts /run/docker.sock: Docker's socket; or a waiver with id cis-docker-5.32",
    ],
  ],
])("a volume %s", async (_, driverOpts, said) => {
  const volume = { type: TYPES.volume, name: "v", props: { name: "data", driverOpts } };
  expect(await refused(volume)).toEqual(said);
  declare([waiver("cis-docker-5.6", { container: "data" }), waiver("cis-docker-5.32")]);
  expect(await refused(volume)).toEqual([]);
});

describe("a container", () => {
  const SOCKET = "Docker's socket; or a waiver with id cis-docker-5.32";
  const FOLDER = "of the node; or a waiver with id cis-docker-5.6";

  test.each<[what: string, props: object, said: string[]]>([
    ["with a digest", {}, []],
    ["with the id of a pulled image", { image: DIGEST }, []],
    ["with an image that is not known yet", { image: unknownStringValue }, []],
    ["with a tag alone", { image: "nginx:1.29" }, ["images-are-pinned: nginx:1.29: has no digest"]],
    [
      "of latest, with a digest",
      { image: `nginx:latest@${DIGEST}` },
      [`images-are-pinned: nginx:latest@${DIGEST}: latest is no version`],
    ],
    ["that is not privileged", { privileged: false }, []],
    [
      "that is privileged",
      { privileged: true },
      ["no-privileged: is privileged; or a waiver with id cis-docker-5.5"],
    ],
    ["with a port on an address", { ports: [{ internal: 80, ip: "10.25.20.24" }] }, []],
    ["with a port on an address that is not known", { ports: [{ ip: unknownStringValue }] }, []],
    ["with ports that are not known", { ports: unknownStringValue }, []],
    [
      "with a folder that is not known",
      { mounts: [{ type: "bind", source: unknownStringValue }] },
      [],
    ],
    ...["", "0.0.0.0", "::"].map((ip): [string, object, string[]] => [
      `with a port on "${ip}"`,
      { ports: [{ internal: 80, ip }] },
      [
        "ports-have-an-address: publishes its port 80 on all addresses; or a waiver with id cis-docker-5.14",
      ],
    ]),
    [
      "with all ports of its image",
      { publishAllPorts: true },
      [
        "ports-have-an-address: publishes every port of its image; or a waiver with id cis-docker-5.14",
      ],
    ],
    ["with folders of its own", { volumes: [{ hostPath: "/srv/data" }, { volumeName: "v" }] }, []],
    ...["/var/run/docker.sock", "/run/docker.sock", "/run", "/var/run/"].map(
      (hostPath): [string, object, string[]] => [
        `with ${hostPath}`,
        { volumes: [{ hostPath }] },
        [`no-mounts-of-the-node: mounts ${hostPath}: ${SOCKET}`],
      ],
    ),
    ...["/", "//", "/etc", "/etc/", "/usr/../etc", "/proc"].map(
      (source): [string, object, string[]] => [
        `with ${source}`,
        { mounts: [{ type: "bind", source }] },
        [`no-mounts-of-the-node: mounts ${source} ${FOLDER}`],
      ],
    ),
    ...["/run/containerd", "/run/containerd/containerd.sock", "/var/run/containerd/"].map(
      (hostPath): [string, object, string[]] => [
        `with ${hostPath}`,
        { volumes: [{ hostPath }] },
        [
          `no-mounts-of-the-node: mounts ${hostPath}: containerd's socket; or a waiver with id cis-docker-5.32`,
        ],
      ],
    ),
    ...["/var", "/var/lib", "/var/lib/docker", "/root", "/sbin"].map(
      (hostPath): [string, object, string[]] => [
        `with ${hostPath}`,
        { volumes: [{ hostPath }] },
        [`no-mounts-of-the-node: mounts ${hostPath} ${FOLDER}`],
      ],
    ),
    [
      "with a volume that is a folder by another name",
      {
        mounts: [
          { type: "volume", volumeOptions: { driverOptions: { o: "ro,bind", device: "/" } } },
          { type: "volume", volumeOptions: { driverOptions: { o: "addr=nas", device: "/" } } },
        ],
      },
      [`no-mounts-of-the-node: mounts / ${FOLDER}`],
    ],
    ["with a volume of that name", { mounts: [{ type: "volume", source: "/etc" }] }, []],
    ["with a part of a folder of the system", { volumes: [{ hostPath: "/etc/docker" }] }, []],
  ])("%s", async (_, props, said) => {
    expect(await refused(container(props))).toEqual(said);
  });

  test("is allowed what a waiver has for it, on its node, while it holds", async () => {
    const mounts = container({ volumes: [{ hostPath: "/run/docker.sock" }] });
    const left = async (terms: object): Promise<number> => {
      declare([waiver("cis-docker-5.32", terms)]);
      return (await refused(mounts)).length;
    };
    expect(await left({})).toBe(0);
    expect(await left({ node: "proj-docker02", container: "app" })).toBe(0);
    expect(await left({ container: "another" })).toBe(1);
    expect(await left({ node: "proj-docker01" })).toBe(1);
    expect(await left({ expires: dayAfter(new Date(), -1) })).toBe(1);
  });

  test.each([
    ["web-docker", { web: {}, "web-docker": {} }, "web"],
    ["web-docker-docker", { web: {}, "web-docker": {} }, "web-docker"],
    ["web-docker", {}, "web-docker"],
    ["web", {}, "web"],
  ])("whose provider is %s is on a node of %j: %s", async (provider, nodes, node) => {
    const mounts = container({ volumes: [{ hostPath: "/run/docker.sock" }] });
    const left = async (waived: string): Promise<number> => {
      const more = { "docker-node:nodes": JSON.stringify(nodes) };
      declare([waiver("cis-docker-5.32", { node: waived })], more);
      return (await refused({ ...mounts, provider })).length;
    };
    expect(await left(node)).toBe(0);
    expect(await left(node === "web" ? "web-docker" : "web")).toBe(1);
  });
});

test("an image that is pulled has a digest", async () => {
  const image = (name: string): Resource => ({ type: TYPES.image, props: { name } });
  expect(await refused(image(PINNED))).toEqual([]);
  expect(await refused(image("nginx"))).toEqual(["images-are-pinned: nginx: has no digest"]);
});

describe("a VM", () => {
  const vm = (props: object, protect: boolean): Resource => ({
    type: TYPES.machine,
    props: { name: "proj-docker02", vmId: 2019, ...props },
    protect,
  });
  const job = (props: object): Resource => ({ type: TYPES.job, props });
  const not = (by: string): string[] => [
    `vms-are-protected: is not protected by ${by}; or a waiver with id machine-unprotected`,
  ];

  test("is protected by both", async () => {
    expect(await refused(vm({ protection: true }, true))).toEqual([]);
    expect(await refused(vm({ protection: true }, false))).toEqual(not("Pulumi (protect)"));
    expect(await refused(vm({}, true))).toEqual(not("Proxmox (protection)"));
    declare([waiver("machine-unprotected", { node: "proj-docker02" })]);
    expect(await refused(vm({}, false))).toEqual([]);
  });

  test.each<[what: string, props: object, left: number]>([
    ["its own job", { vmids: ["2019"], enabled: true }, 0],
    ["a job of all", { all: true }, 0],
    ["another's job", { vmids: ["2014"] }, 1],
    ["a job that is off", { vmids: ["2019"], enabled: false }, 1],
  ])("has a backup: %s", async (_, props, left) => {
    expect(await refusedTogether([vm({}, true), job(props)])).toHaveLength(left);
  });

  test("goes without a backup where a waiver says so", async () => {
    expect(await refusedTogether([vm({}, true)])).toEqual([
      "no backup job of the stack covers it; or a waiver with id policy-vm-backup",
    ]);
    declare([waiver("policy-vm-backup")]);
    expect(await refusedTogether([vm({}, true)])).toEqual([]);
  });
});

test("a container's environment has no secret without a waiver, not even a typed one", async () => {
  const secrets = { "docker-node:agentSecret": "a-secret-of-some-length" };
  const envs = new Secret(["LOG_LEVEL=INFO", "AGENT_SECRET=a-secret-of-some-length"]);
  const says = (): Promise<string[]> => refused(container({ envs }));
  declare([], secrets);
  expect(await says()).toEqual([
    "no-secret-environment: has a secret in its environment: AGENT_SECRET; or a waiver with id policy-secret-in-environment",
  ]);
  declare([waiver("policy-secret-in-environment", { container: "app" })], secrets);
  expect(await says()).toEqual([]);
});

describe("a secret", () => {
  const secrets = {
    "docker-node:proxmoxApiToken": "automation@pve!pulumi=5f1c-the-secret",
    "docker-node:backupToken-proj-docker02": "a-token-of-its-own",
    "docker-node:configVersion": "a-plain-value",
  };
  const found = (props: object): Promise<string[]> =>
    refused({ type: "command:remote:Command", props });

  beforeEach(() => {
    declare([], secrets);
  });

  test.each<[what: string, props: object, paths: string[]]>([
    ["as it is", { triggers: ["1", "a-token-of-its-own"] }, ["triggers[1]"]],
    ["within a text", { create: { script: "TOKEN=a-token-of-its-own" } }, ["create.script"]],
    ["of Proxmox, without its user", { stdin: "5f1c-the-secret" }, ["stdin"]],
    ["that is a key", { key: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA" }, ["key"]],
    ["that is typed", { stdin: new Secret("a-token-of-its-own") }, []],
    ["within something typed", { connection: new Secret({ key: "5f1c-the-secret" }) }, []],
    ["that is none", { stdin: "a-plain-value" }, []],
  ])("%s", async (_, props, paths) => {
    expect(await found(props)).toEqual(
      paths.map((path) => `secrets-are-secret: ${path} holds a secret in clear text`),
    );
  });
});

describe("production's containers and images", () => {
  const key = privateKey();

  /** Puts the whole program, with other waivers, to the policies. */
  async function run(keep: (id: string) => boolean): Promise<string[]> {
    const own = merge(stackFile("prod"), { nodes: { "proj-docker02": { ssh: key.ssh } } });
    const raw = own as RawSettings & { waivers: { id: string }[] };
    const waivers = raw.waivers.filter(({ id }) => keep(id));
    const values = Object.entries(stackConfig({ ...raw, waivers }));
    const config = Object.fromEntries(values.map(([name, { value }]) => [name, value]));
    const recorder = await startPulumi({ config });
    await program();
    await settle(recorder);
    const ours = recorder.resources.filter(
      ({ type }) => type === TYPES.container || type === TYPES.image,
    );
    expect(ours).toHaveLength(8);
    return (await Promise.all(ours.map(asked))).flat();
  }

  // The mocked Docker's ids are no digests, and the mocks have a mark of their own for a secret.
  const asked = ({ type, name, inputs }: Recorded): Promise<string[]> => {
    const typed = pulumi.runtime.isRpcSecret(inputs.envs) && {
      envs: new Secret(pulumi.runtime.unwrapRpcSecret(inputs.envs)),
    };
    return refused({ type, name, props: { ...inputs, ...typed, image: DIGEST } });
  };

  test("keep to the policies with their waivers, and not without", async () => {
    expect(await run(() => true)).toEqual([]);
    const bare = await run((id) => id !== "cis-docker-5.32");
    expect(bare).toEqual(
      Array(3).fill(
        "no-mounts-of-the-node: mounts /var/run/docker.sock: Docker's socket; or a waiver with id cis-docker-5.32",
      ),
    );
  });
});
