/** The scripts that the workflows start, as they start them, against a GitHub or GitLab on loopback: requests, tokens, exit statuses. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APPROVED, BLOCKED, noteOf, readMarker, type Written } from "../../commands/plan/ci/note";
import { parseEvents } from "../../clients/pulumi/preview";
import { planOf } from "../../commands/plan/events";
import { planJson, render } from "../../commands/plan/render";

const ROOT = join(__dirname, "../..");
const TOKEN = "token-of-a-test";

interface Asked {
  readonly line: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
}

let folder: string;
let server: Server;
let url: string;
let asked: Asked[];
/** What the forge has, by the path of a GET. */
let lists: Record<string, unknown>;

beforeAll(async () => {
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (data: Buffer) => (text += data.toString()));
    request.on("end", () => {
      const [path = ""] = (request.url ?? "").split(/[?&]per_page=/);
      const line = `${request.method ?? ""} ${path}`;
      const body = (text === "" ? {} : JSON.parse(text)) as Asked["body"];
      asked.push({ line, headers: request.headers, body });
      response.end(JSON.stringify(request.method === "GET" ? (lists[path] ?? []) : {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plan-ci-scripts-"));
  asked = [];
  lists = {};
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function planned(scenario: string, stack = "prod"): Written {
  const file = join(ROOT, "test/fixtures/plan", `${scenario}.ndjson`);
  const plan = planOf(parseEvents(readFileSync(file, "utf8")), stack);
  return { json: planJson(plan), markdown: render(plan, "markdown") };
}

/** Writes a plan as `plan --write` does. */
function write(directory: string, { json, markdown }: Written): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "plan.json"), JSON.stringify(json));
  writeFileSync(join(directory, "plan.md"), markdown);
}

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a script; the variables are all that it has beside the PATH. */
function run(script: string, env: Record<string, string>, ...args: string[]): Promise<Ended> {
  const file = join(ROOT, "commands/plan/ci", script);
  const child = spawn(join(ROOT, "node_modules/.bin/tsx"), [file, ...args], {
    env: { PATH: process.env.PATH ?? "", HOME: folder, ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => (output += data.toString()));
  return new Promise((resolve) => {
    child.on("close", (status) => {
      resolve({ status, output });
    });
  });
}

const changes = (): Asked[] => asked.filter(({ line }) => !line.startsWith("GET "));

describe("GitHub", () => {
  const GITHUB = (): Record<string, string> => ({
    ...{ GITHUB_API_URL: url, GITHUB_REPOSITORY: "us/them", GITHUB_TOKEN: TOKEN },
    ...{ PULL_REQUEST: "7", STACKS: '["prod"]', PLAN_RESULT: "success" },
  });
  const comments = "/repos/us/them/issues/7/comments";
  const comment = (scenario: string): object => ({
    ...{ id: 3, body: noteOf(planned(scenario)), user: { login: "github-actions[bot]" } },
  });

  test("comment.ts writes the plan of a folder, with the job's token", async () => {
    write(folder, planned("replace-vm"));
    expect(await run("comment.ts", GITHUB(), folder)).toEqual({ status: 0, output: "" });
    const [lifted, posted] = changes();
    expect(lifted?.line).toBe(
      `DELETE /repos/us/them/issues/7/labels/${encodeURIComponent(APPROVED)}`,
    );
    expect(posted).toMatchObject({
      line: `POST ${comments}`,
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(readMarker(String(posted?.body["body"]))).toMatchObject({ stack: "prod" });
  });

  test("comment.ts ends with 1 without a plan, and nothing is written", async () => {
    const { status, output } = await run("comment.ts", GITHUB(), folder);
    expect([status, changes()]).toEqual([1, []]);
    expect(output).toMatch(/plan\.(json|md)/);
  });

  test("approval.ts ends with 1 while a person has to approve, and with 0 after", async () => {
    lists = { [comments]: [comment("replace-vm")] };
    const before = await run("approval.ts", GITHUB());
    expect(before.status).toBe(1);
    expect(before.output).toContain(`a person has to add the label "${APPROVED}"`);
    expect(changes()[0]?.body["labels"]).toContain(BLOCKED);
    const event = { event: "labeled", label: { name: APPROVED }, actor: { type: "User" } };
    lists["/repos/us/them/issues/7/labels"] = [{ name: APPROVED }];
    lists["/repos/us/them/issues/7/events"] = [event];
    const after = await run("approval.ts", GITHUB());
    expect(after).toEqual({ status: 0, output: "nothing stands against merging\n" });
  });

  test.each(["failure", "cancelled"])(
    "approval.ts does not believe in plans after planning ended with %s",
    async (result) => {
      const ended = await run("approval.ts", { ...GITHUB(), PLAN_RESULT: result });
      expect(ended).toEqual({ status: 1, output: `planning: ${result}\n` });
      expect(asked).toEqual([]);
    },
  );

  test("drift.ts opens an issue for a stack that could not be looked at", async () => {
    expect((await run("drift.ts", GITHUB(), folder)).status).toBe(0);
    expect(changes().map(({ line }) => line)).toEqual(["POST /repos/us/them/issues"]);
    expect(changes()[0]?.body["body"]).toContain("It could not be looked at");
  });

  test("a variable that is not set is named", async () => {
    const { GITHUB_TOKEN, ...rest } = GITHUB();
    expect(GITHUB_TOKEN).toBe(TOKEN);
    const ended = await run("drift.ts", rest, folder);
    expect(ended).toEqual({ status: 1, output: "GITHUB_TOKEN is not set\n" });
  });
});

describe("GitLab", () => {
  const GITLAB = (): Record<string, string> => ({
    ...{ CI_API_V4_URL: url, CI_PROJECT_PATH: "us/them", GITLAB_TOKEN: TOKEN },
    ...{ CI_MERGE_REQUEST_IID: "7", STACKS: '["prod"]' },
  });
  const project = "/projects/us%2Fthem";
  const request = `${project}/merge_requests/7`;

  test("gitlab.ts notes and labels the merge request, and ends with 1 while it is dangerous", async () => {
    write(join(folder, "prod"), planned("replace-vm"));
    lists = { "/user": { id: 1 }, [request]: { labels: [] } };
    const { status, output } = await run("gitlab.ts", GITLAB(), folder);
    expect([status, output]).toEqual([
      1,
      `a person has to add the label "${APPROVED}" and run this job again\n`,
    ]);
    const [note, labels] = changes();
    expect(note).toMatchObject({
      line: `POST ${request}/notes`,
      headers: { "private-token": TOKEN },
    });
    expect(labels?.body["add_labels"]).toContain(BLOCKED);
  });

  test("gitlab.ts ends with 0 where nothing is dangerous", async () => {
    write(join(folder, "prod"), planned("open-port"));
    lists = { "/user": { id: 1 }, [request]: { labels: [] } };
    expect(await run("gitlab.ts", GITLAB(), folder)).toEqual({ status: 0, output: "" });
  });

  test("drift-gitlab.ts closes the issue once nothing differs", async () => {
    write(join(folder, "prod"), planned("no-change"));
    const issues = `${project}/issues?state=opened&labels=drift`;
    lists = { [issues]: [{ iid: 4, description: "<!-- docker-node-drift -->\nx" }] };
    expect((await run("drift-gitlab.ts", GITLAB(), folder)).status).toBe(0);
    expect(changes()).toMatchObject([
      { line: `PUT ${project}/issues/4`, body: { state_event: "close" } },
    ]);
  });

  test("drift-gitlab.ts opens one where something does, and leaves issues of others alone", async () => {
    const issues = `${project}/issues?state=opened&labels=drift`;
    lists = { [issues]: [{ iid: 4, description: "of somebody else" }] };
    expect((await run("drift-gitlab.ts", GITLAB(), folder)).status).toBe(0);
    expect(changes()).toMatchObject([
      { line: `POST ${project}/issues`, body: { labels: "drift" } },
    ]);
  });
});
