/**
 * What both resources share: how inputs are compared, and what a preview promises.
 *
 * Upstream is written with Pulumi's provider library for Go and takes these from its defaults:
 * - Outputs named like an input repeat it, secret where the input is. The others (`stdout`,
 *   `stderr`) are never secret by themselves, however secret the command: that takes
 *   `additionalSecretOutputs` (pulumi-command#134, #256, #401).
 * - A preview shows them as unknown for a creation, and for an update as soon as an input of the
 *   last state changed or is unknown; an input that is merely new does not count.
 */
import { randomBytes } from "node:crypto";
import type { Checked } from "./check";
import { checkInputs } from "./check";
import type { Operation } from "./operations";
import type { Shape } from "./schema";
import { diff, equal, hasUnknown, reveal, UNKNOWN } from "./values";
import type { Change, Props, Value } from "./values";

export interface Resource {
  shape: Shape;
  /** The outputs that are not inputs. */
  outputs: readonly string[];
  /** What the eight random digits of an id follow. */
  idPrefix(name: string): string;
  /** Checks beyond the types of inputs. */
  check?(checked: Checked): void;
  create(operation: Operation, inputs: Props): Promise<Props>;
  update(operation: Operation, state: Props, inputs: Props): Promise<Props>;
  delete?(operation: Operation, state: Props): Promise<void>;
}

export interface PropertyChange {
  change: Change;
  replace: boolean;
}

export function check(resource: Resource, inputs: Props): Checked {
  const checked = checkInputs(inputs, resource.shape);
  resource.check?.(checked);
  return checked;
}

/**
 * Any change of `triggers` replaces, any other updates. (Upstream's plugin itself says "replace"
 * only where `triggers` appears or disappears, and leaves its elements to the `replaceOnChanges`
 * its SDKs set: the outcome is the same.)
 */
export function diffInputs(before: Props, after: Props): Map<string, PropertyChange> {
  const entries = [...diff(before, after)].map(([path, change]): [string, PropertyChange] => [
    path,
    { change, replace: /^triggers\b/.test(path) },
  ]);
  return new Map(entries);
}

/** The inputs within a state, for a pulumi that does not send the old inputs. */
export function inputsOf(resource: Resource, state: Props): Props {
  const names = Object.keys(resource.shape.fields);
  return Object.fromEntries(Object.entries(state).filter(([name]) => names.includes(name)));
}

export function newId(resource: Resource, name: string): string {
  return resource.idPrefix(name) + randomBytes(4).toString("hex");
}

function withOutputs(resource: Resource, inputs: Props, value: (name: string) => Value): Props {
  return { ...inputs, ...Object.fromEntries(resource.outputs.map((name) => [name, value(name)])) };
}

export function previewCreate(resource: Resource, inputs: Props): Props {
  return withOutputs(resource, inputs, () => UNKNOWN);
}

export function previewUpdate(resource: Resource, state: Props, inputs: Props): Props {
  const changed = Object.keys(resource.shape.fields).some(
    (name) =>
      hasUnknown(inputs[name]) ||
      (name in state && !equal(state[name] ?? null, inputs[name] ?? null)),
  );
  return withOutputs(resource, inputs, (name) => (changed ? UNKNOWN : reveal(state[name] ?? "")));
}
