/** Where each command of the documents is run for real. `test/unit/documented-commands.test.ts` reads it. */

/** A named test that runs it, or a file with the text that does. */
export interface Proof {
  readonly file: string;
  readonly test?: string;
  readonly text?: string;
}

/** Commands that need a VM, a server or the whole suite. */
export const ELSEWHERE: readonly (Proof & { readonly call: RegExp })[] = [
  { call: /^npm ci$/, file: ".ci/run", text: "npm ci" },
  { call: /^npm test$/, file: ".ci/run", text: "npm test" },
  { call: /^npm run test:pve$/, file: ".ci/run", text: "npm run test:pve" },
  {
    call: /^npm run test:lab -- --testPathPatterns /,
    file: ".ci/run",
    text: 'lab "$name" --testPathPatterns "lab/$name',
  },
  { call: /^npm run types$/, file: "package.json", text: "&& npm run types &&" },
  { call: /^npm run docs$/, file: "package.json", text: "npm run docs -- --check" },
  { call: /^npm run lab( |$)/, file: "test/lab/lifecycle.test.ts", text: "commands(TUTORIAL)" },
  {
    call: /^npm run drill( |$)/,
    file: "test/lab/backups.test.ts",
    text: '["run", "drill", "--", "--keep", "--json", report, ...KINDS]',
  },
  { call: /^pulumi /, file: "test/lab/documents.test.ts", text: "/^(pulumi|cd) /" },
  {
    call: /^docker (ps|exec|logs) .*docker_node_backup/,
    file: "test/lab/backups.test.ts",
    test: "the commands that docs/how-to/back-up.md has for the node answer",
  },
  {
    call: /^docker ps (--all )?--filter label=docker-node\.workload=web$/,
    file: "test/lab/workloads.test.ts",
    text: '"--filter label=docker-node.workload=web"',
  },
  {
    call: /^docker run .* sh -c find \/to -mindepth 1 -delete; cp -a \/from\/\. \/to\/$/,
    file: "test/unit/documented-commands.test.ts",
    test: "the way back to the copy of before: everything of the copy, and nothing else",
  },
  {
    call: /^proxmox-backup-client key create --kdf none( |$)/,
    file: "test/lab/pbs.test.ts",
    test: "makes keys and shows what they are, not what they say",
  },
  {
    call: /^proxmox-backup-client key paperkey /,
    file: "test/lab/pbs.test.ts",
    test: "prints a key for paper, and what is typed from it is the same key",
  },
  {
    call: /^pvesm add pbs /,
    file: "lab/pve/tests/test_documents.py",
    text: "async def test_pvesm_add_makes_the_storage",
  },
  {
    call: /^qm set /,
    file: "lab/pve/tests/test_documents.py",
    text: "async def test_qm_set_changes_the_vm",
  },
  {
    call: /^docker buildx imagetools inspect /,
    file: "test/lab/documents.test.ts",
    test: "docker buildx imagetools: shows the digest of an image in a registry",
  },
  {
    call: /^(rm go\.sum|go build -mod=mod .*)$/,
    file: "test/lab/documents.test.ts",
    text: 'line.replace("go build ", "go build -n ")',
  },
  {
    call: /^(ssh root@pve01 )?pveum /,
    file: "test/unit/doctor.test.ts",
    test: "script: a node that has nothing yet",
  },
  {
    call: /^(scp role\.sh root@pve01:|ssh root@pve01 bash )/,
    file: "test/unit/doctor.test.ts",
    test: "script: again, nothing is made twice; --rotate makes a new token",
  },
];

const unit = (file: string, test: string): Proof => ({ file: `test/unit/${file}.test.ts`, test });

/**
 * Our own commands and each of their options, by `command` and `command --option`. The test types that command,
 * and its text has the option.
 */
export const OWN: Readonly<Record<string, Proof>> = {
  doctor: unit("doctor", "fails, tells why, and keeps the token to itself"),
  "doctor --print-role": unit("doctor", "prints the role only if the configuration is valid"),
  plan: unit("plan", "asks Pulumi, and leaves no event log"),
  "plan --drift": unit("plan", "asks Pulumi, and leaves no event log"),
  "plan --fail-on": unit("plan", "%s with --fail-on %s ends with %d"),
  "plan --format": unit("plan", "asks Pulumi for JSON, with the rules of a policy pack"),
  "plan --policy-pack": unit("plan", "asks Pulumi for JSON, with the rules of a policy pack"),
  import: unit("import-run", "is written after both questions, with the host key that was shown"),
  backups: unit("recovery", "status 0 when all is fresh"),
  "backups --json": unit("recovery", "status 0 when all is fresh"),
  "backups --server": unit(
    "recovery",
    "--server only says how to prepare the backup server, without asking a node",
  ),
  benchmark: unit("benchmark", "status 0 when no warning is left"),
  "benchmark --script": unit(
    "benchmark",
    "--script brings the official script, and takes its findings for ours",
  ),
  validate: unit("validate", "status 0 when every row holds; progress is beside the result"),
  "validate --only": unit("validate", "--json and --junit, without what is secret"),
  "validate --json": unit("validate", "--json and --junit, without what is secret"),
  "validate --junit": unit("validate", "--json and --junit, without what is secret"),
  "validate --watch": unit("validate", "--watch measures again, and Ctrl-C ends it"),
  "restore container": unit(
    "recovery",
    "each kind is planned by its own words, from the backup that was asked for",
  ),
  "restore platform": unit(
    "recovery",
    "each kind is planned by its own words, from the backup that was asked for",
  ),
  "restore volume": unit(
    "recovery",
    "each kind is planned by its own words, from the backup that was asked for",
  ),
  "restore volume --snapshot": unit(
    "recovery",
    "each kind is planned by its own words, from the backup that was asked for",
  ),
  "restore volume --yes": {
    file: "test/lab/backups.test.ts",
    text: '["restore", ...args, "--stack", "lab", "--yes"]',
  },
  "restore vm": unit("recovery", "is a dry run without --yes"),
  probe: unit("probe", "tells what is open, with status 3, and writes JUnit's XML"),
  "probe --from": unit("probe", "tells what is open, with status 3, and writes JUnit's XML"),
  report: unit("report", "status 3 when something is not known: pages are written all the same"),
  "report --out": unit(
    "report",
    "status 3 when something is not known: pages are written all the same",
  ),
  "report --without-load": unit(
    "report",
    "status 3 when something is not known: pages are written all the same",
  ),
  "report --drill": unit("report", "the last drill and the alerts are in the pages"),
  "report --prometheus": unit("report", "the last drill and the alerts are in the pages"),
};
