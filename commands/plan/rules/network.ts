/** Rules about what can be reached: firewall, published ports, Docker networks. */
import { contains } from "../../../config/cidr";
import { rangeOf } from "../../../config/firewall";
import { isNetworkText } from "../../../config/ipv6";
import { CONTAINER, NETWORK, VM } from "../../../config/resource-types";
import type { Change, Properties } from "../model";
import { asWord, itemsOf, type Item } from "./items";
import type { Details, Rule } from "./rule";

const RULES = "proxmoxve:firewall/rulesLegacy:RulesLegacy";
const OPTIONS = "proxmoxve:firewall/optionsLegacy:OptionsLegacy";

export const OPENS = {
  label: "opens-port",
  severity: "caution",
  explanation: "The node can be reached where it could not before.",
} as const;

export const CLOSES = {
  label: "closes-port",
  severity: "caution",
  explanation: "The node cannot be reached any more where it could before.",
} as const;

export const FIREWALL_RULES: readonly Rule[] = [
  {
    ...OPENS,
    applies: (change: Change): Details =>
      change.type === RULES && change.action !== "delete" && change.action !== "import"
        ? findUncovered(openingsIn(change.new), openingsIn(change.old))
        : undefined,
  },
  {
    ...CLOSES,
    applies: (change: Change): Details =>
      change.type === RULES && change.action === "update"
        ? findUncovered(openingsIn(change.old), openingsIn(change.new))
        : undefined,
  },
  {
    label: "changes-vlan",
    severity: "caution",
    explanation: "The VM's first NIC moves to another network, and the node is reached only there.",
    applies: ({ type, action, old, new: inputs }: Change): Details =>
      type === VM && action === "update"
        ? findMoved(itemsOf(old.networkDevices)[0], itemsOf(inputs.networkDevices)[0])
        : undefined,
  },
  {
    ...OPENS,
    applies: ({ type, action, old, new: inputs }: Change): Details => {
      if (type !== OPTIONS || action === "create") return undefined;
      if (action === "delete") return ["the firewall's options are deleted"];
      if (old.enabled === true && inputs.enabled !== true) return ["the firewall is switched off"];
      const dropped = old.inputPolicy !== "ACCEPT" && inputs.inputPolicy === "ACCEPT";
      return dropped ? ["inbound traffic is accepted unless a rule drops it"] : undefined;
    },
  },
  {
    ...OPENS,
    applies: ({ type, action, old, new: inputs }: Change): Details => {
      if (type !== VM || action !== "update") return undefined;
      return isSwitched(old, inputs, false)
        ? ["the firewall of the NIC is switched off"]
        : undefined;
    },
  },
  {
    ...CLOSES,
    applies: ({ type, action, old, new: inputs }: Change): Details => {
      if (action !== "update") return undefined;
      if (type === OPTIONS && isOpen(old) && !isOpen(inputs))
        return ["inbound traffic is dropped unless a rule accepts it"];
      return type === VM && isSwitched(old, inputs, true)
        ? ["the firewall of the NIC is switched on: what no rule accepts is dropped"]
        : undefined;
    },
  },
];

export const PORT_RULES: readonly Rule[] = [
  {
    ...OPENS,
    applies: (change: Change): Details =>
      change.type === CONTAINER
        ? findAdded(change, (inputs) => itemsOf(inputs.ports).map(showPort))
        : undefined,
  },
  {
    label: "replaces-network",
    severity: "caution",
    explanation: "A Docker network is deleted; containers on it lose their connection.",
    applies: ({ type, action, name, old }: Change): Details =>
      type === NETWORK && (action === "replace" || action === "delete")
        ? [typeof old.name === "string" ? old.name : name]
        : undefined,
  },
];

/** Does a firewall let everything in? */
const isOpen = ({ enabled, inputPolicy }: Properties): boolean =>
  enabled !== true || inputPolicy === "ACCEPT";

/** Is the firewall of a NIC that stays switched on, or off? */
const isSwitched = (old: Properties, inputs: Properties, on: boolean): boolean =>
  itemsOf(inputs.networkDevices).some(
    ({ firewall }, index) =>
      firewall === on && itemsOf(old.networkDevices)[index]?.firewall === !on,
  );

/** What is open afterwards and was not before. */
function findAdded(change: Change, open: (inputs: Properties) => string[]): string[] | undefined {
  // What is imported is open already.
  if (change.action === "delete" || change.action === "import") return undefined;
  const before = new Set(open(change.old));
  const found = open(change.new).filter((one) => !before.has(one));
  return found.length > 0 ? found : undefined;
}

const openingsIn = ({ rules }: Properties): Item[] =>
  itemsOf(rules).filter(
    ({ type, action, enabled }) => type === "in" && action === "ACCEPT" && enabled !== false,
  );

/** Openings that none of the others covers, in words. */
export function findUncovered(all: readonly Item[], others: readonly Item[]): Details {
  const found = all.filter((one) => !others.some((other) => covers(other, one)));
  return found.length > 0 ? found.map(openingText) : undefined;
}

const openingText = ({ proto, dport, source }: Item): string =>
  `${asWord(proto, "any")} ${asWord(dport, "any port")} from ${asWord(source, "anywhere")}`;

/** Does the first let in whatever the second does? */
function covers(outer: Item, inner: Item): boolean {
  const [from, within] = [asWord(outer.source, ""), asWord(inner.source, "")];
  if (asWord(outer.proto, "") !== asWord(inner.proto, "")) return false;
  if (!holdsPorts(asWord(outer.dport, ""), asWord(inner.dport, ""))) return false;
  if (from === "" || from === within) return true;
  return isNetworkText(from) && isNetworkText(within) && contains(from, within);
}

/** Are ports, such as 443 or 8000:8010, among others? Without any, all are. */
function holdsPorts(outer: string, inner: string): boolean {
  const [low, high] = rangeOf({ port: outer || undefined });
  const [from, to] = rangeOf({ port: inner || undefined });
  return outer === inner || (low <= from && to <= high);
}

/** The provider's default; the state of an imported VM does not have it. */
const DEFAULT_BRIDGE = "vmbr0";

/** Bridge and VLAN of a NIC, in words. */
export const placeOf = ({ bridge, vlanId }: Item): string =>
  `${asWord(bridge, DEFAULT_BRIDGE)}, ${vlanId ? `VLAN ${asWord(vlanId, "")}` : "no VLAN"}`;

/** Where the first NIC moves, if it does. The label `changes-nics` is about the others. */
function findMoved(was: Item | undefined, now: Item | undefined): Details {
  if (!was || !now || placeOf(was) === placeOf(now)) return undefined;
  return [`net0: ${placeOf(was)} → ${placeOf(now)}`];
}

function showPort({ external, internal, ip, protocol }: Item): string {
  return `${asWord(protocol, "tcp")} ${asWord(external ?? internal, "a free port")} on ${asWord(ip, "0.0.0.0")}`;
}
