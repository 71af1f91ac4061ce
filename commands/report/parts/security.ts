/** The benchmark's score, what is left of it, and the waivers. */
import { fillMarkup, type Html } from "../html";
import { ifKnown, makePairs, makeSection, sign, makeTable } from "../elements";
import { SOON_DAYS } from "../../../config/waivers/days";
import type { ImageFacts, NodeReport, SecurityFacts, WaiverFacts } from "../model";

export const securityPart = ({ security, images, waivers }: NodeReport): Html =>
  makeSection("security", "Security", [
    ifKnown(security, (found) => [scoreOf(found), openTable(found)]),
    images && ifKnown(images, (found) => [scansOf(found), vulnerabilityTable(found)]),
    waiverTable(waivers),
  ]);

/** Checks that a person has to judge count neither way. */
const scoreOf = ({ passed, raw, waived, net, person }: SecurityFacts): Html =>
  makePairs([
    [
      "CIS Docker Benchmark",
      fillMarkup`<strong>${passed} of ${passed + raw}</strong> checks passed`,
    ],
    ["Waived", waived],
    ["Left", sign(net === 0 ? "good" : "bad", `${net}`)],
    ["For a person to judge", person],
  ]);

const openTable = ({ open }: SecurityFacts): Html =>
  makeTable(
    "Findings without a waiver",
    ["Check", "What it asks", "Found"],
    open.map(({ id, title, what }) => [id, title, what]),
  );

const scansOf = ({ scanned, waived, open, unknown }: ImageFacts): Html =>
  makePairs([
    ["Images scanned", scanned],
    ["Vulnerabilities waived", waived],
    ["Vulnerabilities left", sign(open.length === 0 ? "good" : "bad", `${open.length}`)],
    ...unknown.map((reason) => ["Not scanned", sign("unknown", reason)] as const),
  ]);

const vulnerabilityTable = ({ open }: ImageFacts): Html =>
  makeTable(
    "Vulnerabilities without a waiver, the most exposed first",
    ["Vulnerability", "Severity", "Container", "Exposure", "Found", "Fixed in"],
    open.map(({ id, severity, container, exposure, because, what, fixed }) => [
      ...[id, severity, container, `${exposure} of 4: ${because.join(", ")}`, what],
      fixed || "no fix yet",
    ]),
  );

const waiverTable = (waivers: readonly WaiverFacts[]): Html =>
  makeTable(
    "Waivers",
    ["Waiver", "For", "Last day", "Reason", "Protected by", "Owner"],
    waivers.map((one) => [
      one.vulnerability ?? one.id,
      one.image ?? one.container ?? "the node",
      endOf(one),
      one.reason,
      one.control,
      one.owner,
    ]),
  );

/** One that ends soon stands out. */
function endOf({ expires, daysLeft }: WaiverFacts): Html {
  if (daysLeft < 0) return sign("bad", `${expires}, expired`);
  const left = `${expires}, ${daysLeft} days left`;
  return daysLeft <= SOON_DAYS ? fillMarkup`<strong>${left}</strong>` : fillMarkup`${left}`;
}
