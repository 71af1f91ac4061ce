/**
 * Scans by Trivy itself, with the lab's database and images in the lab's registry, and under the real Pulumi with its command
 * plugin. There is no VM: a server on loopback stands for the node, and a command for the image that waits for its scan.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Stack } from "@pulumi/pulumi/automation";
import { runScan } from "../../commands/image-scan/main";
import type { DockerHost } from "../../components/docker/docker-host";
import { scanImages } from "../../components/docker/image-scan";
import { scanRequests, type ScanRequest } from "../../config/image-scan";
import type { NodeConfig } from "../../config/schema";
import { waiversSchema, type Waiver } from "../../config/schema/waivers";
import type { ImageReference } from "../../lab/images/layout";
import { ROOT } from "../../lab/lib/instance";
import { startRegistry } from "../../lab/lib/registry";
import { buildScanner, seedScannable, type Scannable } from "../../lab/lib/scanner";
import { stopService, type Service } from "../../lab/lib/service";
import { prodNode, problems, prodWith, waiver } from "../support/settings";
import { withWeb } from "../support/workloads";
import { BarePulumi } from "./bare-pulumi";
import { log } from "./support";

jest.setTimeout(10 * 60_000);

const NODE = "proj-docker02";
/** As the node reaches the registry; the workstation reaches it on loopback. */
const REGISTRY = "10.25.20.5:5000";
const CRITICAL = "CVE-2026-90001";
const HIGH = "CVE-2026-90002";

const bare = new BarePulumi();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "docker-node-scan-test-"));
let registry: Service;
let scannable: Scannable;
let trivy: string;

beforeAll(async () => {
  trivy = path.join(await buildScanner(log), "trivy");
  registry = await startRegistry({ stateDir: folder }, log);
  scannable = await seedScannable(registry, path.join(folder, "layouts"), log);
  process.env["XDG_CACHE_HOME"] = path.join(folder, "cache");
  // The graph finds the program by the package's name, from the project.
  fs.mkdirSync(path.join(bare.folder, "node_modules"));
  fs.symlinkSync(ROOT, path.join(bare.folder, "node_modules/docker-node"));
}, 60 * 60_000);

afterAll(async () => {
  delete process.env["XDG_CACHE_HOME"];
  await stopService(folder, "registry");
  fs.rmSync(folder, { recursive: true, force: true });
});

const nameOf = ({ repository, tag, digest }: ImageReference): string =>
  `${REGISTRY}/${repository}:${tag}@${digest}`;

/** Names of the vulnerable image and the sound one, as waivers have them. */
const bareName = ({ repository }: ImageReference): string => `${REGISTRY}/${repository}`;

const imagesWith = (scan: object, port = registry.port): object => ({
  images: { scan: { program: trivy, javaDatabase: null, database: databaseName(), ...scan } },
  registries: { [REGISTRY]: { endpoint: { host: "127.0.0.1", port } } },
});

const databaseName = (): string =>
  `${REGISTRY}/${scannable.database.repository}:${scannable.database.tag}`;

const nodeWith = (image: ImageReference, scan: object = {}, port?: number): NodeConfig =>
  prodNode({ ...withWeb({ image: nameOf(image) }), ...imagesWith(scan, port) });

const waiverFor = (vulnerability: string, terms: object = {}): object =>
  waiver("image-vulnerability", {
    ...{ vulnerability, image: bareName(scannable.vulnerable), ...terms },
  });

/** The scan of the workload's image, as the graph asks for it. */
function requestFor(node: NodeConfig, waivers: readonly Waiver[] = []): ScanRequest {
  const request = scanRequests(NODE, node, waivers).find(({ container }) => container === "web");
  if (!request) throw new Error("no scan of web");
  return request;
}

const scan = (node: NodeConfig, waivers: readonly object[] = []) =>
  runScan({ IMAGE_SCAN: JSON.stringify(requestFor(node, waiversSchema.parse(waivers))) });

test("an image with a grave vulnerability is blocked, and one without is not", async () => {
  const blocked = await scan(nodeWith(scannable.vulnerable));
  expect(blocked.code).toBe(1);
  const lines = blocked.stderr?.split("\n") ?? [];
  expect(lines.map((line) => line.trim().split(" ", 3).join(" "))).toEqual([
    expect.stringContaining(`${bareName(scannable.vulnerable)}:1.0.0-r0 of`) as unknown,
    "exposure 0 of",
    `CRITICAL ${CRITICAL} lab-library`,
    `HIGH ${HIGH} lab-library`,
    "take an image",
  ]);
  const { code, stdout = "" } = await scan(nodeWith(scannable.sound));
  expect(code).toBe(0);
  const { sbom, database, ...figures } = JSON.parse(stdout) as { sbom: string; database: string };
  expect(figures).toEqual({ scanned: true, vulnerabilities: 0, minor: 0, waived: 0 });
  expect(Date.now() - Date.parse(database)).toBeLessThan(3600_000);
  const parts = JSON.parse(gunzipSync(Buffer.from(sbom, "base64")).toString()) as {
    bomFormat: string;
    components: { name: string; version?: string }[];
  };
  expect(parts.bomFormat).toBe("CycloneDX");
  expect(parts.components).toContainEqual(
    expect.objectContaining({ name: "lab-program", version: "1.0.1-r1" }),
  );
});

test("what has no fix, and what is less grave, is as the policy says", async () => {
  const open = async (policy: object): Promise<string[]> => {
    const { stderr = "" } = await scan(nodeWith(scannable.vulnerable, policy));
    return stderr.match(/CVE-2026-9000\d/g) ?? [];
  };
  expect(await open({ unfixed: "allow" })).toEqual([CRITICAL]);
  expect(await open({ severity: "MEDIUM" })).toHaveLength(3);
});

test("a waiver lets it through; one that has expired, or that nothing needs, does not", async () => {
  const node = nodeWith(scannable.vulnerable);
  const both = [waiverFor(CRITICAL), waiverFor(HIGH)];
  const passed = await scan(node, both);
  expect([passed.code, passed.stderr]).toEqual([0, expect.stringContaining("2 waived")]);
  expect((await scan(node, [waiverFor(CRITICAL)])).stderr).toContain(HIGH);

  const unneeded = await scan(node, [...both, waiverFor("CVE-2026-99999")]);
  expect(unneeded.code).toBe(1);
  expect(unneeded.stderr).toContain("CVE-2026-99999");

  // The stack is not even read with a waiver that has expired, or that is of an image that nobody declares.
  const override = { ...withWeb({ image: nameOf(scannable.vulnerable) }), ...imagesWith({}) };
  const refusal = (terms: object): string => {
    const waivers = [waiverFor(CRITICAL, terms), waiver("image-registry")];
    return problems({ ...prodWith(override), waivers }).join("\n");
  };
  expect(refusal({ expires: "2026-01-01" })).toContain("this waiver has expired");
  expect(refusal({ image: "docker.io/library/nginx" })).toContain("docker.io/library/nginx");
});

describe("a scanner that cannot scan", () => {
  /** Nothing listens there. */
  const NOWHERE = 9;

  test.each<[string, () => NodeConfig]>([
    ["has no registry", () => nodeWith(scannable.sound, { whenUnavailable: "fail" }, NOWHERE)],
    [
      "has no database",
      () => nodeWith(scannable.sound, { database: `${REGISTRY}/scanner/nothing:2` }),
    ],
    ["is not installed", () => nodeWith(scannable.sound, { program: "no-such-trivy" })],
  ])("blocks where the policy is to fail: it %s", async (_, node) => {
    const { code, stdout, stderr } = await scan(node());
    expect([code, stdout]).toEqual([1, undefined]);
    expect(stderr).toMatch(/could not be scanned: .+\nit is blocked, since images\.scan/);
  });

  test("has nothing to compare with: the release is past its end of life", async () => {
    const { code, stderr } = await scan(nodeWith(scannable.outdated));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /could not be scanned: alpine 3\.14 is past its end of life.+\nit is blocked, since images\.scan/,
    );
    const { stdout = "" } = await scan(nodeWith(scannable.outdated, { whenUnavailable: "warn" }));
    expect(JSON.parse(stdout)).toMatchObject({ scanned: false });
  });

  test("is told, and the image is used, where the policy is to warn", async () => {
    const node = nodeWith(scannable.vulnerable, { whenUnavailable: "warn" }, NOWHERE);
    const { code, stdout = "", stderr } = await scan(node);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ scanned: false });
    expect(stderr).toMatch(/^warning: .* could not be scanned: .+\nit is used nevertheless/);
  });
});

describe("in the graph", () => {
  /** What waits for a scan, as an image does. */
  const open = (image: ImageReference, waivers: readonly object[] = []): Promise<Stack> =>
    bare.open("scan", () => {
      const { workloads, images, registries, ...rest } = nodeWith(image);
      const node = { ...rest, images, registries, workloads } as NodeConfig;
      const only = { ...node, portainer: undefined, backups: undefined, monitoring: undefined };
      const parent = new Place("machine");
      const scans = scanImages(
        NODE,
        {
          node: only,
          waivers: waiversSchema.parse(waivers),
          // Nothing listens there: what an image is made of does not get to a node.
          dockerHost: Object.assign(new Place("host"), {
            connection: NO_NODE,
          }) as unknown as DockerHost,
          machine: parent,
        },
        { parent },
      );
      const dependsOn = scans["web"] ? [scans["web"]] : [];
      const pulled = new command.local.Command("pulled", { create: "echo" }, { dependsOn });
      return Promise.resolve({ pulled: pulled.id });
    });

  class Place extends pulumi.ComponentResource {
    constructor(name: string) {
      super("test:index:Place", name);
      this.registerOutputs();
    }
  }

  const NO_NODE = { host: "127.0.0.1", port: 9, user: "nobody", dialErrorLimit: 1 };

  const resources = async (stack: Stack): Promise<string[]> => {
    const exported = (await stack.exportStack()) as { deployment: object };
    const { resources: all = [] } = exported.deployment as { resources?: { urn: string }[] };
    return all.map(({ urn }) => urn.split("::").at(-1) ?? "");
  };

  test("what is blocked is not pulled, and what passes is", async () => {
    const stack = await open(scannable.vulnerable);
    await expect(stack.up()).rejects.toThrow(CRITICAL);
    expect(await resources(stack)).not.toContain("pulled");
    const waived = await open(scannable.vulnerable, [waiverFor(CRITICAL), waiverFor(HIGH)]);
    // The node is not there, so the step that keeps the SBOM fails, and it alone.
    await waived.up({ continueOnError: true }).catch(() => undefined);
    expect(await resources(waived)).toEqual(expect.arrayContaining([`${NODE}-scan-web`, "pulled"]));
  });
});
