/** The networks, drawn, and as a table. */
import type { Html } from "../html";
import { ifKnown, makeSection, makeTable } from "../elements";
import type { NetworkFacts, NodeReport } from "../model";
import { draw } from "./drawing";

export const networksPart = ({ networks }: NodeReport): Html =>
  makeSection(
    "networks",
    "Networks",
    ifKnown(networks, (all) => [draw(all), networkTable(all)]),
  );

const networkTable = (all: readonly NetworkFacts[]): Html =>
  makeTable(
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
