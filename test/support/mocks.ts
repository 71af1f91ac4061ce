import * as pulumi from "@pulumi/pulumi";
import * as runtimeState from "@pulumi/pulumi/runtime/state";
import * as proxmox from "../../clients/proxmox";
import type { State } from "../../node/recorded";

/** A resource as Pulumi was asked for it. */
export interface Recorded {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
  custom: boolean;
  provider: string;
  id: string;
}

/** Outputs that only the real thing could compute, by type. */
const COMPUTED: Record<string, (inputs: Record<string, unknown>) => Record<string, unknown>> = {
  "command:remote:Command": (inputs) => ({ stdout: stdoutOf(plain(inputs.stdin)), stderr: "" }),
  "command:local:Command": () => ({ stdout: JSON.stringify(REGISTERED), stderr: "" }),
  "docker:index/remoteImage:RemoteImage": (inputs) => ({
    imageId: `sha256:id-of-${String(inputs.name)}`,
  }),
  "proxmoxve:download/file:File": (inputs) => ({ id: `local:import/${String(inputs.fileName)}` }),
};

/** What an environment in Portainer prints; `edge` only for an agent that reaches Portainer. */
export const REGISTERED = {
  ...{ id: 7, name: "n", url: "u" },
  edge: { id: "secret-name-of-the-agent", key: "secret-key-of-the-environment" },
};

export const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHostKeyOfTheMockedNode";

/** SHA-256 of the mocked agent's certificate. */
export const FINGERPRINT = Array(32).fill("AB").join(":");

const FACTS = {
  serverVersion: "29.10.0",
  apiVersion: "1.52",
  storageDriver: "overlay2",
  dockerRootDir: "/var/lib/docker/231072.231072",
  dockerGroup: "998",
};

/** A text that may be a secret. */
function plain(text: unknown): string {
  const secret = text as { value?: unknown } | undefined;
  return String(secret?.value ?? text);
}

function stdoutOf(stdin: string): string {
  if (stdin.includes("DAEMON_JSON=")) return JSON.stringify(FACTS);
  if (stdin.includes("STARTED_BY=")) return FINGERPRINT;
  if (stdin.includes("FILES=")) return JSON.stringify({ directory: "/d", written: 1767225600 });
  if (stdin.includes("PRIMARY_ADDRESS="))
    return JSON.stringify({ reachable: true, checkedAt: "2026-01-31T12:00:00Z" });
  return stdin.includes("PACKAGE_SOURCE=") || stdin.includes("DOCKER_DISK=") ? "{}" : HOST_KEY;
}

/** Records every resource; an invoke of a provider is an error, since nothing may ask one that is not there yet. */
export class Recorder implements pulumi.runtime.Mocks {
  readonly resources: Recorded[] = [];

  /** @param state resources of the stack's last deployment; undefined: there was none */
  constructor(private readonly state?: State) {}

  newResource(args: pulumi.runtime.MockResourceArgs): {
    id: string;
    state: Record<string, unknown>;
  } {
    const { type, name, custom = false, provider = "" } = args;
    const inputs = args.inputs as Record<string, unknown>;
    const computed = COMPUTED[type]?.(inputs) ?? {};
    const id = typeof computed.id === "string" ? computed.id : `${name}-id`;
    this.resources.push({
      type,
      name,
      inputs,
      custom,
      provider,
      id,
    });
    return { id, state: { ...inputs, ...computed } };
  }

  /** Pulumi itself is asked for the stack's state; anything else is an error. */
  call({ token }: pulumi.runtime.MockCallArgs): Record<string, unknown> {
    const outputs = {
      "pulumi:pulumi:readStackOutputs": this.state && { contract: 1 },
      "pulumi:pulumi:readStackResourceOutputs": this.state,
    }[token];
    if (token === "pulumi:pulumi:readStackOutputs") return { outputs: outputs ?? {} };
    if (outputs) return { outputs };
    throw new Error(`unexpected invoke of ${token}`);
  }

  /** The one resource of a type, optionally by name. */
  find(type: string, name?: string): Recorded {
    const found = this.resources.filter((r) => r.type === type && (!name || r.name === name));
    if (found.length !== 1 || !found[0]) {
      throw new Error(`expected one ${type} ${name ?? ""}, found ${found.length}`);
    }
    return found[0];
  }

  all(type: string): Recorded[] {
    return this.resources.filter((r) => r.type === type);
  }
}

export interface RunOptions {
  preview?: boolean;
  config?: Record<string, string>;
  /** Resources of the stack's last deployment; default: there was none. */
  state?: State;
  /** What the cluster answers, by path; an error is thrown. */
  cluster?: Readonly<Record<string, unknown>>;
}

/** A cluster that is as it should be. */
const CLUSTER = { "/cluster/firewall/options": { enable: 1 }, "/cluster/resources?type=vm": [] };

/** No test asks a real cluster. */
function answer(answers: Readonly<Record<string, unknown>>): void {
  const get = (path: string): Promise<unknown> => {
    const found = answers[path];
    if (found === undefined) return Promise.reject(new Error(`not prepared: ${path}`));
    return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
  };
  jest.spyOn(proxmox, "connect").mockReturnValue({ get });
}

/** What production needs to be backed up; a test may set its own. */
const SECRETS = {
  "docker-node:backupToken": "secret-of-the-backup-token",
  "docker-node:backupKey": '{"kdf":null,"data":"secret-backup-key"}',
  "docker-node:pbsStorageToken": "secret-of-the-storage-token",
};

/** Starts Pulumi afresh; call before the program under test runs. */
export async function startPulumi({
  preview = false,
  config = {},
  state,
  cluster = {},
}: RunOptions = {}): Promise<Recorder> {
  answer({ ...CLUSTER, ...cluster });
  const recorder = new Recorder(state);
  await pulumi.runtime.setMocks(recorder, "docker-node", "test", preview, "organization");
  const nothing = (): Promise<void> => Promise.resolve();
  getStore().callbacks = { registerResourceHook: nothing, awaitStackRegistrations: nothing };
  pulumi.runtime.setAllConfig({ ...SECRETS, ...config }, [
    "docker-node:proxmoxApiToken",
    "docker-node:agentSecret",
    ...Object.keys(SECRETS),
  ]);
  return recorder;
}

/** Of the SDK's mocks only the monitor knows no hooks: here they are declared, and nobody calls them. */
const { getStore } = runtimeState as unknown as { getStore: () => { callbacks?: object } };

/** The SDK's own way to wait for registrations under way; exported, but marked internal. */
const { waitForRPCs } = pulumi.runtime as unknown as { waitForRPCs: () => Promise<void> };

/** Waits until the program has registered all it will: no call under way, and none follows from the last. */
export async function settle(recorder: Recorder): Promise<void> {
  for (let seen = -1; seen !== recorder.resources.length;) {
    seen = recorder.resources.length;
    await waitForRPCs();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Value of an output; undefined while it is unknown. */
export function unwrap<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve));
}
