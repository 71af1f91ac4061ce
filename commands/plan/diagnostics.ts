/** Messages of Pulumi, of providers and of the program. */
import { stripVTControlCharacters } from "node:util";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { nameOf } from "../../clients/pulumi/urn";
import type { Diagnostic } from "./model";
import { makeExplainer } from "./protection";

type Severity = Diagnostic["severity"];

/** Pulumi says it of each such resource. It is left out, because the plan marks them as `uncertain`. */
const PROVIDER_UNKNOWN = "The provider for this resource has inputs that are not known";

/**
 * Warnings and errors, each text once. Debug messages are left out before they are looked at: the
 * CLI writes decrypted secrets into them.
 */
export function diagnosticsOf(events: readonly EngineEvent[]): Diagnostic[] {
  const found = new Map<string, { severity: Severity; resources: Set<string> }>();
  const explain = makeExplainer(events);
  for (const { severity, text, urn } of events.flatMap(messagesOf)) {
    const message = explain(withoutColours(text));
    if (message === "" || message.startsWith(PROVIDER_UNKNOWN)) continue;
    const entry = found.get(message) ?? { severity, resources: new Set<string>() };
    if (urn) entry.resources.add(nameOf(urn));
    found.set(message, entry);
  }
  const all = [...found].map(([message, { severity, resources }]) => ({
    severity,
    message,
    resources: [...resources],
  }));
  return withoutRepetition(all);
}

interface Message {
  readonly severity: Severity;
  readonly text: string;
  readonly urn?: string;
}

function messagesOf({ diagnosticEvent, policyEvent }: EngineEvent): Message[] {
  if (policyEvent) {
    const { enforcementLevel, policyPackName, policyName, message, resourceUrn } = policyEvent;
    const severity = enforcementLevel === "mandatory" ? "error" : "warning";
    return [{ severity, text: `${policyPackName}/${policyName}: ${message}`, urn: resourceUrn }];
  }
  if (!diagnosticEvent || !isWorthSaying(diagnosticEvent.severity)) return [];
  const { severity, message, urn } = diagnosticEvent;
  return [{ severity, text: message, urn }];
}

/** The language host says an error of the program twice, once with a prefix. */
function withoutRepetition(all: readonly Diagnostic[]): Diagnostic[] {
  const messages = all.map(({ message }) => message);
  return all.filter(
    ({ message }) => !messages.some((other) => message === `Unhandled exception: ${other}`),
  );
}

const isWorthSaying = (severity: string): severity is Severity =>
  severity === "warning" || severity === "error";

/** Removes colours: Pulumi's directives, and the codes of terminals. */
function withoutColours(text: string): string {
  return stripVTControlCharacters(text.replace(/<\{%.*?%\}>/g, "")).trim();
}
