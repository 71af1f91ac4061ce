/** docs/reference/security.md, from the table of what takes a waiver. */
import { FREE_OF_CONTAINERS, FREE_OF_MACHINES } from "../../config/waivers/arguments";
import { BENCHMARK, waiverIdOf } from "../../config/waivers/benchmark";
import { LONGEST_DAYS, SOON_DAYS } from "../../config/waivers/days";
import { POLICIES } from "../../config/waivers/policies";
import { DOWNGRADES, STACK_DOWNGRADES } from "../../config/waivers/table";
import { VULNERABILITIES } from "../../config/waivers/vulnerabilities";
import { tableRow } from "./schema-table";

const INTRO = `# Security

Generated from \`config/waivers/\` by \`npm run docs\`; do not edit. [Controls](controls.md) lists what a node does by each standard, and the test that
proves it; [how a node is hardened](../explanation/security.md) explains it.

## Waivers

A node is hardened unless its stack file says otherwise. A value that weakens it is refused before anything is touched, unless
\`docker-node:waivers\` has a waiver for it:

\`\`\`yaml
config:
  docker-node:waivers:
    - id: daemon-userns-off
      node: proj-docker03
      reason: the GPU's runtime cannot remap users
      control: only containers of the platform run there, as users of their own
      owner: platform team
      expires: "2027-05-31"
\`\`\`

- \`node\` is a node of the stack, or \`all\`. \`container\` narrows a waiver to one container; only ids of containers take it.
- \`expires\` is the last day on which it holds, by UTC, and at most ${LONGEST_DAYS} days away.
- An expired waiver, one that nothing needs, and one with an id that is not below keep the stack from being read. Whether a check of
  the benchmark needs its waiver shows on the running node alone, so \`npx docker-node benchmark\` tells. An id that begins with
  \`policy-\` is asked for by [the policies](../how-to/review-changes.md#policies); for containers that the stack adds itself, nobody
  tells whether it is needed. \`image-vulnerability\` also takes \`vulnerability\` and \`image\`; [the scan](../how-to/scan-images.md)
  tells whether it is needed.
- From ${SOON_DAYS} days before its end on, \`pulumi up\`, the plan and \`npx docker-node doctor\` warn of it.

A key of \`engine.daemon\` that the program sets by itself and that \`null\` removes counts by what Docker then does. A key that the
program does not set is no downgrade as long as nobody sets it. \`engine.groupMembers\` needs no waiver either: who is in it is root of the
node, and is named there.

## What takes a waiver
`;

const CHECKS = `## Checks of the benchmark

[\`docker-node benchmark\`](../how-to/benchmark-a-node.md) judges a running node by these. What it finds takes a waiver as well. Those of
a person take none.
`;

const FREE = `## Overrides without a waiver

Every argument that \`override\` reaches is in a row above or here. These cannot weaken a node, whatever they say.
`;

/** Arguments that take no waiver, a row for each reason. */
function freeRows(): string[] {
  const rows = [FREE_OF_CONTAINERS, FREE_OF_MACHINES].flatMap((free, index) =>
    Object.entries(free).map(([why, names]) =>
      tableRow([index ? "VM" : "container", names.map((name) => `\`${name}\``).join(", "), why]),
    ),
  );
  return ["| of | arguments | why |", "|---|---|---|", ...rows];
}

const OF = {
  host: "host",
  container: "container",
  image: "container",
  person: "a person",
} as const;

/** The whole page. */
export function securityPage(): string {
  const rows = [...STACK_DOWNGRADES, ...DOWNGRADES].map(({ id, meaning, allowed, ofContainers }) =>
    tableRow([`\`${id}\``, ofContainers ? "container" : "host", meaning, allowed]),
  );
  const policies = POLICIES.map(({ id, meaning, allowed, ofContainers }) =>
    tableRow([`\`${id}\``, ofContainers ? "container" : "host", meaning, allowed]),
  );
  const { id: scanned, meaning: lost, allowed: right } = VULNERABILITIES;
  const vulnerability = tableRow([`\`${scanned}\``, "image", lost, right]);
  const head = ["| id | of | what it means | without a waiver |", "|---|---|---|---|"];
  const table = [...head, ...rows, ...policies, vulnerability];
  const checks = BENCHMARK.map(([id, title, of]) =>
    tableRow([of === "person" ? id : `\`${waiverIdOf(id)}\``, OF[of], title]),
  );
  const list = ["| id | of | check |", "|---|---|---|", ...checks];
  return `${[INTRO, ...table, "", FREE, ...freeRows(), "", CHECKS, ...list].join("\n")}\n`;
}
