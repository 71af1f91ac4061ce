/** Turns refusals to delete protected resources into words that say what to do. */
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { explainRefusal, REMOVAL_HOOK } from "../../config/removal";
import { NODE } from "../../config/resource-types";
import { nameOf, typeOf } from "../../clients/pulumi/urn";

/** Pulumi's own words (pkg/resource/deploy/step.go), for a state from before the program had a hook. */
const PROTECTED = /resource "([^"]+)" cannot be deleted\s+because it is protected/;
const HOOK = new RegExp(`^(Preview failed: )?before hook "${REMOVAL_HOOK}" failed: `);

/** A function that turns Pulumi's refusals into the two steps to take, and leaves other messages alone. */
export function makeExplainer(events: readonly EngineEvent[]): (message: string) => string {
  const steps = events.flatMap(({ resourcePreEvent }) => resourcePreEvent?.metadata ?? []);
  const nodes = steps.filter(({ urn, op }) => typeOf(urn) === NODE && op !== "delete");
  const names = nodes.map(({ urn }) => nameOf(urn));
  return (message) => {
    const urn = PROTECTED.exec(message)?.[1];
    if (!urn) return message.replace(HOOK, "");
    const oldInputs = steps.find((step) => step.urn === urn)?.old?.inputs;
    return explainRefusal({ name: nameOf(urn), type: typeOf(urn), oldInputs }, names);
  };
}
