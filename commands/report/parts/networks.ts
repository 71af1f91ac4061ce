/** The networks, drawn, and as a table. */
import type { Html } from "../html";
import { ifKnown, section, table } from "../elements";
import type { NetworkFacts, NodeReport } from "../model";
import { drawing } from "./drawing";

export const networksPart = ({ networks }: NodeReport): Html =>
  section(
    "networks",
    "Networks",
    ifKnown(networks, (all) => [drawing(all), networkTable(all)]),
  );

const networkTable = (all: readonly NetworkFacts[]): Html =>
  table(
    "Networks and their containers",
    ["Network", "Driver", "Subnet", "Internal", "Containers"],
    all.map(({ name, driver, subnets, internal, members }) => [
      name,
      driver,
      subnets.join(", ") || "none",
      internal ? "yes" : "no",
      members.map(({ container, address }) => `${container} ${address}`.trim()).join(", ") ||
        "none",
    ]),
  );
