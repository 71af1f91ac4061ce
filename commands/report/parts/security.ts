/** The benchmark's score, what is left of it, and the waivers. */
import { markup, type Html } from "../html";
import { ifKnown, pairs, section, sign, table } from "../elements";
import { SOON_DAYS } from "../../../config/waivers/days";
import type { NodeReport, SecurityFacts, WaiverFacts } from "../model";

export const securityPart = ({ security, waivers }: NodeReport): Html =>
  section("security", "Security", [
    ifKnown(security, (found) => [score(found), openTable(found)]),
    waiverTable(waivers),
  ]);

/** Checks that a person has to judge count neither way. */
const score = ({ passed, raw, waived, net, person }: SecurityFacts): Html =>
  pairs([
    ["CIS Docker Benchmark", markup`<strong>${passed} of ${passed + raw}</strong> checks passed`],
    ["Waived", waived],
    ["Left", sign(net === 0 ? "good" : "bad", `${net}`)],
    ["For a person to judge", person],
  ]);

const openTable = ({ open }: SecurityFacts): Html =>
  table(
    "Findings without a waiver",
    ["Check", "What it asks", "Found"],
    open.map(({ id, title, what }) => [id, title, what]),
  );

const waiverTable = (waivers: readonly WaiverFacts[]): Html =>
  table(
    "Waivers",
    ["Waiver", "For", "Last day", "Reason", "Protected by", "Owner"],
    waivers.map((one) => [
      one.id,
      one.container ?? "the node",
      ends(one),
      one.reason,
      one.control,
      one.owner,
    ]),
  );

/** One that ends soon stands out. */
function ends({ expires, daysLeft }: WaiverFacts): Html {
  if (daysLeft < 0) return sign("bad", `${expires}, expired`);
  const left = `${expires}, ${daysLeft} days left`;
  return daysLeft <= SOON_DAYS ? markup`<strong>${left}</strong>` : markup`${left}`;
}
