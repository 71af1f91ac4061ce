/** Scans of images: what the configuration takes, who is exposed, what is judged, and what the graph and Trivy are told. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { withLock } from "../../clients/lock";
import { readReport, type Vulnerability } from "../../clients/trivy-report";
import { judge, rankExposed } from "../../commands/image-scan/judge";
import { readConfigurationPaths } from "../../commands/backups/survey";
import { runScan } from "../../commands/image-scan/main";
import { listComplaints } from "../../commands/image-scan/scan";
import { judgeScans } from "../../commands/validate/rows/images";
import { imageFacts } from "../../commands/report/facts";
import { CONFIGURATION_MOUNTS } from "../../config/backups";
import { isWithin } from "../../config/checks/workloads/mounts";
import { exposureOf } from "../../config/container-exposure";
import { scanRequests, type ScanRequest } from "../../config/image-scan";
import { loadSettings } from "../../config/load";
import { waivedIn } from "../../config/waivers/vulnerabilities";
import { waiversSchema } from "../../config/schema/waivers";
import program from "../../index";
import { sbomCheck, sbomFile } from "../../node/sbom";
import { renderScript } from "../../node/scripts";
import { privateKey } from "../support/key";
import { settle, startPulumi, type Recorder } from "../support/mocks";
import { selfSigned } from "../support/portainer";
import { mockConfig, prodNode, prodWith, problems, waiver } from "../support/settings";
import { IMAGE, withWeb } from "../support/workloads";

const NODE = "proj-docker02";
const AGENT = "docker.io/portainer/agent";
const CVE = "CVE-2026-10001";
const scanWith = (scan: unknown): object => ({ images: { scan } });

const ofVulnerability = (terms: object = {}): object =>
  waiver("image-vulnerability", { vulnerability: CVE, image: AGENT, ...terms });

describe("configuration", () => {
  test.each<[string, object, string]>([
    [
      "a severity of another scale",
      { severity: "high" },
      'scan.severity: "high"; allowed: "UNKNOWN"',
    ],
    [
      "a database without a registry",
      { database: "platform/trivy-db:2" },
      "begins with the registry's host",
    ],
    [
      "a database without a tag",
      { database: "registry.example.org/db" },
      "a repository in a registry with a tag",
    ],
    ["a server without TLS", { server: { url: "http://trivy.example.org" } }, "an https URL"],
    ["a program with arguments", { program: "trivy --insecure" }, "without spaces"],
    ["another policy", { whenUnavailable: "ignore" }, 'allowed: "fail", "warn"'],
    [
      "a token",
      { server: { url: "https://t.example.org", token: "x" } },
      "not a key of this section",
    ],
  ])("%s is refused", (_, scan, allowed) => {
    expect(problems(prodWith(scanWith(scan))).join("\n")).toContain(allowed);
  });

  test.each([
    ["severity", "CRITICAL"],
    ["unfixed", "allow"],
    ["whenUnavailable", "warn"],
  ])("a scan that lets more through takes a waiver: %s", (key, value) => {
    const raw = prodWith(scanWith({ [key]: value }));
    const place = `defaults.images.scan.${key}`.replace("defaults", `nodes.${NODE}`);
    expect(problems(raw).join("\n")).toContain(`${place}: "${value}"`);
    expect(problems({ ...raw, waivers: [waiver("image-scan-lax")] })).toEqual([]);
  });

  test("a node whose images nobody scans needs a waiver, and one without images needs none", () => {
    const told = problems(prodWith({ images: null })).join("\n");
    expect(told).toContain(
      "images.scan: missing; allowed: how images are scanned: {} for Trivy on the workstation (docs/how-to/scan-images.md); or a waiver with id image-scan-none",
    );
    const bare = { portainer: null, backups: null, monitoring: null, workloads: {} };
    expect(problems(prodWith({ ...bare, images: null })).join("\n")).not.toContain("images");
    expect(scanRequests(NODE, prodNode({ images: null }), [])).toEqual([]);
  });
});

describe("waivers", () => {
  const told = (terms: object, override: object = {}): string =>
    problems({ ...prodWith(override), waivers: [ofVulnerability(terms)] }).join("\n");

  test("one with vulnerability, image and date is taken, and only a scan can tell whether it is needed", () => {
    expect(told({})).toBe("");
  });

  test.each<[string, object, string]>([
    ["no vulnerability", { vulnerability: undefined }, "waivers.0.vulnerability: missing"],
    ["no image", { image: undefined }, `waivers.0.image: missing`],
    [
      "an unknown image",
      { image: "docker.io/library/nginx" },
      `allowed: ${AGENT}, registry.example.org`,
    ],
    [
      "an image with its version",
      { image: `${AGENT}:2.39.1` },
      `allowed: ${AGENT}, registry.example.org`,
    ],
    ["no id of a vulnerability", { vulnerability: "all" }, "the id of a vulnerability"],
    ["a day that is over", { expires: "2026-01-01" }, "this waiver has expired"],
    ["a container", { container: "portainer_agent" }, "not of a container"],
    ["no control", { control: "" }, "waivers.0.control"],
  ])("%s is refused", (_, terms, message) => {
    expect(told(terms)).toContain(message);
  });

  test("where nothing is scanned there is nothing to waive", () => {
    expect(told({}, { images: null })).toContain("no image is scanned there");
  });

  test("another waiver names no vulnerability", () => {
    const waivers = [waiver("daemon-icc", { vulnerability: CVE })];
    const override = { engine: { daemon: { icc: true } } };
    expect(problems({ ...prodWith(override), waivers }).join("\n")).toContain(
      "leave it out with daemon-icc, which is not image-vulnerability",
    );
  });

  test("they count for their image and their node", () => {
    const all = waiversSchema.parse([
      ofVulnerability(),
      ofVulnerability({ vulnerability: "CVE-2026-10002", node: "proj-docker01" }),
      ofVulnerability({ vulnerability: "GHSA-aaaa-bbbb-cccc", image: "ghcr.io/google/cadvisor" }),
      ofVulnerability({ vulnerability: "CVE-2026-10000", node: NODE }),
    ]);
    expect(waivedIn(`${AGENT}:2.39.1@sha256:00`, NODE, all)).toEqual(["CVE-2026-10000", CVE]);
  });
});

describe("exposure", () => {
  const web = (over: object, node: object = {}) =>
    exposureOf(prodNode({ ...withWeb(over), ...node }), "web");

  test("containers of the program are root of the node, or like it, those with a port the most", () => {
    const node = prodNode();
    const own = ["cadvisor", "backup", "socket_proxy"].map((name) => `docker_node_${name}`);
    const ranks = ["portainer_agent", ...own].map((name) => exposureOf(node, name).rank);
    expect(ranks).toEqual([4, 4, 3, 2]);
    expect(exposureOf(node, "docker_node_cadvisor").words).not.toContain("Docker's socket");
    expect(exposureOf(node, "portainer_agent").words).toEqual([
      "port 9001 published",
      "Docker's socket",
      "root of the node",
    ]);
    const onHost = prodNode({ override: { backup: { networkMode: "host" } } });
    expect(exposureOf(onHost, "docker_node_backup").rank).toBe(4);
  });

  test("the agents are as exposed as Portainer reaches them", () => {
    const environment = { url: "https://port01.example.org" };
    const edge = prodNode({ portainer: { environment, edge: {} } });
    expect(exposureOf(edge, "portainer_agent")).toEqual({
      rank: 3,
      words: ["a network", "Docker's socket", "root of the node"],
    });
    const both = prodNode({ portainer: { agent: { next: { port: 9002 } } } });
    expect(exposureOf(both, "portainer_agent").words).toContain("port 9001 published");
    expect(exposureOf(both, "portainer_agent_next")).toMatchObject({
      rank: 4,
      words: expect.arrayContaining(["port 9002 published"]) as unknown,
    });
  });

  const networks = { "development-secondary": {} };
  const port = { port: 8080, containerPort: 80 };
  const bind = (source: string): object => ({ binds: [{ source, path: "/x" }] });

  test.each<[string, object, number, string[]]>([
    ["nothing", {}, 0, []],
    ["a network", { networks }, 1, ["a network"]],
    [
      "a port on loopback",
      { networks, ports: [{ ...port, address: "127.0.0.1" }] },
      1,
      ["port 8080 published on loopback", "a network"],
    ],
    ["a port", { networks, ports: [port] }, 2, ["port 8080 published", "a network"]],
    ["root, remapped", { networks, user: "0:0" }, 2, ["a network", "root in the container"]],
    ["Docker's socket", bind("/var/run/docker.sock"), 2, ["Docker's socket"]],
    ["a folder of the system", bind("/etc"), 2, ["the node's /etc"]],
    ["a capability", { capabilities: ["NET_RAW"] }, 1, ["NET_RAW"]],
    ["a root it may write to", { readOnlyRoot: false }, 1, ["its root is writable"]],
  ])("a workload with %s", (_, over, expected, words) => {
    expect(web(over)).toEqual({ rank: expected, words });
  });

  test("root that is not remapped is root of the node", () => {
    const open = { engine: { daemon: { "userns-remap": null } } };
    expect(web({ user: "0:0" }, open)).toEqual({ rank: 2, words: ["root of the node"] });
  });

  test("an address in the LAN is open to others", () => {
    const lan = {
      ...{ driver: "macvlan", parent: "eth0", vlan: 30, subnet: "10.25.30.0/24" },
      ...{ gateway: "10.25.30.1", range: "10.25.30.128/25" },
    };
    const words = ["an address of its own in the LAN", "a network"];
    expect(web({ networks: { lan: {} } }, { networks: { lan } })).toEqual({ rank: 2, words });
  });
});

const found = (over: Partial<Vulnerability>): Vulnerability => ({
  ...{ id: CVE, severity: "HIGH", package: "libfoo", installed: "1.0", fixed: "1.1", title: "bad" },
  ...over,
});

const [request] = scanRequests(NODE, prodNode(), []) as [ScanRequest];
const strict = (more: Partial<ScanRequest["scan"]> = {}, waived: string[] = []): ScanRequest => ({
  ...request,
  ...{ scan: { ...request.scan, ...more }, waived },
});

describe("judgement", () => {
  const all = [
    found({ id: "CVE-2026-1", severity: "MEDIUM" }),
    found({ id: "CVE-2026-2" }),
    found({ id: "CVE-2026-3", fixed: "" }),
    found({ id: "CVE-2026-4", severity: "CRITICAL" }),
    found({ id: "CVE-2026-5", severity: "UNKNOWN" }),
  ];
  const ids = (policy: ScanRequest) => {
    const { open, waived, minor, unneeded } = judge(all, policy);
    return [open.map(({ id }) => id), waived.map(({ id }) => id), minor, unneeded];
  };

  test("high and critical block, the gravest first, whether there is a fix or not", () => {
    expect(ids(strict())).toEqual([["CVE-2026-4", "CVE-2026-2", "CVE-2026-3"], [], 2, []]);
  });

  test("the policy decides on severity and on what has no fix", () => {
    expect(ids(strict({ severity: "CRITICAL" }))[0]).toEqual(["CVE-2026-4"]);
    expect(ids(strict({ severity: "UNKNOWN" }))[0]).toHaveLength(5);
    expect(ids(strict({ unfixed: "allow" }))[0]).toEqual(["CVE-2026-4", "CVE-2026-2"]);
  });

  test("a waiver lets one through; one of what does not block is told", () => {
    expect(ids(strict({}, ["CVE-2026-2", "CVE-2026-1", "CVE-2026-9"]))).toEqual([
      ["CVE-2026-4", "CVE-2026-3"],
      ["CVE-2026-2"],
      2,
      ["CVE-2026-1", "CVE-2026-9"],
    ]);
  });

  test("a blocked image says why, what exposes it, and what to do", () => {
    const lines = listComplaints(strict(), judge(all, strict()));
    expect(lines[0]).toBe(
      `${AGENT}:2.39.1 of portainer_agent is blocked by known vulnerabilities: 3 without a waiver, of severity HIGH or above`,
    );
    expect(lines[1]).toBe(
      "  exposure 4 of 4: port 9001 published; Docker's socket; root of the node",
    );
    expect(lines[2]).toBe("  CRITICAL CVE-2026-4 libfoo 1.0 (fixed in 1.1): bad");
    expect(lines[4]).toContain("CVE-2026-3 libfoo 1.0 (no fix yet)");
    expect(lines[5]).toContain(`image: ${AGENT} (docs/how-to/scan-images.md)`);
  });

  test("the most exposed container goes first, then the gravest vulnerability", () => {
    const at = (container: string, exposure: number, over: Partial<Vulnerability>) => ({
      ...{ ...found(over), container, exposure: { rank: exposure, words: [] } },
    });
    const ranked = rankExposed([
      at("quiet", 0, { severity: "CRITICAL" }),
      at("open", 4, { severity: "HIGH" }),
      at("open", 4, { id: "CVE-2026-4", severity: "CRITICAL" }),
    ]);
    expect(ranked.map(({ container, severity }) => `${container} ${severity}`)).toEqual([
      "open CRITICAL",
      "open HIGH",
      "quiet CRITICAL",
    ]);
  });
});

describe("validate and report", () => {
  const scanned = (vulnerabilities: Vulnerability[], policy = strict()) => ({
    request: policy,
    scanned: { vulnerabilities, sbom: "{}" },
    judgement: judge(vulnerabilities, policy),
  });
  const failed = { request: strict(), reason: "no database" };

  test("an image without open vulnerabilities holds, one with some does not", () => {
    expect(judgeScans([scanned([]), scanned([found({})], strict({}, [CVE]))])).toEqual({
      holds: true,
      figure: "2 images scanned, 1 vulnerabilities waived",
    });
    const wrong = judgeScans([scanned([found({})])]);
    expect(wrong.holds).toBe(false);
    expect(wrong.figure).toContain(`portainer_agent: HIGH ${CVE} libfoo 1.0 (fixed in 1.1): bad`);
  });

  test("a waiver without need is a finding", () => {
    expect(judgeScans([scanned([], strict({}, [CVE]))])).toMatchObject({ holds: false });
  });

  test("what could not be scanned is not measured, unless another image is blocked anyway", () => {
    expect(() => judgeScans([scanned([]), failed])).toThrow("portainer_agent: no database");
    expect(judgeScans([scanned([found({})]), failed])).toMatchObject({ holds: false });
  });

  test("the report has them in plain data", () => {
    expect(imageFacts([scanned([found({})]), failed])).toEqual({
      ...{ scanned: 1, waived: 0, unknown: ["portainer_agent: no database"] },
      open: [
        {
          ...{ id: CVE, severity: "HIGH", container: "portainer_agent", fixed: "1.1", exposure: 4 },
          because: ["port 9001 published", "Docker's socket", "root of the node"],
          what: "libfoo 1.0: bad",
        },
      ],
    });
  });
});

/** An image of one Go program alone, without an operating system. */
const SOUND = {
  Results: [{ Target: "app", Type: "gobinary", Packages: [{ Name: "stdlib" }] }],
};

const REPORT = {
  SchemaVersion: 2,
  Results: [
    {
      Target: "os",
      Packages: [{ Name: "libfoo" }],
      Vulnerabilities: [
        { VulnerabilityID: CVE, PkgName: "libfoo", InstalledVersion: "1.0", Severity: "HIGH" },
      ],
    },
    { Target: "app" },
  ],
};

describe("Trivy", () => {
  let folder: string;
  let trivy: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "docker-node-trivy-"));
    trivy = join(folder, "trivy");
    process.env["XDG_CACHE_HOME"] = join(folder, "cache");
    process.env["TRIVY_IGNORE_UNFIXED"] = "true";
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    delete process.env["XDG_CACHE_HOME"];
    delete process.env["TRIVY_IGNORE_UNFIXED"];
  });

  /** A stand-in that writes down how it was started, and does what a line of shell says when it is to scan. */
  function standIn(scan: string): void {
    const write = `while [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; shift; done`;
    const script = `#!/bin/sh
printf '%s\\n' "$*" >>${folder}/calls
env | grep -E '^(TRIVY_|DOCKER_CONFIG)' | sort >>${folder}/environment
cp "$DOCKER_CONFIG/config.json" ${folder}/docker.json
[ -e authorities.pem ] && cp authorities.pem ${folder}/
pwd >${folder}/cwd
case $1 in
image) ${scan} ;;
convert) ${write}; echo '{"bomFormat":"CycloneDX"}' >"$out" ;;
version) echo '{"VulnerabilityDB":{"UpdatedAt":"2026-11-28T00:00:00Z"}}' ;;
esac`;
    writeFileSync(trivy, script);
    chmodSync(trivy, 0o755);
  }

  const finds = (report: object): string =>
    `while [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; shift; done; cat >"$out" <<'E'\n${JSON.stringify(report)}\nE\n`;
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const scanNow = (
    ask: Partial<ScanRequest["scan"]> = {},
    more: Partial<ScanRequest> = {},
    secrets: Record<string, string> = {},
  ) =>
    runScan({
      IMAGE_SCAN: JSON.stringify({ ...strict({ program: trivy, ...ask }), ...more }),
      ...secrets,
    });

  test("it scans the digest in its registry, alone: no file, variable or service changes what it finds", async () => {
    standIn(finds(SOUND));
    const { code, stdout = "" } = await scanNow();
    expect(code).toBe(0);
    const [image, convert] = read("calls").split("\n");
    expect(image).toMatch(
      /^image --format json .*--image-src remote .*--offline-scan .*--db-repository registry\.example\.org\/platform\/trivy-db:2 .* docker\.io\/portainer\/agent@sha256:7af8/,
    );
    expect(convert).toContain("--format cyclonedx");
    expect(read("environment")).toContain("TRIVY_IGNORE_UNFIXED=\n");
    expect(existsSync(read("cwd").trim())).toBe(false);
    const { sbom, ...figures } = JSON.parse(stdout) as { sbom: string };
    expect(figures).toEqual({
      ...{ scanned: true, database: "2026-11-28T00:00:00Z" },
      ...{ vulnerabilities: 0, minor: 0, waived: 0 },
    });
    expect(gunzipSync(Buffer.from(sbom, "base64")).toString()).toContain("CycloneDX");
  });

  test("what it finds blocks, and a waiver lets it through", async () => {
    standIn(finds(REPORT));
    const blocked = await scanNow();
    expect(blocked).toMatchObject({ code: 1 });
    expect(blocked.stderr).toContain(CVE);
    const waived = await scanNow({}, { waived: [CVE] });
    expect([waived.code, waived.stderr]).toEqual([
      0,
      expect.stringContaining("1 known vulnerabilities, 0 of them minor, 1 waived"),
    ]);
    const unneeded = await scanNow({}, { waived: [CVE, "CVE-2026-10009"] });
    expect(unneeded).toMatchObject({ code: 1 });
    expect(unneeded.stderr).toContain("waivers: CVE-2026-10009 of docker.io/portainer/agent");
  });

  test.each([
    [
      "it fails",
      "echo 'x FATAL Fatal error run error: no database' >&2; exit 1",
      "run error: no database",
    ],
    [
      "it writes no report",
      'while [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; shift; done; echo gone >"$out"',
      "Trivy's report",
    ],
  ])("when %s the policy decides, and it says so", async (_, line, reason) => {
    standIn(line);
    const failed = await scanNow();
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stderr).toContain(reason);
    expect(failed.stderr).toContain("images.scan.whenUnavailable: fail");
    const warned = await scanNow({ whenUnavailable: "warn" });
    expect(warned.code).toBe(0);
    expect(JSON.parse(warned.stdout ?? "")).toMatchObject({ scanned: false });
    expect(warned.stderr).toMatch(
      /^warning: [^]*used nevertheless, since images\.scan\.whenUnavailable: warn/,
    );
  });

  test.each<[string, object, string]>([
    [
      "is of a release past its end of life",
      { Metadata: { OS: { Family: "alpine", Name: "3.14.10", EOSL: true } }, ...SOUND },
      "alpine 3.14.10 is past its end of life",
    ],
    ["tells nothing of itself", { Results: [{ Target: "x" }] }, "neither an operating system nor"],
  ])("an image that %s is not clean: the policy decides", async (_, report, reason) => {
    standIn(finds(report));
    const { code, stderr } = await scanNow();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /could not be scanned: .*\nit is blocked, since images\.scan\.whenUnavailable: fail$/,
    );
    expect(stderr).toContain(reason);
    const { stdout = "" } = await scanNow({ whenUnavailable: "warn" });
    expect(JSON.parse(stdout)).toMatchObject({
      scanned: false,
      sbom: expect.any(String) as string,
    });
  });

  test("what Trivy knows against an image past its end of life blocks it, whatever the policy is", async () => {
    const os = { Metadata: { OS: { Family: "alpine", Name: "3.14.10", EOSL: true } } };
    standIn(finds({ ...REPORT, ...os }));
    const blocked = await scanNow({ whenUnavailable: "warn" });
    expect(blocked).toMatchObject({ code: 1, stderr: expect.stringContaining(CVE) as string });
    const { stdout = "" } = await scanNow({ whenUnavailable: "warn" }, { waived: [CVE] });
    expect(JSON.parse(stdout)).toMatchObject({ scanned: false });
  });

  test("an operating system without packages of its own is judged", async () => {
    standIn(finds({ Metadata: { OS: { Family: "debian", Name: "13.1" } } }));
    expect(await scanNow()).toMatchObject({ code: 0 });
  });

  test("a program that is not there is unavailable", async () => {
    const { stderr } = await scanNow({ program: "no-such-trivy" });
    expect(stderr).toContain("no-such-trivy is not installed here");
  });

  test("credentials are in a file, the token in a variable, and neither in a command line or in the state", async () => {
    standIn(finds(SOUND));
    const { cert } = selfSigned();
    const host = "registry.example.org";
    const registries = {
      [host]: {
        username: "robot",
        caCertificate: cert,
        endpoint: { host: "127.0.0.1", port: 5443 },
      },
      "docker.io": { username: "hub" },
    };
    const secrets = {
      IMAGE_SCAN_PASSWORDS: JSON.stringify({ [host]: "geheim", "docker.io": "auch-geheim" }),
      IMAGE_SCAN_TOKEN: "token-of-the-server",
    };
    const ask = { server: { url: "https://trivy.example.org" } };
    const { stdout = "" } = await scanNow(ask, { registries }, secrets);
    const basic = (text: string): string => Buffer.from(text).toString("base64");
    expect(JSON.parse(read("docker.json"))).toEqual({
      auths: {
        "127.0.0.1:5443": { auth: basic("robot:geheim") },
        "https://index.docker.io/v1/": { auth: basic("hub:auch-geheim") },
      },
    });
    expect(read("environment")).toContain("TRIVY_TOKEN=token-of-the-server");
    expect(read("authorities.pem")).toContain(cert.trim());
    const calls = read("calls");
    expect(calls).toContain("--server https://trivy.example.org");
    expect(calls).toContain("--db-repository 127.0.0.1:5443/platform/trivy-db:2");
    expect(calls + stdout).not.toMatch(/geheim|token-of-the-server/);
    expect(JSON.parse(stdout)).not.toHaveProperty("database");
  });

  test("two scans wait for one another, and a holder that is gone is not waited for", async () => {
    const lock = join(folder, "locks", "lock");
    const order: string[] = [];
    const hold = (name: string, ms: number) =>
      withLock(lock, async () => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, ms));
        order.push(`${name} ends`);
      });
    await Promise.all([hold("one", 50), hold("two", 0)]);
    expect(order).toEqual(["one begins", "one ends", "two begins", "two ends"]);
    writeFileSync(lock, "999999999");
    await hold("three", 0);
    expect(readdirSync(join(folder, "locks"))).toEqual([]);
  });

  test("a severity that is not known to it counts as UNKNOWN", () => {
    const text = JSON.stringify(REPORT).replace("HIGH", "NEGLIGIBLE");
    expect(readReport(text).vulnerabilities[0]).toMatchObject({
      severity: "UNKNOWN",
      fixed: "",
      title: "",
    });
  });
});

describe("graph", () => {
  const key = privateKey();
  const run = async (override: object, config: object = {}): Promise<Recorder> => {
    const raw = prodWith({ ssh: key.ssh, ...override });
    const recorder = await startPulumi({ config: { ...mockConfig(raw), ...backups, ...config } });
    await program();
    await settle(recorder);
    return recorder;
  };
  const backups = {
    "docker-node:backupToken": "secret-of-the-backup-token",
    "docker-node:backupKey": "{}",
    "docker-node:pbsStorageToken": "secret-of-the-storage-token",
  };
  const scansOf = (recorder: Recorder) => recorder.all("command:local:Command");

  test("a scan for each image, whose line is the same on every workstation, and a file with what the image is made of", async () => {
    const recorder = await run(withWeb({}));
    expect(scansOf(recorder).map(({ name }) => name)).toEqual([
      `${NODE}-scan-portainer_agent`,
      `${NODE}-scan-docker_node_backup`,
      `${NODE}-scan-docker_node_cadvisor`,
      `${NODE}-scan-docker_node_socket_proxy`,
      `${NODE}-scan-web`,
    ]);
    const { inputs } = recorder.find("command:local:Command", `${NODE}-scan-web`);
    expect(inputs).toEqual({
      create: "node -e \"import('docker-node/image-scan')\"",
      environment: { IMAGE_SCAN: expect.stringContaining(IMAGE) as unknown },
      ...{ addPreviousOutputInEnv: false, logging: "stderr" },
    });
    const kept = recorder.find("command:remote:Command", `${NODE}-sbom-web`);
    expect(String(kept.inputs.stdin)).toContain("CONTAINER='web'");
    expect(kept.inputs.delete).toContain("/etc/docker/sbom/web.cdx.json");
  });

  test("an adopted agent is not scanned, since it is not made; nor is anything where no scan is declared", async () => {
    const adopted = await run(
      { machine: { adopt: true, image: null }, adopt: { agent: "0".repeat(64) } },
      { "docker-node:waivers": JSON.stringify([waiver("agent-adopted")]) },
    );
    expect(scansOf(adopted).map(({ name }) => name)).not.toContain(`${NODE}-scan-portainer_agent`);
    const waivers = [waiver("image-scan-none"), waiver("image-registry-any")];
    const free = { "docker-node:waivers": JSON.stringify(waivers) };
    expect(scansOf(await run({ images: null }, free))).toEqual([]);
  });

  test("passwords and the server's token are secrets of their own, and asked for before anything is declared", async () => {
    const override = {
      ...scanWith({ server: { url: "https://trivy.example.org" } }),
      registries: { "docker.io": { username: "hub" } },
    };
    const password = { "docker-node:registryPassword-docker.io": "geheim" };
    await expect(run(override, password)).rejects.toThrow(/--secret imageScannerToken/);
    const token = { "docker-node:imageScannerToken": "token-of-the-server" };
    const recorder = await run(override, { ...password, ...token });
    const { inputs } = recorder.find("command:local:Command", `${NODE}-scan-portainer_agent`);
    const { value, ...rest } = inputs.environment as { value: Record<string, string> };
    expect(Object.keys(rest)).not.toEqual([]);
    expect(value).toMatchObject({
      IMAGE_SCAN_PASSWORDS: '{"docker.io":"geheim"}',
      IMAGE_SCAN_TOKEN: "token-of-the-server",
    });
    expect(value.IMAGE_SCAN).not.toMatch(/geheim|token-of/);
  });

  test("production declares a scan that blocks", () => {
    const { nodes } = loadSettings(prodWith({}));
    expect(nodes[NODE]?.images?.scan).toMatchObject({
      ...{ severity: "HIGH", unfixed: "block", whenUnavailable: "fail" },
    });
  });
});

describe("node/image-sbom.sh", () => {
  const root = mkdtempSync(join(tmpdir(), "docker-node-sbom-"));
  const file = "/etc/docker/sbom/web.cdx.json";
  const keep = (sbom: string): unknown => {
    const SBOM = sbom && gzipSync(sbom).toString("base64");
    const input = renderScript("image-sbom", { ROOT_DIR: root, CONTAINER: "web", SBOM });
    const { status, stdout, stderr } = spawnSync("bash", ["-s"], { input, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    return JSON.parse(stdout);
  };

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  test("writes what an image is made of, and the same again changes nothing", () => {
    const text = JSON.stringify({ bomFormat: "CycloneDX", name: "naïve `$(id)`" });
    expect(keep(text)).toEqual({ file });
    expect(readFileSync(join(root, file), "utf8")).toBe(`${text}\n`);
    const written = statSync(join(root, file));
    expect(written.mode & 0o777).toBe(0o644);
    expect(keep(text)).toEqual({ file });
    expect(statSync(join(root, file)).ino).toBe(written.ino);
    expect(keep("{}")).toEqual({ file });
    expect(readFileSync(join(root, file), "utf8")).toBe("{}\n");
  });

  test("its check mode tells what somebody changed by hand, from the digest alone", () => {
    const text = JSON.stringify({ bomFormat: "CycloneDX", name: "naïve" });
    const given = (sbom: string): string =>
      renderScript("image-sbom", {
        CONTAINER: "web",
        SBOM: sbom && gzipSync(sbom).toString("base64"),
      });
    const check = (sbom: string): string => {
      const variables = sbomCheck(given(sbom));
      expect(variables).not.toContain("SBOM=");
      const script = renderScript("image-sbom", { ROOT_DIR: root, MODE: "check" });
      const input = `${variables}\n${script}`;
      const { status, stdout, stderr } = spawnSync("bash", ["-s"], { input, encoding: "utf8" });
      expect([status, stderr]).toEqual([0, ""]);
      return stdout;
    };
    const says = (found: string, declared: string): string =>
      `${JSON.stringify({ step: "image-sbom", file, key: "", found, declared })}\n`;
    // Trivy ends its text with a line end, another scanner may not.
    for (const written of [text, `${text}\n`]) {
      keep(written);
      expect(check(written)).toBe("");
    }
    expect(check("")).toBe(says("present", ""));
    writeFileSync(join(root, file), "{}\n");
    expect(check(text)).toBe(says("another content", "as written"));
    rmSync(join(root, file));
    expect(check(text)).toBe(says("", "present"));
    expect(check("")).toBe("");
  });

  test("writes where the backup of the configuration looks", () => {
    expect(keep("{}")).toEqual({ file: sbomFile("web") });
    const holding = (paths: readonly string[]): string[] =>
      paths.filter((path) => isWithin(sbomFile("web"), path));
    expect(holding(readConfigurationPaths())).toHaveLength(1);
    expect(holding(CONFIGURATION_MOUNTS)).toHaveLength(1);
  });

  test("takes it away when the image is not scanned any more, and again", () => {
    keep("{}");
    for (let run = 0; run < 2; run++) {
      expect(keep("")).toEqual({ file: "" });
      expect(existsSync(join(root, file))).toBe(false);
    }
  });
});
