/** The page of a stack: all its nodes, each with the state of its parts. */
import { fillMarkup } from "./html";
import { makeSection, sign, makeTable, makeTime } from "./elements";
import type { NodeReport, StackReport } from "./model";
import { fileOf } from "./node-page";
import { makePage } from "./page";
import { isSound, verdictsOn } from "./verdict";

export function stackPage({ stack, at, nodes }: StackReport): string {
  const about = fillMarkup`<p>
    ${makeTime(at)}, ${nodes.length} nodes: ${sign(isSound(nodes) ? "good" : "bad")}
  </p>`;
  const [first] = nodes;
  const titles = first ? verdictsOn(first).map(({ title }) => title) : [];
  const rows = nodes.map((node) => [
    linkTo(node),
    machineOf(node),
    ...verdictsOn(node).map(({ mark }) => sign(mark)),
  ]);
  const headers = ["Node", "Machine", ...titles];
  return makePage(`Stack ${stack}`, about, [
    makeSection("nodes", "Nodes", makeTable("State of each part", headers, rows)),
    makeSection("waivers", "Waivers", waiverTable(nodes)),
  ]);
}

const linkTo = ({ name }: NodeReport): ReturnType<typeof fillMarkup> =>
  fillMarkup`<a href="${encodeURIComponent(fileOf(name))}">${name}</a>`;

const machineOf = ({ machine }: NodeReport): string =>
  `${machine.size}, ${machine.addresses.join(", ")}`;

/** The waivers that end first. */
function waiverTable(nodes: readonly NodeReport[]): ReturnType<typeof fillMarkup> {
  const all = nodes.flatMap(({ name, waivers }) => waivers.map((one) => ({ ...one, node: name })));
  const rows = all
    .sort((a, b) => a.daysLeft - b.daysLeft)
    .slice(0, SHOWN)
    .map(({ id, node, expires, daysLeft }) => [id, node, expires, `${daysLeft}`]);
  return makeTable(`Those that end first, ${rows.length} of ${all.length}`, HEADERS, rows);
}

const HEADERS = ["Waiver", "Node", "Last day", "Days left"];

/** How many waivers it shows. The pages of the nodes have all. */
const SHOWN = 10;
