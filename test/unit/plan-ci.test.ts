import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { makeApi, type Api } from "../../commands/plan/ci/api";
import { approve, comment, updateDriftIssue } from "../../commands/plan/ci/github";
import * as gitlab from "../../commands/plan/ci/gitlab";
import {
  APPROVED,
  BLOCKED,
  driftReport,
  noteOf,
  readMarker,
  type Written,
} from "../../commands/plan/ci/note";
import { parseEvents } from "../../clients/pulumi/preview";
import { planOf } from "../../commands/plan/events";
import { planJson, render } from "../../commands/plan/render";

const ROOT = join(__dirname, "../..");
const FIXTURES = join(ROOT, "test/fixtures/plan");
const BOT = { login: "github-actions[bot]" };

function written(scenario: string, stack = "prod"): Written {
  const text = readFileSync(join(FIXTURES, `${scenario}.ndjson`), "utf8");
  const plan = planOf(parseEvents(text), stack);
  return { json: planJson(plan), markdown: render(plan, "markdown") };
}

interface Comment {
  id: number;
  body: string;
  user: { login: string };
}

/** A pull request of GitHub's, as far as the scripts know it. */
class PullRequest implements Api {
  comments: Comment[] = [];
  labels: string[] = [];
  events: object[] = [];
  issues: { number: number; body: string; user: { login: string }; state: string }[] = [];

  add(label: string, type: string): void {
    this.labels.push(label);
    this.events.push({ event: "labeled", label: { name: label }, actor: { type } });
  }

  list(path: string): Promise<unknown[]> {
    const lists: Record<string, unknown[]> = {
      "/issues/7/comments": this.comments,
      "/issues/7/labels": this.labels.map((name) => ({ name })),
      "/issues/7/events": this.events,
      "/issues?state=open&labels=drift": this.issues.filter(({ state }) => state === "open"),
    };
    const found = lists[path];
    return found ? Promise.resolve(found) : Promise.reject(new Error(`GET ${path}`));
  }

  call(method: string, path: string, body: Record<string, unknown> = {}): Promise<unknown> {
    const text = body.body as string;
    const [, id] = /\/(?:comments|issues)\/(\d+)$/.exec(path) ?? [];
    if (method === "POST" && path === "/issues/7/comments")
      this.comments.push({ id: this.comments.length + 1, body: text, user: BOT });
    else if (method === "PATCH" && path.startsWith("/issues/comments/"))
      Object.assign(this.comments.find((one) => one.id === Number(id)) ?? {}, { body: text });
    else if (method === "POST" && path === "/issues/7/labels")
      for (const label of body.labels as string[]) this.add(label, "Bot");
    else if (method === "DELETE" && path.startsWith("/issues/7/labels/"))
      this.labels = this.labels.filter(
        (one) => one !== decodeURIComponent(path.split("/")[4] ?? ""),
      );
    else if (method === "POST" && path === "/issues")
      this.issues.push({ number: this.issues.length + 1, body: text, user: BOT, state: "open" });
    else if (method === "PATCH")
      Object.assign(this.issues.find((one) => one.number === Number(id)) ?? {}, body);
    else return Promise.reject(new Error(`${method} ${path}`));
    return Promise.resolve(undefined);
  }
}

describe("a pull request on GitHub", () => {
  let pull: PullRequest;
  const planned = (scenario: string, stack?: string): Promise<void> =>
    comment(pull, 7, written(scenario, stack));
  const verdict = (...stacks: string[]): Promise<string | undefined> =>
    approve(pull, 7, stacks.length > 0 ? stacks : ["prod"]);

  beforeEach(() => {
    pull = new PullRequest();
  });

  test("has one comment a stack, updated in place", async () => {
    await planned("create");
    await planned("no-change", "dev");
    await planned("open-port");
    expect(pull.comments).toHaveLength(2);
    expect(pull.comments[0]?.body).toContain("tcp 443 from anywhere");
  });

  test("may be merged when nothing is dangerous, and is labelled all the same", async () => {
    await planned("reboot-and-grow");
    expect(await verdict()).toBeUndefined();
    expect(pull.labels.sort()).toEqual(["risk: grows-disk", "risk: reboots"]);
  });

  test("is blocked by danger until a person approves", async () => {
    await planned("replace-vm");
    expect(await verdict()).toContain("a person has to add");
    expect(pull.labels).toEqual(
      expect.arrayContaining([BLOCKED, "risk: replaces-vm", "risk: data-loss"]),
    );
    pull.add(APPROVED, "User");
    expect(await verdict()).toBeUndefined();
  });

  test("is not approved by a workflow", async () => {
    await planned("replace-vm");
    pull.add(APPROVED, "Bot");
    expect(await verdict()).toContain("a person");
  });

  test("loses its approval when the danger becomes another one, and only then", async () => {
    await planned("delete-volume");
    pull.add(APPROVED, "User");
    await planned("delete-volume");
    expect(await verdict()).toBeUndefined();
    await planned("replace-vm");
    expect(pull.labels).not.toContain(APPROVED);
    expect(await verdict()).toContain("a person");
  });

  test("is not approved before there was a plan", async () => {
    pull.add(APPROVED, "User");
    await planned("replace-vm");
    expect(await verdict()).toContain("a person");
  });

  test("is not unblocked by another stack without danger", async () => {
    await planned("replace-vm", "prod");
    await planned("no-change", "dev");
    expect(await verdict("prod", "dev")).toContain("dangerous for prod");
    expect(pull.labels).toContain(BLOCKED);
  });

  test("is unblocked when the danger is gone; labels of others stay", async () => {
    pull.labels = ["bug"];
    await planned("replace-vm");
    await verdict();
    await planned("no-change");
    expect(await verdict()).toBeUndefined();
    expect(pull.labels).toEqual(["bug"]);
  });

  test("is left alone when an answer is not as GitHub documents it", async () => {
    pull.comments.push({ id: 1, body: "text" } as Comment, { body: "no id" } as Comment);
    await expect(verdict()).rejects.toThrow(
      "the answer to GET /issues/7/comments is not as expected: 1.id: missing",
    );
    pull.comments.pop();
    await planned("no-change");
    expect(await verdict()).toBeUndefined();
  });

  test("waits for the plan of every stack there is", async () => {
    await planned("no-change", "prod");
    expect(await verdict("prod", "dev")).toBe("no plan yet of dev");
    await planned("replace-vm", "gone");
    expect(await verdict("prod")).toBeUndefined();
  });

  test("does not believe markers in comments of others", async () => {
    await planned("replace-vm");
    pull.comments.push({ id: 9, body: noteOf(written("no-change")), user: { login: "someone" } });
    pull.comments.reverse();
    expect(await verdict()).toContain("dangerous");
    await planned("open-port");
    expect(pull.comments.find(({ id }) => id === 9)?.body).toContain("unchanged");
    expect(pull.comments.find(({ id }) => id === 1)?.body).toContain("tcp 443");
    pull.comments = pull.comments.filter(({ id }) => id === 9);
    expect(await verdict()).toBe("no plan yet of prod");
  });
});

describe("drift on GitHub", () => {
  test("opens one issue, updates it, closes it", async () => {
    const forge = new PullRequest();
    await updateDriftIssue(forge, "");
    expect(forge.issues).toEqual([]);
    await updateDriftIssue(forge, "first");
    await updateDriftIssue(forge, "second");
    expect(forge.issues).toHaveLength(1);
    expect(forge.issues[0]?.body).toContain("second");
    await updateDriftIssue(forge, "");
    expect(forge.issues[0]?.state).toBe("closed");
  });

  test("reports stacks that differ or could not be looked at", () => {
    const folder = mkdtempSync(join(tmpdir(), "plan-ci-"));
    try {
      for (const [stack, scenario] of [
        ["same", "no-change"],
        ["other", "open-port"],
      ] as const) {
        const { json, markdown } = written(scenario, stack);
        mkdirSync(join(folder, stack));
        writeFileSync(join(folder, stack, "plan.json"), JSON.stringify(json));
        writeFileSync(join(folder, stack, "plan.md"), markdown);
      }
      expect(driftReport(folder, ["same"])).toBe("");
      const report = driftReport(folder, ["same", "other", "broken"]);
      expect(report).toMatch(/stack `other`[^]*stack `broken`[^]*could not be looked at/);
      expect(report).not.toContain("`same`");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a merge request on GitLab", () => {
  test("is blocked, approved, and blocked again by another danger", async () => {
    const found = {
      notes: [] as { id: number; body: string; author: { id: number } }[],
      labels: [] as string[],
    };
    const forge: Api = {
      list: () => Promise.resolve(found.notes),
      call: (method: string, path: string, body: unknown = {}) => {
        const sent = body as { body: string; add_labels: string; remove_labels: string };
        const id = Number(path.split("/")[2]);
        if (path === "/notes") found.notes.push({ id: 1, body: sent.body, author: { id: 5 } });
        else if (path !== "") Object.assign(found.notes.find((one) => one.id === id) ?? {}, sent);
        else if (method === "PUT") {
          const gone = sent.remove_labels.split(",");
          const kept = [...found.labels, ...sent.add_labels.split(",")];
          found.labels = kept.filter((one) => one !== "" && !gone.includes(one));
        }
        return Promise.resolve({ labels: found.labels });
      },
    };
    const folder = mkdtempSync(join(tmpdir(), "plan-ci-"));
    const once = async (scenario: string): Promise<boolean> => {
      const { json, markdown } = written(scenario);
      writeFileSync(join(folder, "plan.json"), JSON.stringify(json));
      writeFileSync(join(folder, "plan.md"), markdown);
      const { markers, same } = await gitlab.writeNotes(forge, 5, [folder]);
      return gitlab.setLabels(forge, markers, same);
    };
    try {
      expect(await once("open-port")).toBe(true);
      expect(await once("delete-volume")).toBe(false);
      expect(found.labels).toContain(BLOCKED);
      found.labels.push(APPROVED);
      expect(await once("delete-volume")).toBe(true);
      expect(await once("replace-vm")).toBe(false);
      expect(found.labels).not.toContain(APPROVED);
      expect(found.notes).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a note", () => {
  test("carries a marker nobody sees, and reads back", () => {
    const marker = readMarker(noteOf(written("replace-vm")));
    expect(marker).toMatchObject({
      stack: "prod",
      dangers: expect.stringMatching(/^\w{16}$/) as unknown,
    });
    expect(readMarker(noteOf(written("open-port")))?.dangers).toBe("");
    expect(readMarker("text\n<!-- docker-node-plan {} -->")).toBeUndefined();
    expect(readMarker("<!-- docker-node-plan {broken -->")).toBeUndefined();
    expect(readMarker('<!-- docker-node-plan {"stack":"prod","risks":"none"} -->')).toBeUndefined();
  });

  test("that would be too long keeps its risks", () => {
    const { json, markdown } = written("replace-vm");
    const long = noteOf({ json, markdown: `${markdown}${"x".repeat(70_000)}` });
    expect(long.length).toBeLessThan(65_536);
    expect(long).toContain("replaces-vm");
    expect(long).toContain("see the job's log");
  });
});

test("the API reads all pages, forgives a missing label, and says what failed", async () => {
  const asked: string[] = [];
  const server = createServer(({ method, url = "" }, answer) => {
    asked.push(`${method ?? ""} ${url}`);
    const page = Number(/&page=(\d+)/.exec(url)?.[1] ?? 0);
    answer.statusCode = method === "GET" ? 200 : 404;
    if (url.startsWith("/page")) answer.end("<html>");
    else if (url.startsWith("/map")) answer.end("{}");
    else answer.end(JSON.stringify(Array.from({ length: page === 1 ? 100 : 3 }, () => page)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const forge = makeApi(`http://127.0.0.1:${port}`, {});
    expect(await forge.list("/things?state=open")).toHaveLength(103);
    expect(asked[1]).toBe("GET /things?state=open&per_page=100&page=2");
    await expect(forge.list("/page")).rejects.toThrow(/GET \/page\S* is not JSON/);
    await expect(forge.list("/map")).rejects.toThrow(/GET \/map\S* is not as expected/);
    await expect(forge.call("DELETE", "/label")).resolves.toBeUndefined();
    await expect(forge.call("POST", "/label")).rejects.toThrow("POST /label: 404");
  } finally {
    server.close();
  }
});

describe("scripts", () => {
  let folder: string;
  const shell = (script: string, args: string[], env: Record<string, string> = {}) =>
    spawnSync(join(folder, "commands/plan/ci", script), args, {
      encoding: "utf8",
      env: { PATH: `${folder}/bin:${process.env.PATH ?? ""}`, HOME: folder, ...env },
    });
  const program = (name: string, text: string): void => {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "plan-ci-"));
    mkdirSync(join(folder, "bin"));
    cpSync(join(ROOT, "commands/plan/ci"), join(folder, "commands/plan/ci"), { recursive: true });
    for (const stack of ["lab", "prod", "dev-2"])
      writeFileSync(join(folder, `Pulumi.${stack}.yaml`), "");
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test("list the stacks there are, the lab's left out", () => {
    expect(JSON.parse(shell("stacks.sh", []).stdout)).toEqual(["dev-2", "prod"]);
    expect(shell("stacks.sh", ["--lines"]).stdout).toBe("dev-2\nprod\n");
    writeFileSync(join(folder, 'Pulumi.a"$(id).yaml'), "");
    expect(shell("stacks.sh", []).status).toBe(1);
  });

  test("plan every stack, also after one that failed", () => {
    program("npm", 'echo "$*" >>"$HOME/asked"; case "$*" in *dev-2*) exit 1;; esac');
    const summary = join(folder, "summary");
    const { status } = shell("plan-all.sh", ["out", "--drift"], { GITHUB_STEP_SUMMARY: summary });
    expect(status).toBe(1);
    expect(readFileSync(join(folder, "asked"), "utf8").trim().split("\n")).toEqual(
      ["dev-2", "prod"].map(
        (stack) =>
          `run --silent plan -- --stack ${stack} --policy-pack policies --format markdown --write out/${stack} --drift`,
      ),
    );
  });

  test("give the private key to what runs, and take it away again", () => {
    const key = join(folder, ".ssh/docker-node_ed25519");
    program(
      "pulumi",
      'stat -c "%a" "$HOME/.ssh/docker-node_ed25519"; cat "$HOME"/.ssh/*; env; exit 4',
    );
    const { status, stdout } = shell("up.sh", ["prod"], { DOCKER_NODE_SSH_KEY: "the-key" });
    expect([status, stdout.split("\n").slice(0, 2)]).toEqual([4, ["600", "the-key"]]);
    expect(stdout).not.toContain("DOCKER_NODE_SSH_KEY=");
    expect(existsSync(key)).toBe(false);
    writeFileSync(key, "mine");
    shell("up.sh", ["prod"], { DOCKER_NODE_SSH_KEY: "the-key" });
    expect(readFileSync(key, "utf8")).toBe("mine");
  });
});

describe("workflows", () => {
  interface Job {
    if?: string;
    permissions: Record<string, string>;
    environment?: string;
    steps: { uses?: string; run?: string; env?: Record<string, string> }[];
  }
  interface Workflow {
    on: Record<string, unknown>;
    permissions: object;
    jobs: Record<string, Job>;
  }
  const directory = join(ROOT, ".github/workflows");
  const texts = readdirSync(directory).map(
    (name) => [name, readFileSync(join(directory, name), "utf8")] as const,
  );
  const workflows = texts.map(([name, text]) => [name, parse(text) as Workflow] as const);
  const jobs = workflows.flatMap(([name, { jobs: all }]) =>
    Object.entries(all).map(([job, body]) => [`${name} ${job}`, body] as const),
  );

  test.each(texts)("%s: actions are pinned by commit, with the version beside", (_, text) => {
    const uses = text.match(/uses: .*/g) ?? [];
    expect(uses.length).toBeGreaterThan(0);
    for (const line of uses)
      expect(line).toMatch(/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test.each(workflows)(
    "%s: no permission but by job, no event that hands secrets to forks",
    (_, workflow) => {
      expect(workflow.permissions).toEqual({});
      expect(Object.keys(workflow.on)).not.toContain("pull_request_target");
    },
  );

  test.each(jobs)("%s: expressions reach scripts through the environment only", (_, { steps }) => {
    for (const { run = "" } of steps) expect(run).not.toContain("${{");
  });

  test.each(jobs)("%s: scripts are there and can be run", (_, { steps }) => {
    const scripts = steps.flatMap(
      ({ run = "" }) => run.match(/commands\/plan\/ci\/[\w.-]+/g) ?? [],
    );
    for (const script of scripts) {
      const { mode } = statSync(join(ROOT, script));
      if (script.endsWith(".sh")) expect(mode & 0o111).not.toBe(0);
    }
  });

  test("secrets on a pull request are for branches of the repository only", () => {
    const pulls = jobs.filter(([name]) => name.startsWith("preview.yml"));
    const secret = pulls.filter(([, { steps }]) => JSON.stringify(steps).includes("secrets."));
    expect(secret.map(([name]) => name)).toEqual(["preview.yml plan"]);
    for (const [, job] of secret)
      expect(job.if).toContain(
        "github.event.pull_request.head.repo.full_name == github.repository",
      );
  });

  test("up runs in an environment, one at a time", () => {
    const [, text] = texts.find(([name]) => name === "up.yml") ?? ["", ""];
    const { up } = (parse(text) as Workflow).jobs;
    expect(up).toMatchObject({
      environment: "${{ matrix.stack }}",
      concurrency: { group: "up-${{ matrix.stack }}", "cancel-in-progress": false },
    });
  });

  test("GitLab's scripts are there", () => {
    const text = readFileSync(join(ROOT, ".gitlab-ci.yml"), "utf8");
    for (const script of text.match(/commands\/plan\/ci\/[\w.-]+/g) ?? [])
      statSync(join(ROOT, script));
    expect(parse(text)).toHaveProperty("up.rules.0.when", "manual");
  });

  test("GitLab's nightly job writes the issue also when a node could not be looked at, and fails", () => {
    const { drift } = parse(readFileSync(join(ROOT, ".gitlab-ci.yml"), "utf8")) as {
      drift: { script: string[] };
    };
    const stands = 'commands/plan/ci/plan-all.sh() { return 1; }; npx() { echo "$*"; }';
    const script = [stands, "set -e", ...drift.script].join("\n");
    const { status, stdout } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    expect([status, stdout]).toEqual([1, "tsx commands/plan/ci/drift-gitlab.ts plans\n"]);
  });
});

test("every script is valid bash", () => {
  for (const name of readdirSync(join(ROOT, "commands/plan/ci")).filter((one) =>
    one.endsWith(".sh"),
  ))
    execFileSync("bash", ["-n", join(ROOT, "commands/plan/ci", name)]);
});
