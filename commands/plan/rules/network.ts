/** Rules about what can be reached: firewall, published ports, Docker networks. */
import type { Change, Properties, Value } from "../model";
import type { Details, Rule } from "./rule";

const RULES = "proxmoxve:firewall/rulesLegacy:RulesLegacy";
const OPTIONS = "proxmoxve:firewall/optionsLegacy:OptionsLegacy";
const VM = "proxmoxve:index/vmLegacy:VmLegacy";
const CONTAINER = "docker:index/container:Container";
const NETWORK = "docker:index/network:Network";

type Item = Record<string, Value>;

const OPENS = {
  label: "opens-port",
  severity: "caution",
  explanation: "The node can be reached where it could not before.",
} as const;

export const FIREWALL_RULES: readonly Rule[] = [
  {
    ...OPENS,
    applies: (change: Change): Details =>
      change.type === RULES
        ? added(change, (inputs) => items(inputs.rules).flatMap(accepted))
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
      const on = items(old.networkDevices).some(({ firewall }) => firewall === true);
      const off = items(inputs.networkDevices).some(({ firewall }) => firewall === false);
      return on && off ? ["the firewall of the NIC is switched off"] : undefined;
    },
  },
];

export const PORT_RULES: readonly Rule[] = [
  {
    ...OPENS,
    applies: (change: Change): Details =>
      change.type === CONTAINER
        ? added(change, (inputs) => items(inputs.ports).map(published))
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

/** What is open afterwards and was not before. */
function added(change: Change, open: (inputs: Properties) => string[]): string[] | undefined {
  // What is imported is open already.
  if (change.action === "delete" || change.action === "import") return undefined;
  const before = new Set(open(change.old));
  const found = open(change.new).filter((one) => !before.has(one));
  return found.length > 0 ? found : undefined;
}

function accepted({ type, action, enabled, proto, dport, source }: Item): string[] {
  if (type !== "in" || action !== "ACCEPT" || enabled === false) return [];
  return [`${word(proto, "any")} ${word(dport, "any port")} from ${word(source, "anywhere")}`];
}

function published({ external, internal, ip, protocol }: Item): string {
  return `${word(protocol, "tcp")} ${word(external ?? internal, "a free port")} on ${word(ip, "0.0.0.0")}`;
}

function items(value: Value | undefined): Item[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (item): item is Item => typeof item === "object" && item !== null && !Array.isArray(item),
  );
}

const word = (value: Value | undefined, otherwise: string): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : otherwise;
