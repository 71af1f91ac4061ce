import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { runCommandLine } from "../../commands/cli";
import { commandLine, parseEvents } from "../../clients/pulumi/preview";
import { planOf } from "../../commands/plan/events";
import type { Plan } from "../../commands/plan/model";
import { nodeNames } from "../../commands/plan/nodes";
import { FORMATS, planJson, render } from "../../commands/plan/render";
import { risksOf } from "../../commands/plan/risks";
import { SCENARIOS } from "../../lab/recorder/scenarios";
import { scrub } from "../../lab/recorder/scrub";
import { usePrograms } from "../support/programs";

const FOLDER = join(__dirname, "../fixtures/plan");
const file = (name: string): string => join(FOLDER, `${name}.ndjson`);
const events = (name: string): EngineEvent[] => parseEvents(readFileSync(file(name), "utf8"));
const plan = (name: string): Plan => planOf(events(name));
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".ndjson"))
  .map((name) => name.replace(".ndjson", ""));

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Labels a scenario has to have, and no other. */
const EXPECTED: Record<string, string[]> = {
  create: ["opens-port"],
  "no-change": [],
  "daemon-reload": ["reloads-dockerd"],
  "daemon-restart": ["restarts-dockerd"],
  "hide-existing": ["data-loss", "hides-images-or-volumes", "restarts-dockerd"],
  "upgrade-docker": ["upgrades-docker"],
  "reboot-and-grow": ["grows-disk", "reboots"],
  "open-port": ["opens-port"],
  "firewall-off": ["opens-port"],
  "rotate-secret": ["rotates-secret"],
  "replace-network": ["replaces-network"],
  "delete-volume": ["data-loss"],
  "replace-vm": ["data-loss", "replaces-network", "replaces-vm"],
  refused: [],
};

test("every scenario has a fixture, and every fixture a scenario", () => {
  // `refused` cannot be recorded by the lab any more: it looks at the configuration before Pulumi does.
  expect([...names].sort()).toEqual([...Object.keys(SCENARIOS), "refused"].sort());
});

describe.each(names)("%s", (name) => {
  test("has the risks it should", () => {
    const labels = risksOf(plan(name)).map(({ label }) => label);
    expect([...labels].sort()).toEqual(EXPECTED[name]);
  });

  test("counts what Pulumi counts", () => {
    const summary = events(name).find((event) => event.summaryEvent)?.summaryEvent;
    const { counts } = plan(name);
    const counted = Object.entries(counts).filter(([, number]) => number > 0);
    if (name !== "refused") expect(Object.fromEntries(counted)).toEqual(summary?.resourceChanges);
  });

  test.each(FORMATS)("reads as %s", (format) => {
    expect(render(plan(name), format)).toMatchSnapshot();
  });

  test("shows nothing of Pulumi's own encoding", () => {
    for (const format of FORMATS) {
      const text = render(plan(name), format);
      for (const raw of [SIGNATURE, UNKNOWN_STRING, "ciphertext", "shellcheck", "__defaults"])
        expect(text).not.toContain(raw);
    }
  });

  test("holds nothing of the machine it was recorded on", () => {
    const text = readFileSync(file(name), "utf8");
    expect(text).not.toMatch(
      /PRIVATE KEY|AAAAC3|AAAAB3|"\/(root|home|tmp|work)\b|!pulumi=[0-9a-f]/,
    );
    expect(text).not.toContain('"severity":"debug"');
  });
});

describe("secrets", () => {
  const canary = "canary-0123456789";
  const urn = "urn:pulumi:s::p::any:t:T::thing";
  const secret = { [SIGNATURE]: "1b47061264138c4ac30d75fd1eb44270", plaintext: `"${canary}"` };
  const state = (inputs: object): object => ({ type: "any:t:T", urn, inputs, outputs: inputs });
  const step = (over: object): EngineEvent =>
    ({
      resourcePreEvent: {
        metadata: { op: "update", urn, type: "any:t:T", logical: true, provider: "", ...over },
      },
    }) as unknown as EngineEvent;
  const debug = {
    diagnosticEvent: { severity: "debug", message: `resp: ${canary}`, color: "never" },
  } as unknown as EngineEvent;
  const shown = (...all: EngineEvent[]): string =>
    FORMATS.map((format) => render(planOf(all), format)).join("\n");

  test("are shown as a marker everywhere, also in plain text next to the signature", () => {
    const old = state({
      token: { ...secret, plaintext: '"old"' },
      list: [1, secret],
      deep: { a: secret },
    });
    const now = state({ token: secret, list: [2, secret], deep: { a: secret, b: secret } });
    const text = shown(step({ old, new: now, diffs: ["token", "list", "deep"] }));
    expect(text).not.toContain(canary);
    expect(text).toContain("token: [secret] changed");
    expect(text).toContain("list[0]: 1 → 2");
    expect(text).toContain('deep.b: added "[secret]"');
  });

  test("do not hide a whole script that contains the marker", () => {
    const script = (disk: string): object =>
      state({ stdin: `DISK='${disk}'\n# shellcheck shell=bash\necho '[secret]'` });
    const text = shown(step({ old: script("1"), new: script("2"), diffs: ["stdin"] }));
    expect(text).toContain("DISK='2'");
    expect(text).not.toContain("stdin: [secret] changed");
  });

  test("in debug messages of Pulumi are never looked at", () => {
    expect(shown(debug)).not.toContain(canary);
    expect(scrub([debug])).toEqual([]);
  });

  test("in a log keep it from being recorded", () => {
    const leaking = { diagnosticEvent: { severity: "error", message: canary } } as EngineEvent;
    expect(() => scrub([leaking], [canary])).toThrow("secret");
  });

  test("are not in the JSON by way of the inputs", () => {
    const json = planJson(
      planOf([step({ op: "create", new: state({ plain: "visible", secret }) })]),
    );
    expect(JSON.stringify(json)).not.toMatch(/visible|canary/);
  });
});

describe("events", () => {
  const refresh = (op: string): EngineEvent[] => {
    const urn = "urn:pulumi:prod::p::docker:index/network:Network::dev";
    const state = (internal: boolean): object => ({
      urn,
      inputs: { internal },
      outputs: { internal },
    });
    const metadata = { urn, type: "docker:index/network:Network", old: state(false) };
    return [
      { resourcePreEvent: { metadata: { ...metadata, op: "refresh", new: state(false) } } },
      { resOutputsEvent: { metadata: { ...metadata, op, new: state(true), diffs: ["internal"] } } },
      { summaryEvent: { resourceChanges: { [op]: 1 }, result: "succeeded" } },
    ] as unknown as EngineEvent[];
  };

  test("about Pulumi's own resources are no change", () => {
    const own = ["pulumi:pulumi:Stack", "pulumi:providers:pulumi"].map((type) => {
      const urn = `urn:pulumi:prod::p::${type}::default`;
      return { resourcePreEvent: { metadata: { op: "create", type, urn } } };
    });
    expect(planJson(planOf(own as unknown as EngineEvent[]))).toMatchObject({
      changes: false,
      nodes: [],
    });
  });

  test("of a refresh are drift, without risks", () => {
    const drift = planOf(refresh("update"));
    expect(drift.kind).toBe("drift");
    expect(risksOf(drift)).toEqual([]);
    const text = render(drift, "terminal");
    expect(text).toContain("Drift of stack prod: 1 changed by hand");
    expect(text).toContain("internal: false → true");
    expect(render(planOf(refresh("delete")), "markdown")).toContain("1 gone");
  });

  test("of a refresh that finds ports of a container in another order are no drift", () => {
    const type = "docker:index/container:Container";
    const tcp = { internal: 53, external: 53, ip: "10.25.20.24", protocol: "tcp" };
    const [udp, other] = [
      { ...tcp, protocol: "udp" },
      { ...tcp, external: 54 },
    ];
    const found = (after: object, diffs?: string[]): number => {
      const metadata = { urn: `urn:pulumi:prod::p::${type}::dns`, type };
      const old = { outputs: { ports: [tcp, udp], hostname: "dns" } };
      const now = { outputs: { hostname: "dns", ...after } };
      const events = [
        { resourcePreEvent: { metadata: { ...metadata, op: "refresh", old, new: old } } },
        { resOutputsEvent: { metadata: { ...metadata, op: "update", old, new: now, diffs } } },
        { summaryEvent: { result: "succeeded" } },
      ];
      return planOf(events as unknown as EngineEvent[]).counts.update;
    };
    expect(found({ ports: [udp, tcp] })).toBe(0);
    expect(found({ ports: [udp, tcp] }, ["ports"])).toBe(0);
    expect(found({ ports: [udp, other] })).toBe(1);
    expect(found({ ports: [udp] })).toBe(1);
    expect(found({ ports: [udp, tcp], hostname: "other" })).toBe(1);
    // A secret that differs looks as before.
    expect(found({ ports: [udp, tcp] }, ["envs", "ports"])).toBe(1);
  });

  test("cut off in the middle are a plan that failed", () => {
    const text = readFileSync(file("replace-vm"), "utf8");
    expect(planOf(parseEvents(text.slice(0, text.length / 2))).failed).toBe(true);
    expect(() => parseEvents('{"a":1}\nnonsense\n{}')).toThrow("line 2 is no event of Pulumi");
  });

  test("tell of nodes by their component, of what is shared as the cluster", () => {
    const { nodes } = plan("create");
    expect(nodes.map(({ name, changes }) => [name, changes.length])).toEqual([
      ["cluster", 4],
      ["proj-docker02", 21],
    ]);
  });
});

test("a resource is its component's, whatever its name", () => {
  const type = "docker-node:components:DockerNode";
  const node = (name: string): string => `urn:pulumi:s::p::${type}::${name}`;
  const child = `urn:pulumi:s::p::${type}$docker:index/volume:Volume::a-b-data`;
  const nodeOf = nodeNames([
    { urn: node("a") },
    { urn: node("a-b") },
    { urn: child, old: { parent: node("a") } },
  ]);
  expect(nodeOf({ urn: child })).toBe("a");
  const orphan = child.replace("a-b-data", "a-b-other");
  expect(nodeOf({ urn: orphan })).toBe("a-b");
});

describe("what others wrote", () => {
  const said = (message: string): Plan =>
    planOf([{ diagnosticEvent: { severity: "error", message } } as EngineEvent]);

  test("cannot leave its code block in Markdown", () => {
    const text = render(said("```\n# heading @everyone\n````"), "markdown");
    expect(text).toContain("`````text\n");
    expect(text.trimEnd().endsWith("`````")).toBe(true);
  });

  test("cannot move a terminal's cursor", () => {
    const text = render(said("a\u001b[2Jb\u0007c\u202ed"), "terminal");
    for (const control of ["\u001b", "\u0007", "\u202e"]) expect(text).not.toContain(control);
  });
});

describe("command line", () => {
  const run = async (...args: string[]): Promise<{ status: number; out: string; err: string }> => {
    let [out, err] = ["", ""];
    const status = await runCommandLine(["plan", ...args], {
      print: (text) => (out += `${text}\n`),
      warn: (text) => (err += `${text}\n`),
    });
    return { status, out, err };
  };

  test.each([
    ["no-change", undefined, 0],
    ["replace-vm", undefined, 0],
    ["replace-vm", "danger", 3],
    ["reboot-and-grow", "danger", 0],
    ["reboot-and-grow", "caution", 3],
    ["daemon-reload", "info", 3],
    ["refused", undefined, 1],
    ["refused", "danger", 1],
  ])("%s with --fail-on %s ends with %d", async (name, level, expected) => {
    const limit = level ? ["--fail-on", level] : [];
    const { status, out } = await run("--events", file(name), ...limit);
    expect(status).toBe(expected);
    expect(out).toContain("Plan for stack");
  });

  test("says what is wrong with its use", async () => {
    expect(await run("--format", "html")).toMatchObject({
      status: 2,
      err: expect.stringContaining("terminal, markdown, json") as unknown,
    });
    expect((await run("--nonsense")).status).toBe(2);
    expect((await run("--events", "no/such/file")).status).toBe(1);
    expect(await run("--help")).toMatchObject({ status: 0, err: "" });
  });

  test("writes Markdown and JSON of one plan", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plan-test-"));
    try {
      await run("--events", file("open-port"), "--stack", "prod", "--write", folder);
      expect(readFileSync(join(folder, "plan.md"), "utf8")).toContain("### Plan for stack `prod`");
      const json = JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")) as unknown;
      expect(json).toMatchObject({ version: 1, stack: "prod", changes: true });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("asks Pulumi, and leaves no event log", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plan-test-"));
    const { PATH } = process.env;
    const program = (text: string): void => {
      writeFileSync(join(folder, "pulumi"), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    };
    process.env.PATH = `${folder}:${PATH ?? ""}`;
    try {
      const say = `{ echo "$last"; stat -c %a "$(dirname "$last")"; } >'${folder}/said'`;
      program(`for last; do :; done; cp '${file("open-port")}' "$last"; ${say}`);
      const { status, out } = await run("--stack", "prod");
      expect([status, out.includes("tcp 443 from anywhere")]).toEqual([0, true]);
      const [log = "", mode] = readFileSync(join(folder, "said"), "utf8").split("\n");
      expect([basename(log), mode]).toEqual(["events.ndjson", "700"]);
      expect(existsSync(dirname(log))).toBe(false);
      program("echo 'error: no stack' >&2; exit 255");
      expect(await run()).toMatchObject({ status: 1, err: "error: no stack\n" });
      program(`for last; do :; done; echo '{}' >"$last"; echo 'error: no language' >&2; exit 255`);
      const unstarted = await run("--drift");
      expect(unstarted.status).toBe(1);
      expect(unstarted.out).toMatch(/^Drift of stack[^]*error: no language[^]*incomplete/);
    } finally {
      process.env.PATH = PATH;
      rmSync(folder, { recursive: true });
    }
  });

  test("asks Pulumi for JSON, with the rules of a policy pack", async () => {
    const programs = usePrograms();
    try {
      programs.add(
        "pulumi",
        `for last; do :; done; cp '${file("open-port")}' "$last"; echo "$*" >"$FOLDER/asked"`,
      );
      const { status, out } = await run("--policy-pack", "policies", "--format", "json");
      expect([status, JSON.parse(out)]).toEqual([0, expect.objectContaining({ version: 1 })]);
      expect(programs.read("asked")).toMatch(/^preview .*--policy-pack \S*policies /);
    } finally {
      programs.dispose();
    }
  });

  test("drift is read from a refresh in preview mode", () => {
    expect(commandLine({ drift: true, stack: "prod" }).slice(0, 2)).toEqual([
      "refresh",
      "--preview-only",
    ]);
    expect(commandLine({})).not.toContain("--stack");
    expect(commandLine({ policyPack: "policies" })).toEqual(
      expect.arrayContaining(["preview", "--policy-pack", "policies"]),
    );
    expect(commandLine({ policyPack: "policies", drift: true })).not.toContain("--policy-pack");
  });
});
