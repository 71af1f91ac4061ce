import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { merge, type RawSettings } from "../../config/load";
import runStack from "../../index";
import { privateKey } from "../support/key";
import type { State } from "../../node/recorded";
import { HOST_KEY, settle, startPulumi } from "../support/mocks";
import { waiver } from "../support/settings";

/**
 * A stack that was made before the program got its present layout. What Pulumi was given then, with the same stack file, is what
 * it is given today: nothing is replaced, renamed or forgotten. What differs on purpose is named here, each with its reason.
 */

interface Resource {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** With the URN, which has the types of its parents in it. */
interface Known extends Resource {
  readonly urn: string;
}

interface Stack {
  readonly config: RawSettings;
  readonly resources: readonly Known[];
}

const BEFORE = JSON.parse(
  readFileSync(join(__dirname, "..", "fixtures", "stack", "before-the-layout.json"), "utf8"),
) as Stack;

/** Resources that came since. */
const ADDED: Readonly<Record<string, string>> = {
  "command:remote:Command proj-docker02-agent-limits":
    "the agent's processes are limited, in the container that runs",
  "command:remote:Command proj-docker02-agent-image-seal":
    "the layers of the agent's image are closed and compared; a script, nothing that runs notices",
  "command:remote:Command proj-docker02-backups-image-seal":
    "those of the backup container's image, likewise",
  "command:remote:Command proj-docker02-backups-limits":
    "the backup container's processes are limited, likewise",
  "command:remote:Command proj-docker02-backups-secrets":
    "secrets of the backup container are files that only root of the node reads",
  "command:remote:Command proj-docker02-firewall":
    "the machine filters by the rules of its NIC; a script, nothing that exists is replaced",
  "command:remote:Command proj-docker02-firewall-confirm":
    "confirms the rules over a connection that they let in",
  "command:remote:Command proj-docker02-hardening":
    "the machine is hardened, unit by unit; a script, nothing that exists is replaced",
};

/** Inputs that changed since. */
const CHANGED: Readonly<Record<string, string>> = {
  "proj-docker02-agent-container.cpuShares": "its share of the processors, updated in place",
  ...Object.fromEntries(
    ["readOnly", "tmpfs", "entrypoints", "workingDir"].map((input) => [
      `proj-docker02-agent-container.${input}`,
      "its root is read-only, and it writes its certificate into memory",
    ]),
  ),
  "proj-docker02-agent-container.capabilities":
    "it keeps those it needs; its container is made anew",
  "proj-docker02-backups-container.capabilities": "it keeps those it needs, likewise",
  "proj-docker02-agent-container.runtime": "its image is compared before each start",
  "proj-docker02-backups-container.runtime": "its image is compared before each start, likewise",
  "proj-docker02-boot.stdin": "waits after every change that boots the machine; it only reads",
  "proj-docker02-agent-certificate.stdin":
    "read again when Docker is another one, too; changes nothing",
  "proj-docker02-backups-container.uploads": "its secrets are no files of its own layer any more",
  "proj-docker02-backups-container.volumes":
    "its secrets are mounted, and of /etc what it backs up",
  "proj-docker02-backups-container.readOnly": "nothing is uploaded to its root",
  "proj-docker02-backups-container.tmpfs": "what it writes beside its state",
};

/** Variables that scripts got since: their limits on the node, what the daemon takes without a restart, who mounts its socket. */
const NEW_VARIABLES = ["LIMIT", "LOCK_TIMEOUT", "RELOADABLE", "RUNTIME", "SOCKET_USERS"];

/**
 * Keys of daemon.json that came since: containers on docker0 are kept apart, ports published by rules alone, images compared before
 * each start.
 */
const NEW_DAEMON_KEYS = ["icc", "userland-proxy", "runtimes"];

/** The SDK's mocks keep the URNs of what was registered; only their type is not exported. */
const { getMonitor } = pulumi.runtime as unknown as {
  getMonitor: () => { getRegisteredResources: () => ReadonlyMap<string, unknown> };
};

const key = privateKey();
let urns: readonly string[];
let now: readonly Resource[];

beforeAll(async () => {
  const ssh = { "proj-docker02": { ssh: key.ssh } };
  const { proxmox, nodes } = BEFORE.config;
  process.env.DOCKER_NODE_DRIFT = "off";
  const recorder = await startPulumi({
    state: stateBefore(),
    config: {
      "docker-node:proxmox": JSON.stringify(proxmox),
      "docker-node:nodes": JSON.stringify(merge(nodes, ssh)),
      // The program asks since where images may come from and who scans them: such a stack gets two waivers, and nothing else.
      "docker-node:waivers": JSON.stringify(
        ["image-registry-any", "image-scan-none"].map((id) => waiver(id)),
      ),
      "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
      "docker-node:agentSecret": "a-secret-of-some-length",
    },
  });
  await runStack();
  await settle(recorder);
  now = recorder.resources;
  urns = [...getMonitor().getRegisteredResources().keys()];
});
afterAll(() => {
  delete process.env.DOCKER_NODE_DRIFT;
});

/** As Pulumi has it of the last `up`. */
function stateBefore(): State {
  const text = JSON.stringify(BEFORE.resources);
  const privateKeyText = JSON.stringify(readFileSync(key.file, "utf8"));
  const resources = JSON.parse(text.replaceAll('"PRIVATE KEY"', privateKeyText)) as Resource[];
  return Object.fromEntries(
    resources.map(({ type, name, inputs }) => [
      `urn:pulumi:test::docker-node::${type}::${name}`,
      { type, outputs: name.endsWith("-ready") ? { ...inputs, stdout: HOST_KEY } : inputs },
    ]),
  );
}

const nameOf = ({ type, name }: Resource): string => `${type} ${name}`;

/** The variables a script is given; its text may change, since every step can run again. */
function variables(stdin: unknown): Record<string, string> {
  const [given = ""] = String(stdin).split("# shellcheck shell=bash");
  const found = [...given.matchAll(/^([A-Z_]+)='([^']*)'$/gm)];
  const all = found.map(([, variable = "", value = ""]) => {
    const shown = variable === "DAEMON_JSON" ? daemonJson(value) : value;
    return [variable, shown] as const;
  });
  return Object.fromEntries(all.filter(([variable]) => !NEW_VARIABLES.includes(variable)));
}

const daemonJson = (text: string): string => {
  const keys = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return JSON.stringify(keys.filter(([name]) => !NEW_DAEMON_KEYS.includes(name)));
};

/** Inputs as they can be compared: no text of a script, no private key, no path of its file. */
function comparable({ type, name, inputs }: Resource): unknown {
  const kept = Object.entries(inputs).filter(([input]) => !(`${name}.${input}` in CHANGED));
  const text = JSON.stringify(Object.fromEntries(kept));
  const own = JSON.parse(
    text
      .replaceAll(JSON.stringify(readFileSync(key.file, "utf8")), '"PRIVATE KEY"')
      .replaceAll(key.file, "KEY FILE"),
  ) as Record<string, unknown>;
  return type === "command:remote:Command" ? { ...own, stdin: variables(own.stdin) } : own;
}

test("has the same resources, but for those that were added", () => {
  expect(now.map(nameOf).sort()).toEqual(
    [...BEFORE.resources.map(nameOf), ...Object.keys(ADDED)].sort(),
  );
});

test("keeps the URN of each, so that nothing is made anew under another parent", () => {
  expect(BEFORE.resources.filter(({ urn }) => !urns.includes(urn))).toEqual([]);
});

test("gives each resource the same inputs as before", () => {
  expect(BEFORE.resources.length).toBeGreaterThan(20);
  for (const before of BEFORE.resources) {
    const today = now.find((resource) => nameOf(resource) === nameOf(before));
    expect([nameOf(before), today && comparable(today)]).toEqual([
      nameOf(before),
      comparable(before),
    ]);
  }
});

test("every listed change is a real one", () => {
  for (const change of Object.keys(CHANGED)) {
    const [name = "", input = ""] = change.split(".");
    const found = (all: readonly Resource[]): unknown =>
      all.find((one) => one.name === name && !one.type.includes("components"))?.inputs[input];
    expect([change, found(now)]).not.toEqual([change, found(BEFORE.resources)]);
  }
});
