/** The sum that the gate (.ci/run) ends with: what counts as passed or failed, which messages come once more, what took the time. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../support/documents";

const folder = mkdtempSync(join(tmpdir(), "docker-node-gate-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Test {
  fullName: string;
  status: "passed" | "failed";
  failureMessages: string[];
}

/** A report as Jest writes it, with the fields that the sum reads. */
function writeJest(name: string, tests: Test[], broken?: string): void {
  const failed = tests.filter(({ status }) => status === "failed").length;
  const files = [{ name: "/a/one.test.ts", status: failed > 0 ? "failed" : "passed", message: "" }];
  const report = {
    numPassedTests: tests.length - failed,
    numFailedTests: failed,
    numRuntimeErrorTestSuites: broken === undefined ? 0 : 1,
    testResults: [
      ...files.map((file) => ({ ...file, assertionResults: tests })),
      ...(broken === undefined
        ? []
        : [{ name: "/a/b.test.ts", status: "failed", message: broken, assertionResults: [] }]),
    ],
  };
  writeFileSync(join(folder, name), JSON.stringify(report));
}

const pass = (fullName: string): Test => ({ fullName, status: "passed", failureMessages: [] });
const fail = (fullName: string, message: string): Test => ({
  ...{ fullName, status: "failed" },
  failureMessages: [message],
});

function sum(...names: string[]): string {
  const { status, stdout, stderr } = spawnSync(
    "python3",
    [join(ROOT, ".ci/sum.py"), folder, ...names],
    { encoding: "utf8" },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

test("adds what Jest and pytest counted; skipped tests count for nothing", () => {
  writeJest("unit.json", [pass("a"), pass("b")]);
  writeFileSync(
    join(folder, "python.xml"),
    `<testsuites><testsuite errors="1" failures="1" skipped="2" tests="9"><testcase name="rules"><failure>no rule
at all</failure></testcase><testcase name="seed"><error/></testcase></testsuite></testsuites>`,
  );
  expect(sum("unit.json", "python.xml")).toBe(
    "FAILED  rules\n    no rule\n    at all\nFAILED  seed\n7 passed, 2 failed\n",
  );
});

test("a suite without a report is one failure, and so is a file that did not load", () => {
  writeJest("broken.json", [pass("a")], "Cannot find module");
  expect(sum("broken.json", "gone.json", "gone.xml")).toBe(
    "FAILED  b.test.ts\n    Cannot find module\n1 passed, 3 failed\n",
  );
});

test("messages: no colours, the middle of a long one left out, what was not tried in one line", () => {
  const long = Array.from({ length: 61 }, (_, line) => `line ${line}`).join("\n");
  const skipped = "Error: not tried: an earlier step failed";
  writeJest("lab.json", [fail("red", `\u001b[31m${long}\u001b[0m`), fail("later", skipped)]);
  const lines = sum("lab.json").split("\n");
  expect(lines.slice(0, 3)).toEqual(["FAILED  red", "    line 0", "    line 1"]);
  expect(lines.slice(30, 33)).toEqual(["    line 29", "    [...]", "    line 31"]);
  expect(lines.slice(61)).toEqual([
    "    line 60",
    "FAILED  1 steps that were not tried, for one of these had failed before them",
    "0 passed, 2 failed",
    "",
  ]);
});

test("what took the time: each suite, and the five slowest steps of each file of lab tests", () => {
  const steps = [3, 1, 61, 2, 4, 5].map((seconds) => ({
    ...pass(`step of ${seconds}`),
    duration: seconds * 1000,
  }));
  const times = { startTime: 1000, endTime: 101_000, status: "passed", message: "" };
  const skipped = { ...pass("skipped"), status: "pending", duration: null };
  const testResults = [
    { ...times, name: "/a/test/lab/fleet.test.ts", assertionResults: [...steps, skipped] },
    { ...times, name: "/a/test/unit/config.test.ts", assertionResults: steps },
  ];
  const counts = { numPassedTests: 12, numFailedTests: 0, numRuntimeErrorTestSuites: 0 };
  writeFileSync(join(folder, "lab.json"), JSON.stringify({ ...counts, testResults }));
  writeFileSync(join(folder, "seconds"), "7 install\n1234 npm run test:lab, fleet\n");
  const out = sum("lab.json");
  rmSync(join(folder, "seconds"));
  expect(out.split("\n")).toEqual([
    "SECONDS",
    "     7 s  install",
    "  1234 s  npm run test:lab, fleet",
    "   100 s  fleet.test.ts",
    ...[61, 5, 4, 3, 2].map((seconds) => `${String(seconds).padStart(10)} s  step of ${seconds}`),
    "12 passed, 0 failed",
    "",
  ]);
});

test("the gate writes the seconds of a suite where the sum reads them", () => {
  const gate = readFileSync(join(ROOT, ".ci/run"), "utf8");
  const suite = /^suite\(\) \{[^]*?^\}$/m.exec(gate)?.[0] ?? "";
  const script = `results=$1 deadline=9\n${suite}\nsuite "two words" true\nsuite bad false`;
  const { status } = spawnSync("bash", ["-c", script, "gate", folder]);
  expect(status).toBe(1);
  const lines = readFileSync(join(folder, "seconds"), "utf8");
  rmSync(join(folder, "seconds"));
  expect(lines).toMatch(/^\d+ two words\n\d+ bad\n$/);
});
