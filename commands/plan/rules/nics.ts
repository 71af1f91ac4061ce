/** Rules about NICs beside the first one. */
import { VM } from "../../../config/resource-types";
import type { Change, Properties } from "../model";
import { itemsOf } from "./items";
import { addressesOf } from "./machine";
import { placeOf } from "./network";
import type { Details, Rule } from "./rule";

export const NIC_RULES: readonly Rule[] = [
  {
    label: "changes-nics",
    severity: "caution",
    explanation:
      "A NIC beside the first is added, taken away or becomes another one. Those after a NIC that goes take its place, with the name and the MAC address that it has in the guest.",
    applies: ({ type, action, old, new: inputs }: Change): Details =>
      type === VM && action === "update" ? findChanged(nicsOf(old), nicsOf(inputs)) : undefined,
  },
];

function findChanged(before: readonly string[], after: readonly string[]): Details {
  const found = Array.from({ length: Math.max(before.length, after.length) }, (_, index) => {
    const [was, now] = [before[index], after[index]];
    if (index === 0 || was === now) return [];
    if (was === undefined) return [`net${index} is added: ${now ?? ""}`];
    return [
      `net${index} ${now === undefined ? `is taken away: ${was}` : `becomes another: ${was} → ${now}`}`,
    ];
  }).flat();
  return found.length > 0 ? found : undefined;
}

/** Bridge, VLAN and addresses of each NIC, in words. */
function nicsOf(properties: Properties): string[] {
  const addresses = addressesOf(properties);
  return itemsOf(properties.networkDevices).map((nic, index) =>
    [placeOf(nic), addresses[index]].filter(Boolean).join(", "),
  );
}
