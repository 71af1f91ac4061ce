/** What runs, whether it does as promised, and what was changed by hand. */
import { fillMarkup, type Html, type Piece } from "../html";
import { ifKnown, makeSection, sign, makeTable, makeTime } from "../elements";
import type { AlertFacts, ContainerFacts, DriftFacts, NodeReport } from "../model";
import type { Result, State } from "../../validate/row";
import type { Mark } from "../verdict";

export const containersPart = ({ containers }: NodeReport): Html =>
  makeSection(
    "containers",
    "Containers",
    ifKnown(containers, (all) =>
      makeTable(
        "All containers",
        ["Container", "State", "Image"],
        all.map((one) => [one.name, stateOf(one), one.image]),
      ),
    ),
  );

function stateOf({ running, health }: ContainerFacts): Html {
  if (!running) return sign("none", "does not run");
  const words = health ? `runs, ${health}` : "runs";
  return sign(health === "unhealthy" ? "bad" : "good", words);
}

export const alertsPart = ({ alerts }: NodeReport): Html =>
  makeSection(
    "alerts",
    "Alerts",
    alerts ? ifKnown(alerts, alertTable) : fillMarkup`<p>No Prometheus was named.</p>`,
  );

const alertTable = (all: readonly AlertFacts[]): Html =>
  makeTable(
    "Alerts that fire",
    ["Alert", "Severity", "What", "Since"],
    all.map(({ name, severity, summary, since }) => [
      sign("bad", name),
      severity,
      summary,
      makeTime(since),
    ]),
  );

const MARKS: Readonly<Record<State, Mark>> = {
  held: "good",
  "not held": "bad",
  "not measured": "unknown",
  "not declared": "none",
};

export const validationPart = ({ validation }: NodeReport): Html =>
  makeSection(
    "validation",
    "Validation",
    makeTable(
      "What was measured",
      ["Row", "State", "Found", "Has to be", "Measured by"],
      validation.map((row) => [
        row.title,
        sign(MARKS[row.state], row.state),
        foundOf(row),
        row.threshold ?? "",
        row.how,
      ]),
    ),
  );

const foundOf = ({ reason, figure = "" }: Result): string =>
  reason === undefined ? figure : `not known: ${reason}`;

export const driftPart = ({ drift }: NodeReport): Html =>
  makeSection("drift", "Drift", ifKnown(drift, driftOf));

const driftOf = ({ changes, looks, problems }: DriftFacts): Piece => [
  makeTable(
    "Resources that are not as recorded",
    ["Resource", "Type", "Difference"],
    changes.map(({ name, type, action, properties }) => [
      name,
      type,
      [action, ...properties].join(", "),
    ]),
  ),
  list("Changed by hand on the node", looks),
  problems.length > 0 ? list("Not known", problems) : undefined,
];

const list = (title: string, lines: readonly string[]): Html =>
  lines.length === 0
    ? fillMarkup`<p>${title}: none.</p>`
    : fillMarkup`<p>${title}:</p>
        <ul>
          ${lines.map((line) => fillMarkup`<li>${line}</li>`)}
        </ul>`;
