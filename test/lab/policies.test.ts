/** The policy pack under the real Pulumi: the whole program of production, and one that breaks every policy. */
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import type { PulumiFn } from "@pulumi/pulumi/automation";
import program from "../../index";
import { privateKey } from "../support/key";
import { merge, type RawSettings } from "../../config/load";
import { stackConfig, stackFile } from "../support/settings";
import { BarePulumi } from "./bare-pulumi";
import "./life";

jest.setTimeout(10 * 60_000);

const PACK = join(__dirname, "../../policies");
const bare = new BarePulumi();
const key = privateKey();

interface Preview {
  readonly failed: boolean;
  /** A line for each policy that was broken: its name, and what it said. */
  readonly broken: readonly string[];
}

/** What a policy said, without its description and colours. */
const said = (message: string): string =>
  message
    .replace(/<\{%.*?%\}>/g, "")
    .trim()
    .split("\n")
    .at(-1) ?? "";

async function preview(name: string, run: PulumiFn): Promise<Preview> {
  const stack = await bare.open(name, run);
  const own = {
    proxmox: { endpoint: "https://127.0.0.1:1/" },
    nodes: { "proj-docker02": { ssh: key.ssh } },
  };
  const declared = merge(stackFile("prod"), own) as RawSettings;
  for (const [full, { value, secret }] of Object.entries(stackConfig(declared)))
    await stack.setConfig(full, { value, secret });
  const broken: string[] = [];
  const failed = await stack
    .preview({
      policyPacks: [PACK],
      onOutput: () => undefined,
      onEvent: ({ policyEvent }) => {
        if (policyEvent) broken.push(`${policyEvent.policyName}: ${said(policyEvent.message)}`);
      },
    })
    .then(
      () => false,
      () => true,
    );
  return { failed, broken };
}

test("production keeps to every policy", async () => {
  const found = await preview("whole", async () => ({ ...(await program()) }));
  expect(found).toEqual({ failed: false, broken: [] });
});

/** A program with a mistake for each policy, on a node that production has and on one that nobody knows. */
function careless(): void {
  const provider = new docker.Provider("elsewhere-docker", { host: "unix:///nowhere.sock" });
  const opts = { provider };
  new docker.RemoteImage("image", { name: "docker.io/library/nginx:1.29" }, opts);
  const token = new pulumi.Config("docker-node").require("backupToken");
  new docker.Container(
    "container",
    {
      name: "careless",
      image: "docker.io/library/nginx:latest",
      privileged: true,
      ports: [{ internal: 80, external: 80 }],
      volumes: [{ hostPath: "/run/docker.sock", containerPath: "/run/docker.sock" }],
      mounts: [{ type: "bind", source: "/", target: "/host" }],
      command: ["serve", `--token=${token}`],
      envs: [pulumi.secret(`TOKEN=${token}`)],
    },
    opts,
  );
  const cluster = new proxmox.Provider("cluster", {
    endpoint: "https://127.0.0.1:1/",
    apiToken: "automation@pve!pulumi=token",
  });
  new proxmox.VmLegacy(
    "vm",
    { name: "careless", nodeName: "pve01", vmId: 100 },
    { provider: cluster },
  );
}

test("each mistake is refused by the policy that is about it", async () => {
  const { failed, broken } = await preview("careless", async () => {
    careless();
    return Promise.resolve({});
  });
  expect(failed).toBe(true);
  expect(broken.map((line) => line.replace(/; or a waiver with id/, ";")).sort()).toEqual([
    "images-are-pinned: docker.io/library/nginx:1.29: has no digest",
    "images-are-pinned: docker.io/library/nginx:latest: latest is no version",
    "no-mounts-of-the-node: mounts / of the node; cis-docker-5.6",
    "no-mounts-of-the-node: mounts /run/docker.sock: Docker's socket; cis-docker-5.32",
    "no-privileged: is privileged; cis-docker-5.5",
    "no-secret-environment: has a secret in its environment: TOKEN; policy-secret-in-environment",
    "ports-have-an-address: publishes its port 80 on all addresses; cis-docker-5.14",
    "secrets-are-secret: command[1] holds a secret in clear text",
    "vms-are-backed-up: no backup job of the stack covers it; policy-vm-backup",
    "vms-are-protected: is not protected by Pulumi (protect) and Proxmox (protection); machine-unprotected",
  ]);
});
