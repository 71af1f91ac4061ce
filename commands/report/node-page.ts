/** The page of one node. */
import { fillMarkup, type Html } from "./html";
import { sign, makeTime } from "./elements";
import type { NodeReport, StackReport } from "./model";
import { makePage } from "./page";
import { backupsPart, drillPart } from "./parts/backups";
import { dockerPart, machinePart } from "./parts/machine";
import { networksPart } from "./parts/networks";
import { alertsPart, containersPart, driftPart, validationPart } from "./parts/running";
import { securityPart } from "./parts/security";
import { verdictsOn, type Verdict } from "./verdict";

/** File of a node's page; no node can take the name of the stack's page. */
export const fileOf = (name: string): string => `node-${name}.html`;

/** File of the stack's page. */
export const INDEX = "index.html";

export function nodePage(report: NodeReport, { stack, at }: StackReport): string {
  const about = fillMarkup`<p>Stack <a href="${INDEX}">${stack}</a>, ${makeTime(at)}</p>`;
  return makePage(`Node ${report.name}`, [about, contentsOf(verdictsOn(report))], partsOf(report));
}

const contentsOf = (all: readonly Verdict[]): Html =>
  fillMarkup`<nav aria-label="Parts">
    <ul>
      ${all.map(
        ({ id, title, mark }) => fillMarkup`<li><a href="#${id}">${title}</a>: ${sign(mark)}</li>`,
      )}
    </ul>
  </nav>`;

const partsOf = (report: NodeReport): Html[] => [
  machinePart(report),
  dockerPart(report),
  networksPart(report),
  containersPart(report),
  securityPart(report),
  backupsPart(report),
  drillPart(report),
  alertsPart(report),
  validationPart(report),
  driftPart(report),
];
