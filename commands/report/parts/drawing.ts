/** A drawing of networks and containers: a line for each connection. */
import { fillMarkup, type Html } from "../html";
import type { NetworkFacts } from "../model";

/** Units of the drawing: a box, the room between two, and where the boxes of containers begin. */
const BOX = { width: 150, height: 40 };
const STEP = 52;
const RIGHT = 210;
const WIDTH = RIGHT + BOX.width;

/** Characters that fit into a box. The whole text is in the table below the drawing. */
const FITTING = 18;

const cutToFit = (text: string): string => {
  const letters = Array.from(text);
  return letters.length > FITTING ? `${letters.slice(0, FITTING - 1).join("")}…` : text;
};

interface Box {
  readonly x: number;
  readonly y: number;
  readonly title: string;
  readonly below: string;
}

/** The drawing; nothing where there is no network. */
export function draw(networks: readonly NetworkFacts[]): Html | undefined {
  if (networks.length === 0) return undefined;
  const names = [...new Set(networks.flatMap((one) => one.members.map((it) => it.container)))];
  const left = networks.map(({ name, driver, subnets }, at) =>
    boxAt(0, at, name, subnets[0] ?? driver),
  );
  const right = names.map((name, at) => boxAt(RIGHT, at, name, networksOf(name, networks)));
  const height = Math.max(left.length, right.length) * STEP;
  const label = `${networks.length} networks, ${names.length} containers on them`;
  return fillMarkup`<svg role="img" aria-labelledby="drawing" viewBox="-1 -1 ${WIDTH + 2} ${height}">
    <title id="drawing">${label}; the table below says the same</title>
    ${drawLines(networks, names)} ${[...left, ...right].map(drawBox)}
  </svg>
`;
}

const boxAt = (x: number, at: number, title: string, below: string): Box => ({
  ...{ x, y: at * STEP },
  ...{ title, below },
});

/** The address of a container on its one network, or on how many it is. */
function networksOf(name: string, networks: readonly NetworkFacts[]): string {
  const own = networks.flatMap(({ members }) => members.filter((one) => one.container === name));
  return own.length === 1 ? (own[0]?.address ?? "") : `${own.length} networks`;
}

function drawLines(networks: readonly NetworkFacts[], names: readonly string[]): Html[] {
  const middleOf = (at: number): number => at * STEP + BOX.height / 2;
  return networks.flatMap(({ members }, at) =>
    members.map(({ container }) => {
      const [from, to] = [middleOf(at), middleOf(names.indexOf(container))];
      const half = (BOX.width + RIGHT) / 2;
      return fillMarkup`<path d="M${BOX.width} ${from} C${half} ${from} ${half} ${to} ${RIGHT} ${to}" />`;
    }),
  );
}

const drawBox = ({ x, y, title, below }: Box): Html =>
  fillMarkup`<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="5" />
<text x="${x + 8}" y="${y + 17}">${cutToFit(title)}</text>
<text class="quiet" x="${x + 8}" y="${y + 33}">${cutToFit(below)}</text>`;
