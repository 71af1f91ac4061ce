/**
 * The lab's plugins against the SDKs the program is compiled with: a plugin built from other sources
 * than the SDK must know every resource by the same name, with the same inputs and state.
 *
 * The pulumi is built when it is not there yet, which takes some minutes once.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { goSettings } from "../../lab/lib/run";
import { pulumiEnv, ensurePulumi, type PulumiHome } from "../../lab/lib/pulumi";
import { expectGoodGo } from "./go-support";
import { lines, schemaShape, Sdk, type PackageSchema } from "./sdk-shape";

type Name = "proxmoxve" | "docker";

const PACKAGES: Record<Name, string> = {
  proxmoxve: "@muhlba91/pulumi-proxmoxve",
  docker: "@pulumi/docker",
};

/** What plugins built from Go modules lack, or have more; upstream's releases differ in nothing. */
const KNOWN: Record<Name, Record<string, string[]>> = {
  proxmoxve: {
    // Newer than the latest version of the Terraform provider that is a Go module.
    "proxmoxve:backup/job:Job Args": ["SDK only: excludes?[]: string"],
    "proxmoxve:backup/job:Job State": ["SDK only: excludes?[]: string"],
  },
  docker: {
    // Builds an image by code of the released plugin itself, not of the Terraform provider.
    "docker:index/image:Image": ["SDK only"],
  },
};

/** The resources the program and its examples declare. */
const USED: Record<Name, string[]> = {
  proxmoxve: [
    "proxmoxve:index/vmLegacy:VmLegacy",
    "proxmoxve:firewall/optionsLegacy:OptionsLegacy",
    "proxmoxve:firewall/rulesLegacy:RulesLegacy",
    "proxmoxve:download/file:File",
    "proxmoxve:storage/pbs:Pbs",
    "proxmoxve:backup/job:Job",
    "proxmoxve:index/haresource:Haresource",
    "proxmoxve:index/harule:Harule",
    "proxmoxve:index/replication:Replication",
  ],
  docker: [
    "docker:index/container:Container",
    "docker:index/network:Network",
    "docker:index/volume:Volume",
    "docker:index/remoteImage:RemoteImage",
  ],
};

let pulumi: PulumiHome;

function readSchema(name: Name): PackageSchema {
  const args = ["package", "get-schema", pulumi.plugins[name].path];
  const options = { env: { ...process.env, ...pulumiEnv(pulumi) }, maxBuffer: 1 << 26 };
  return JSON.parse(execFileSync(pulumi.cli, args, options).toString()) as PackageSchema;
}

/** What two lists of properties do not share. */
function differences(sdk: string[], plugin: string[]): string[] {
  return [
    ...sdk.filter((line) => !plugin.includes(line)).map((line) => `SDK only: ${line}`),
    ...plugin.filter((line) => !sdk.includes(line)).map((line) => `plugin only: ${line}`),
  ];
}

/** The differences between SDK and plugin, by resource and kind of input. */
function compare(sdk: Sdk, schema: PackageSchema, provider: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const token of [...sdk.tokens(), provider]) {
    if (token !== provider && !schema.resources[token]) {
      found[token] = ["SDK only"];
      continue;
    }
    for (const kind of token === provider ? (["Args"] as const) : (["Args", "State"] as const)) {
      const of = [sdk.shape(token, kind), schemaShape(schema, token, kind)] as const;
      const differing = differences(lines(of[0]), lines(of[1]));
      if (differing.length > 0) found[`${token} ${kind}`] = differing;
    }
  }
  return found;
}

beforeAll(async () => {
  pulumi = await ensurePulumi((line) => process.stderr.write(`${line}\n`));
}, 30 * 60_000);

test(
  "the Go code of lab/plugins/bridge: its own tests pass, and go vet finds nothing",
  () => {
    // Where the released plugins are used, nothing of it is built. The flags are those of lab/plugins/build.ts.
    if (pulumi.plugins.docker.origin === "built")
      expectGoodGo("lab/plugins/bridge", { flags: goSettings({ tags: ["no_compose"] }).flags });
  },
  40 * 60_000,
);

describe.each(["proxmoxve", "docker"] as const)("plugin %s", (name) => {
  const manifest = require.resolve(`${PACKAGES[name]}/package.json`);
  const sdk = new Sdk(path.dirname(manifest));

  test("has the version of the SDK", () => {
    const { version } = JSON.parse(fs.readFileSync(manifest, "utf8")) as { version: string };
    expect(pulumi.plugins[name].version).toBe(version);
  });

  test("knows what the program declares", () => {
    expect(sdk.tokens()).toEqual(expect.arrayContaining(USED[name]));
    for (const token of USED[name]) {
      expect(lines(sdk.shape(token, "Args")).length).toBeGreaterThan(5);
    }
  });

  test("agrees with the SDK on every resource and on the provider", () => {
    const found = compare(sdk, readSchema(name), `pulumi:providers:${name}`);
    expect(found).toEqual(pulumi.plugins[name].origin === "built" ? KNOWN[name] : {});
  });
});
