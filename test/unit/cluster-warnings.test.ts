import * as pulumi from "@pulumi/pulumi";
import { ClusterError } from "../../clients/proxmox";
import { merge, type RawSettings } from "../../config/load";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi } from "../support/mocks";
import { prodWith, waived } from "../support/settings";

/** What `up` and a preview say of the cluster, without failing over it. */

const NODE = "proj-docker02";
const key = privateKey();
const OPTIONS = "/cluster/firewall/options";

afterEach(() => jest.restoreAllMocks());

/** The warnings of a run, and how many resources it declared. */
async function run(
  cluster: Record<string, unknown>,
  raw: RawSettings = prodWith({ ssh: key.ssh }),
): Promise<{ warnings: string[]; resources: number }> {
  const warnings: string[] = [];
  jest.spyOn(pulumi.log, "warn").mockImplementation((text) => {
    warnings.push(text);
    return Promise.resolve();
  });
  const config = Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [`docker-node:${name}`, JSON.stringify(value)]),
  ) as Record<string, string>;
  const recorder = await startPulumi({
    preview: true,
    cluster,
    config: {
      ...config,
      "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
      "docker-node:agentSecret": "a-secret-of-some-length",
    },
  });
  await runStack();
  await settle(recorder);
  return { warnings, resources: recorder.resources.length };
}

describe("the firewall of the datacenter", () => {
  test("is on: nothing to say", async () => {
    expect(await run({ [OPTIONS]: { enable: 1 } })).toEqual({
      warnings: [],
      resources: expect.any(Number) as unknown,
    });
  });

  test.each([{}, { enable: 0 }])(
    "is off by %j: one warning that names the nodes",
    async (options) => {
      const first = { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } };
      const { nodes, ...raw } = prodWith({ ssh: key.ssh });
      const both = {
        ...raw,
        nodes: merge(nodes, { "proj-docker01": merge({ ssh: key.ssh }, first) }),
      };
      const { warnings, resources } = await run({ [OPTIONS]: options }, both);
      expect(warnings).toEqual([
        "the firewall of the datacenter is off, so Proxmox enforces no firewall rule of proj-docker02, proj-docker01; " +
          "turn it on once you keep your own access: pvesh set /cluster/firewall/options --enable 1",
      ]);
      expect(resources).toBeGreaterThan(50);
    },
  );

  test.each([
    [
      new ClusterError(403, "Permission check failed"),
      "the token needs Sys.Audit on / (npx docker-node doctor --print-role)",
    ],
    [new ClusterError(0, "no answer in time"), "no answer in time"],
    [
      { enable: "yes" },
      'the answer to GET /cluster/firewall/options of Proxmox VE is not as expected: enable: "yes"; allowed: a number',
    ],
  ])("cannot be read: %s", async (answer, why) => {
    expect((await run({ [OPTIONS]: answer })).warnings).toEqual([
      `it is unknown whether Proxmox enforces the firewall rules of ${NODE}: ${why}`,
    ]);
  });

  test("is not checked for a stack whose nodes have none", async () => {
    const raw = waived(prodWith({ ssh: key.ssh, network: { firewall: { enabled: false } } }));
    expect((await run({ [OPTIONS]: {} }, raw)).warnings).toEqual([]);
  });
});
