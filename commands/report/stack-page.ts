/** The page of a stack: all its nodes, each with the state of its parts. */
import { markup } from "./html";
import { section, sign, table, time } from "./elements";
import type { NodeReport, StackReport } from "./model";
import { fileOf } from "./node-page";
import { page } from "./page";
import { isSound, verdicts } from "./verdict";

export function stackPage({ stack, at, nodes }: StackReport): string {
  const about = markup`<p>
    ${time(at)}, ${nodes.length} nodes: ${sign(isSound(nodes) ? "good" : "bad")}
  </p>`;
  const [first] = nodes;
  const titles = first ? verdicts(first).map(({ title }) => title) : [];
  const rows = nodes.map((node) => [
    link(node),
    machineOf(node),
    ...verdicts(node).map(({ mark }) => sign(mark)),
  ]);
  const headers = ["Node", "Machine", ...titles];
  return page(`Stack ${stack}`, about, [
    section("nodes", "Nodes", table("State of each part", headers, rows)),
    section("waivers", "Waivers", waiverTable(nodes)),
  ]);
}

const link = ({ name }: NodeReport): ReturnType<typeof markup> =>
  markup`<a href="${encodeURIComponent(fileOf(name))}">${name}</a>`;

const machineOf = ({ machine }: NodeReport): string => `${machine.size}, ${machine.address}`;

/** The next that end. */
function waiverTable(nodes: readonly NodeReport[]): ReturnType<typeof markup> {
  const all = nodes.flatMap(({ name, waivers }) => waivers.map((one) => ({ ...one, node: name })));
  const rows = all
    .sort((a, b) => a.daysLeft - b.daysLeft)
    .slice(0, SHOWN)
    .map(({ id, node, expires, daysLeft }) => [id, node, expires, `${daysLeft}`]);
  return table(`Those that end first, ${rows.length} of ${all.length}`, HEADERS, rows);
}

const HEADERS = ["Waiver", "Node", "Last day", "Days left"];

/** More are on the nodes' pages. */
const SHOWN = 10;
