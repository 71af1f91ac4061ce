/** Rules about the node's own firewall: a script, which is given its rules. */
import { nameResource } from "../../../config/names";
import { COMMAND } from "../../../config/resource-types";
import { openingsIn } from "../../../node/firewall";
import { variablesOf } from "../../../node/stdin";
import type { Change } from "../model";
import type { Item } from "./items";
import { CLOSES, findUncovered, OPENS } from "./network";
import type { Details, Rule } from "./rule";

export const NODE_FIREWALL_RULES: readonly Rule[] = [
  {
    ...OPENS,
    applies: compareRules((before, after) => {
      if (before === "") return undefined;
      return after === ""
        ? ["the node's own firewall is switched off"]
        : findUncovered(openingItems(after), openingItems(before));
    }),
  },
  {
    ...CLOSES,
    applies: compareRules((before, after) => {
      if (after === "") return undefined;
      return before === ""
        ? [
            "the node's own firewall is switched on: what no rule accepts is dropped, for published ports of containers too",
          ]
        : findUncovered(openingItems(before), openingItems(after));
    }),
  },
];

function compareRules(applies: (before: string, after: string) => Details): Rule["applies"] {
  return ({ type, node, name, action, old, new: inputs }: Change) => {
    const isFirewall = type === COMMAND && name === nameResource(node, "firewall");
    const runs = action === "create" || action === "update";
    if (!isFirewall || !runs) return undefined;
    return applies(variablesOf(old.stdin).RULES ?? "", variablesOf(inputs.stdin).RULES ?? "");
  };
}

/** As the rules of the NIC have them. */
const openingItems = (rules: string): Item[] =>
  openingsIn(rules).map(({ proto, port, source }) => ({
    proto,
    ...(port && { dport: port }),
    ...(source && { source }),
  }));
