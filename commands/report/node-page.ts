/** The page of one node. */
import { markup, type Html } from "./html";
import { sign, time } from "./elements";
import type { NodeReport, StackReport } from "./model";
import { page } from "./page";
import { backupsPart, drillPart } from "./parts/backups";
import { dockerPart, machinePart } from "./parts/machine";
import { networksPart } from "./parts/networks";
import { containersPart, driftPart, validationPart } from "./parts/running";
import { securityPart } from "./parts/security";
import { verdicts, type Verdict } from "./verdict";

/** File of a node's page; no node can take the name of the stack's page. */
export const fileOf = (name: string): string => `node-${name}.html`;

/** File of the stack's page. */
export const INDEX = "index.html";

export function nodePage(report: NodeReport, { stack, at }: StackReport): string {
  const about = markup`<p>Stack <a href="${INDEX}">${stack}</a>, ${time(at)}</p>`;
  return page(`Node ${report.name}`, [about, contents(verdicts(report))], parts(report));
}

const contents = (all: readonly Verdict[]): Html =>
  markup`<nav aria-label="Parts">
    <ul>
      ${all.map(
        ({ id, title, mark }) => markup`<li><a href="#${id}">${title}</a>: ${sign(mark)}</li>`,
      )}
    </ul>
  </nav>`;

const parts = (report: NodeReport): Html[] => [
  machinePart(report),
  dockerPart(report),
  networksPart(report),
  containersPart(report),
  securityPart(report),
  backupsPart(report),
  drillPart(report),
  validationPart(report),
  driftPart(report),
];
