/** `docker-node report`: every part of the pages, what every page must be, what is gathered, and how the command ends. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askAlerts, type Alert } from "../../clients/prometheus";
import type { Row as BackupRow } from "../../commands/backups/evidence";
import { runCommandLine } from "../../commands/cli";
import type { Plan } from "../../commands/plan/model";
import { publish } from "../../commands/report/command";
import { readDrill } from "../../commands/report/drill";
import { machineFacts } from "../../commands/report/facts";
import { gather } from "../../commands/report/gather";
import { fillMarkup } from "../../commands/report/html";
import type { NodeReport } from "../../commands/report/model";
import { INDEX, fileOf, nodePage } from "../../commands/report/node-page";
import { stackPage } from "../../commands/report/stack-page";
import { LEFT_OUT, isSound, verdictsOn } from "../../commands/report/verdict";
import type { Opened } from "../../commands/site/open";
import { loadSettings } from "../../config/load";
import { documents, read } from "../support/documents";
import { openedWith } from "../support/opened";
import { AT, BAD, GOOD, STACK, UNKNOWN, hostile, textOfPart } from "../support/reports";
import { prodNode, stackFile } from "../support/settings";

const NODE = "proj-docker02";
const HOSTILE = `"'><script>alert(1)</script><!--\u202e\u0007`;

const page = (report: NodeReport): string => nodePage(report, STACK);

const part = (report: NodeReport, id: string): string => textOfPart(page(report), id);

const marks = (report: NodeReport): Record<string, string> =>
  Object.fromEntries(verdictsOn(report).map(({ id, mark }) => [id, mark]));

describe("parts", () => {
  test("machine and Docker", () => {
    expect(part(GOOD, "machine")).toBe(
      "Machine VM 2024 on pve01 Size 6 cores, 16 GiB Disks 64 GiB on local-lvm; 200 GiB on local-lvm Address 10.25.20.24 Gateway 10.25.20.1",
    );
    expect(part(GOOD, "docker")).toMatch(/29\.1\.3 .*6 processors, 16\.0 GiB .*Live restore on$/);
  });

  test("machine with IPv6 and further NICs", () => {
    const network = {
      ipv6: { address: "fd25:20::24/64", gateway: "fe80::1" },
      nics: [
        {
          bridge: "vmbr1",
          vlan: 30,
          address: "10.25.30.24/24",
          ipv6: { address: "fd25:30::24/64" },
        },
        { bridge: "vmbr2", address: "10.25.40.24/24" },
      ],
    };
    const machine = machineFacts(prodNode({ network }));
    expect(part({ ...GOOD, machine }, "machine")).toMatch(
      / Address 10\.25\.\d+\.\d+, fd25:20::24 Gateway 10\.25\.\d+\.1, fe80::1 Further NICs 10\.25\.30\.24\/24, fd25:30::24\/64 on vmbr1, VLAN 30; 10\.25\.40\.24\/24 on vmbr2$/,
    );
  });

  test("networks: drawn with a line for each connection, and as a table", () => {
    const text = page(GOOD);
    expect(text.match(/<path /g)).toHaveLength(4);
    expect(text.match(/<rect /g)).toHaveLength(6);
    expect(text).toContain('<text x="218" y="69">a-database-with-a…</text>');
    expect(part(GOOD, "networks")).toContain(
      "proj-backend bridge 172.20.0.0/24 yes a-database-with-a-long-name 172.20.0.3, web 172.20.0.2",
    );
    expect(page({ ...GOOD, networks: { value: [] } })).not.toContain("<svg");
  });

  test("containers: one may be stopped, but not unhealthy", () => {
    expect(part(GOOD, "containers")).toMatch(
      /stopped – does not run busybox:1 web ✓ runs, healthy/,
    );
    expect(part(BAD, "containers")).toContain("web ✗ runs, unhealthy");
  });

  test("security: the score, what is left, and waivers with their last day", () => {
    expect(part(GOOD, "security")).toMatch(
      /66 of 75 checks passed Waived 9 Left ✓ 0 .*without a waiver: none/,
    );
    expect(part(GOOD, "security")).toContain("2027-05-31, 184 days left");
    expect(part(BAD, "security")).toMatch(
      /Left ✗ 1 .*5\.4 it has no added capability web: SYS_ADMIN/,
    );
    expect(part(BAD, "security")).toMatch(/cis-docker-5\.13 web ✗ 2026-11-01, expired it writes/);
    expect(page(BAD)).toContain("<strong>2026-12-08, 10 days left</strong>");
    const { security } = GOOD;
    expect(marks({ ...BAD, security })["security"]).toBe("bad");
  });

  test("backups: age against RPO; undeclared ones are no finding, a source that was silent is not known", () => {
    expect(part(GOOD, "backups")).toContain("portainer_data volume ✓ ok 2 h 1 d portainer_agent");
    expect(part(BAD, "backups")).toMatch(
      /✗ late 1 d 6 h 1 d portainer_agent last run failed: full$/,
    );
    const none = { ...GOOD, backups: undefined };
    expect(part(none, "backups")).toBe("Backups The node declares no backups.");
    const silent = {
      ...GOOD,
      backups: { value: [{ ...GOOD_ROW, state: "unknown" }] },
    } satisfies NodeReport;
    expect([marks(none)["backups"], marks(silent)["backups"]]).toEqual(["none", "unknown"]);
  });

  test("last drill", () => {
    expect(part(GOOD, "drill")).toMatch(
      /2026-11-20 10:00 UTC .*volume ✓ came back 1 min 30 s 15 min 30 s 1 d$/,
    );
    expect(part(BAD, "drill")).toContain("vm ✗ no snapshot");
  });

  test("alerts", () => {
    expect(part(GOOD, "alerts")).toBe("Alerts Alerts that fire: none.");
    expect(part(BAD, "alerts")).toMatch(
      /✗ DockerNodeDockerDown critical proj-docker01: dockerd does not answer 2026-11-28 03:00 UTC$/,
    );
    expect(part({ ...GOOD, alerts: undefined }, "alerts")).toBe("Alerts No Prometheus was named.");
    expect(marks({ ...GOOD, alerts: undefined })["alerts"]).toBe("none");
  });

  test("validation, and drift", () => {
    expect(part(GOOD, "validation")).toContain(
      "Writes to a volume ✓ held 5000 IOPS for 15 s &gt; 1000 IOPS fio",
    );
    expect(part(BAD, "validation")).toContain("✗ not held 12 IOPS");
    expect(part(GOOD, "drift")).toBe(
      "Drift Resources that are not as recorded: none. Changed by hand on the node: none.",
    );
    expect(part(BAD, "drift")).toMatch(
      /proj-docker01-vm proxmoxve\S+ update, cpu\.cores .*daemon\.json debug.*Not known: storage/,
    );
  });

  test("what could not be gathered says why, and is not left out", () => {
    const unreachable = "? not known: 10.25.20.25: Connection timed out";
    for (const [id, title] of [
      ["docker", "Docker"],
      ["networks", "Networks"],
      ["containers", "Containers"],
    ] as const)
      expect(part(UNKNOWN, id)).toBe(`${title} ${unreachable}`);
    expect(part(UNKNOWN, "security")).toContain(unreachable);
    expect(part(UNKNOWN, "backups")).toContain("not known: PBS_RESTORE_TOKEN_ID is not set");
    expect(part(UNKNOWN, "drill")).toContain("not known: no file");
    expect(part(UNKNOWN, "drift")).toContain("not known: the Pulumi CLI does not start");
    expect(part(UNKNOWN, "validation")).toContain("? not measured not known: 10.25.20.25");
  });
});

const GOOD_ROW: BackupRow = {
  ...{ kind: "volume", item: "data", usedBy: [], state: "ok", age: 60, rpo: 3600 },
};

describe("verdict", () => {
  test("each part for itself; a drill that is not known is no finding", () => {
    expect(new Set(Object.values(marks(GOOD)))).toEqual(new Set(["good"]));
    expect(marks(BAD)).toEqual({
      ...{ docker: "good", networks: "good", containers: "bad", security: "bad", backups: "bad" },
      ...{ drill: "bad", alerts: "bad", validation: "bad", drift: "bad" },
    });
    expect(marks(UNKNOWN)).toEqual({
      ...{ docker: "unknown", networks: "unknown", containers: "unknown", security: "unknown" },
      ...{ backups: "unknown", drill: "none", alerts: "unknown" },
      ...{ validation: "unknown", drift: "unknown" },
    });
    expect([GOOD, BAD, UNKNOWN].map((one) => isSound([one]))).toEqual([true, false, false]);
  });

  test("a row that nobody wanted measured is no finding", () => {
    const [row] = UNKNOWN.validation;
    const left = row ? [{ ...row, reason: LEFT_OUT }] : [];
    expect(marks({ ...GOOD, validation: left })["validation"]).toBe("good");
  });

  test("the page of the stack has each node with its marks, and the waivers that end first", () => {
    const text = stackPage(STACK);
    expect(text).toContain('<a href="node-proj-docker01.html">proj-docker01</a>');
    expect(text.match(/needs action/g)).toHaveLength(8);
    expect(text.indexOf("cis-docker-5.13")).toBeLessThan(text.indexOf("cis-docker-2.13"));
    expect(text).toMatch(/Those that end first, 4 of 4/);
  });
});

const PAGES: readonly (readonly [string, string])[] = [
  ["the stack", stackPage(STACK)],
  ["a good node", page(GOOD)],
  ["a bad node", page(BAD)],
  ["an unknown node", page(UNKNOWN)],
  ["a hostile node", page(hostile(BAD, HOSTILE))],
  ["a hostile stack", stackPage(hostile(STACK, HOSTILE))],
];

/** Elements of a page that is well-formed. @throws Error where a tag is not closed, or an attribute not quoted */
function elements(text: string): { name: string; attributes: string }[] {
  const open: string[] = [];
  const found: { name: string; attributes: string }[] = [];
  const body = text.replace(/^<!doctype html>\n/, "").replace(/<style>[^<]*<\/style>/, "");
  const rest = body.replace(
    /<(\/?)([a-z][a-z0-9]*)((?:\s+[\w-]+="[^"<>]*")*)\s*(\/?)>/gi,
    (_, end: string, name: string, attributes: string, empty: string) => {
      if (end && open.pop() !== name) throw new Error(`</${name}> closes nothing`);
      if (!end) found.push({ name, attributes });
      if (!end && !empty) open.push(name);
      return "";
    },
  );
  if (/[<>]/.test(rest) || open.length > 0) throw new Error(`${open.join()}: ${rest.slice(0, 99)}`);
  return found;
}

describe.each(PAGES)("the page of %s", (_, text) => {
  const all = elements(text);
  const values = (attribute: string): string[] =>
    all.flatMap(
      ({ attributes }) => new RegExp(` ${attribute}="([^"]*)"`).exec(attributes)?.[1] ?? [],
    );
  const named = (name: string): number => all.filter((one) => one.name === name).length;

  test("is well-formed, in English, with one h1 and headings in order", () => {
    expect(text).toMatch(/^<!doctype html>\s*<html lang="en">/);
    const levels = all.flatMap(({ name }) => /^h(\d)$/.exec(name)?.[1] ?? []).map(Number);
    expect([levels[0], levels.filter((level) => level === 1).length]).toEqual([1, 1]);
    levels.slice(1).forEach((level, at) => {
      expect(level).toBeLessThanOrEqual((levels[at] ?? 0) + 1);
    });
    expect([named("title"), named("main")].every((count) => count >= 1)).toBe(true);
  });

  test("names what it shows: ids once, references to them, tables with captions and headings", () => {
    const ids = values("id");
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of values("aria-labelledby")) expect(ids).toContain(id);
    for (const href of values("href").filter((one) => one.startsWith("#")))
      expect(ids).toContain(href.slice(1));
    expect(named("caption")).toBe(named("table"));
    for (const { attributes } of all.filter(({ name }) => name === "th"))
      expect(attributes).toMatch(/scope="(col|row)"/);
  });

  test("asks for nothing: no script, no address, no style but its own", () => {
    const files = values("href").filter((one) => !one.startsWith("#"));
    for (const file of files) expect(file).toMatch(/^(index|node-[\w%!.()*~&#;-]+)\.html$/);
    for (const name of ["script", "link", "img", "iframe", "form", "object", "base"])
      expect(named(name)).toBe(0);
    expect(values("(?:src|style|on\\w+|xlink:href)")).toEqual([]);
    const [, style = ""] = /<style>([^<]*)<\/style>/.exec(text) ?? [];
    expect(style).not.toMatch(/url\(|@import|@font-face|https?:/);
    const hash = createHash("sha256").update(style).digest("base64");
    const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
    expect(text).toContain(`http-equiv="Content-Security-Policy" content="${policy}"`);
  });
});

test("documents name the pages as they are written", () => {
  const files = documents().flatMap((one) => read(one).match(/\breports\/[\w<>.-]+\.html/g) ?? []);
  const written = [INDEX, fileOf(NODE), fileOf("<node>")].map((file) => `reports/${file}`);
  expect([...new Set(files)].sort()).toEqual(written.sort());
});

test("texts are escaped, and what is not to be seen is", () => {
  const shown = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!--\ufffd\ufffd";
  expect(fillMarkup`<b title="${HOSTILE}">${[HOSTILE, undefined, 1]}</b>`.text).toBe(
    `<b title="${shown}">${shown}1</b>`,
  );
  expect(page(hostile(BAD, HOSTILE))).not.toContain("<script");
});

test("the same data makes the same pages", () => {
  expect(page(structuredClone(BAD))).toBe(page(BAD));
  expect(stackPage(structuredClone(STACK))).toBe(stackPage(STACK));
});

describe("gathered", () => {
  const settings = loadSettings(stackFile("prod"));
  const address = (IPAddress: string): object => ({ IPAddress });
  const container = (name: string, networks: object): object => ({
    ...{ Id: name, Name: `/${name}`, Image: "sha256:1", Config: { Image: "web:1" } },
    Env: ["PASSWORD=geheim"],
    ...{ HostConfig: {}, State: { Running: true }, NetworkSettings: { Networks: networks } },
  });
  const inventory = {
    ...{ root: "/var/lib/docker", volumes: [], images: [], status: null },
    containers: [
      container("web", { b: { ...address("172.19.0.2"), GlobalIPv6Address: "fd25:28::2" } }),
      container("db-geheim", {}),
    ],
    networks: [
      ...[{ Name: "none", Driver: "null", Internal: false, IPAM: { Config: null }, Options: null }],
      {
        ...{ Name: "b", Driver: "bridge", Internal: true, Options: {} },
        IPAM: { Config: [{ Subnet: "172.19.0.0/24" }, { Subnet: "fd25:28::/64" }] },
      },
    ],
  };
  const asked: string[] = [];
  const opened = (answers: Readonly<Record<string, unknown>>): Opened => {
    const script = (name: string): Promise<string> => {
      asked.push(name);
      const answer = answers[name];
      if (answer === undefined) return Promise.reject(new Error("10.25.20.24: no route"));
      return Promise.resolve(JSON.stringify(answer));
    };
    const shell = () => ({ script, feed: () => Promise.reject(new Error()), shown: () => "" });
    return openedWith(settings, { shell });
  };
  const drift = {
    ...{ failed: false, diagnostics: [] },
    nodes: [
      {
        name: NODE,
        changes: [
          {
            ...{ action: "update", type: "t", name: "proj-docker02-vm", old: { a: "geheim" } },
            properties: [{ path: "cpu.cores", before: "geheim", after: 4, secret: false }],
          },
        ],
      },
    ],
    looks: [
      {
        ...{ name: NODE, problems: ["storage: could not be checked"] },
        differences: [{ step: "daemon", file: "/etc/x", key: "", found: "geheim", declared: "" }],
      },
    ],
  } as unknown as Plan;
  const SILENT = { show: () => undefined, warn: () => undefined };
  const report = (
    answers: object,
    plan: () => Promise<Plan>,
    load = false,
    alerts?: () => Promise<readonly Alert[]>,
  ) =>
    gather(NODE, {
      alerts,
      around: { opened: opened({ ...answers }), drift: plan, environment: {} },
      ...{ load, drill: { reason: "none" }, now: new Date(AT) },
      ...{ signal: new AbortController().signal, progress: SILENT },
    });

  test("what is found, each asked for once, and no secret of it", async () => {
    asked.length = 0;
    const found = await report({ "recovery/inventory": inventory }, () => Promise.resolve(drift));
    expect(found).toMatchObject({
      name: NODE,
      machine: { vmId: 2019, proxmoxNode: "pve01", addresses: ["10.25.20.24"] },
      networks: {
        value: [
          {
            ...{
              name: "b",
              driver: "bridge",
              subnets: ["172.19.0.0/24", "fd25:28::/64"],
              internal: true,
            },
            members: [{ container: "web", address: "172.19.0.2 fd25:28::2" }],
          },
          { name: "none", subnets: [] },
        ],
      },
      containers: {
        value: [{ name: "db-[secret]" }, { name: "web", image: "web:1", running: true }],
      },
      drift: {
        value: {
          changes: [
            { action: "update", type: "t", name: "proj-docker02-vm", properties: ["cpu.cores"] },
          ],
          looks: [expect.stringMatching(/^\/etc\/x: \[secret\] on the node, absent/) as string],
          problems: ["storage: could not be checked"],
        },
      },
    });
    expect(JSON.stringify(found)).not.toMatch(/geheim|PASSWORD/);
    expect(asked.filter((name) => name === "recovery/inventory")).toHaveLength(1);
    const ends = found?.waivers.map(({ daysLeft }) => daysLeft) ?? [];
    expect(ends.length).toBeGreaterThan(0);
    expect(ends).toEqual([...ends].sort((a, b) => a - b));
  });

  test("nothing that loads the node, unless it is wanted", async () => {
    const plan = () => Promise.reject(new Error("no pulumi"));
    asked.length = 0;
    const quiet = await report({}, plan);
    expect(asked.filter((name) => /load|disk/.test(name))).toEqual([]);
    const left = quiet?.validation.filter(({ reason }) => reason === LEFT_OUT);
    expect(left?.map(({ id }) => id)).toEqual(["cpu", "memory", "iops"]);
    asked.length = 0;
    await report({}, plan, true);
    expect(asked).toEqual(expect.arrayContaining(["validation/load", "validation/disk"]));
  });

  test("why not, for every part, where nothing answers", async () => {
    const reason = "10.25.20.24: no route";
    const found = await report({}, () =>
      Promise.reject(new Error("the Pulumi CLI does not start")),
    );
    expect(found).toMatchObject({
      ...{ docker: { reason }, networks: { reason }, containers: { reason }, security: { reason } },
      backups: { reason: "PBS_RESTORE_TOKEN_ID is not set" },
      drift: { reason: "the Pulumi CLI does not start" },
    });
  });

  describe("alerts of a Prometheus", () => {
    let answer: unknown;
    const server = createServer((_, response) => {
      if (answer === undefined) response.writeHead(503);
      response.end(JSON.stringify(answer));
    });
    beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
    afterAll(() => server.close());
    const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const alert = (state: string, labels: object, activeAt = AT): object => ({
      ...{ state, activeAt, labels, annotations: { summary: "geheim" } },
    });

    test("those that fire on the node, the oldest first, no secret of them", async () => {
      const [first, second] = ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"];
      const severity = "critical";
      answer = {
        data: {
          alerts: [
            alert("firing", { node: NODE, alertname: "B", severity }, second),
            alert("firing", { node: NODE, alertname: "A", severity }, first),
            alert("pending", { node: NODE, alertname: "C", severity }),
            alert("firing", { node: "another", alertname: "D", severity }),
            alert("firing", { alertname: "E" }),
          ],
        },
      };
      const found = await report(
        {},
        () => Promise.reject(new Error()),
        false,
        () => askAlerts(`${url()}/`),
      );
      expect(found?.alerts).toEqual({
        value: [
          { name: "A", severity, summary: "[secret]", since: first },
          { name: "B", severity, summary: "[secret]", since: second },
        ],
      });
    });

    test("a server that does not answer, or answers something else, is told", async () => {
      answer = undefined;
      await expect(askAlerts(url())).rejects.toThrow(/alerts cannot be read: it answers 503/);
      answer = { data: {} };
      await expect(askAlerts(url())).rejects.toThrow(/alerts is not as expected: data\.alerts/);
      await expect(askAlerts("http://127.0.0.1:1")).rejects.toThrow(/cannot be read: /);
    });
  });

  test("the drill, from its file", () => {
    const file = join(mkdtempSync(join(tmpdir(), "docker-node-drill-")), "drill.json");
    const figures = { measured: 1, required: 2 };
    const rehearsal = { kind: "vm", ok: true, rto: figures, rpo: figures };
    writeFileSync(file, JSON.stringify([{ ...rehearsal, checksum: {} }]));
    utimesSync(file, new Date(AT), new Date(AT));
    expect(readDrill(file)).toEqual({ value: { at: AT, rehearsals: [rehearsal] } });
    writeFileSync(file, '[{"kind":1}]');
    expect(() => readDrill(file)).toThrow(/--drill \S+ is not as expected: 0\.kind|\[0\]\.kind/);
    expect(readDrill(undefined)).toEqual({ reason: expect.stringContaining("--drill") as string });
    rmSync(join(file, ".."), { recursive: true });
  });

  describe("npx docker-node report", () => {
    let out: string;
    const path = process.env["PATH"];
    beforeEach(() => {
      out = mkdtempSync(join(tmpdir(), "docker-node-report-"));
      process.env["PATH"] = out;
    });
    afterEach(() => {
      process.env["PATH"] = path;
      rmSync(out, { recursive: true });
    });
    const run = async (args: string[], open = () => Promise.resolve(opened({}))) => {
      const [printed, warned]: [string[], string[]] = [[], []];
      const status = await runCommandLine(["report", ...args], {
        print: (text) => printed.push(text),
        warn: (text) => warned.push(text),
        open,
      });
      return { status, printed: printed.join("\n"), warned };
    };

    test("status 3 when something is not known: pages are written all the same", async () => {
      const pages = join(out, "pages");
      const { status, printed, warned } = await run(["--out", pages, "--without-load"]);
      expect([status, printed.split("\n")]).toEqual([
        3,
        [join(pages, "index.html"), join(pages, `node-${NODE}.html`)],
      ]);
      expect(warned[0]).toBe(`${NODE}: Docker: not measured`);
      const text = readFileSync(join(pages, `node-${NODE}.html`), "utf8");
      expect(text).toContain("not known: 10.25.20.24: no route");
      expect(text).toContain("not known: the Pulumi CLI does not start");
    });

    test("the last drill and the alerts are in the pages", async () => {
      const labels = { node: NODE, alertname: "DiskFull", severity: "critical" };
      const firing = { state: "firing", activeAt: AT, labels, annotations: { summary: "full" } };
      const server = createServer((_, response) => {
        response.end(JSON.stringify({ data: { alerts: [firing] } }));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const prometheus = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const drill = join(out, "drill.json");
      const figures = { measured: 61, required: 3600 };
      writeFileSync(drill, JSON.stringify([{ kind: "vm", ok: true, rto: figures, rpo: figures }]));
      const args = ["--out", out, "--without-load", "--drill", drill, "--prometheus", prometheus];
      await run(args).finally(() => server.close());
      const text = readFileSync(join(out, `node-${NODE}.html`), "utf8");
      expect(text).toContain("DiskFull");
      expect(text).toMatch(/aria-labelledby="drill"[^]*1 min 1 s/);
    });

    test("--json prints what the pages say", async () => {
      const { printed } = await run(["--out", out, "--json", "--without-load", NODE]);
      expect(JSON.parse(printed)).toMatchObject({
        stack: "prod",
        nodes: [{ name: NODE, docker: { reason: "10.25.20.24: no route" } }],
        files: [join(out, "index.html"), join(out, `node-${NODE}.html`)],
      });
    });

    test("status 0 when everything is in order, 3 when something needs action", () => {
      const say = (nodes: readonly NodeReport[]) =>
        publish({ ...STACK, nodes }, { out }, () => undefined);
      expect([say([GOOD]), say([GOOD, BAD])]).toEqual([0, 3]);
      expect(readdirSync(out).sort()).toEqual([
        ...["index.html", "node-proj-docker01.html", "node-proj-docker02.html"],
      ]);
    });

    test("status 1 when the stack cannot be read, 2 for wrong usage, and then nothing is written", async () => {
      const broken = () => Promise.reject(new Error("stack prod: not valid"));
      expect((await run(["--out", out], broken)).status).toBe(1);
      expect(await run(["--out", out, "nope"])).toMatchObject({ status: 2 });
      const where = await run(["--out", out, "--prometheus", "mon01:9090"]);
      expect([where.status, where.warned[0]]).toEqual([
        2,
        expect.stringContaining("--prometheus mon01:9090: no URL; wanted: https://host:port"),
      ]);
      const none = await run(["--out", out, "--drill", join(out, "none.json")]);
      expect([none.status, none.warned[0]]).toEqual([
        2,
        expect.stringMatching(/^--drill .*no file/),
      ]);
      expect(readdirSync(out)).toEqual([]);
    });
  });
});
