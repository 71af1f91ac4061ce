/* What the stack itself says: Pulumi hands its configuration, decrypted, to the process that judges. */
import * as pulumi from "@pulumi/pulumi";
import { waiversSchema, type Waiver } from "../config/schema/waivers";
import { isTelling } from "../config/secrets";
import { SETTINGS, namesIn } from "../config/stack-keys";
import { waives } from "../config/waivers/check";
import { daysLeft } from "../config/waivers/days";
import type { Finding } from "./rules/finding";

const NAMESPACE = "docker-node";

/** Waivers that still hold, of `docker-node:waivers`; another stack that builds on a node may have its own there. */
export function readWaivers(now = new Date()): Waiver[] {
  const declared = new pulumi.Config(NAMESPACE).getObject("waivers") ?? [];
  return waiversSchema.parse(declared).filter((waiver) => daysLeft(waiver, now) >= 0);
}

/** Names of the nodes that the stack declares; none in a stack that builds on nodes of another. */
export function readNodeNames(): string[] {
  return Object.keys(new pulumi.Config(NAMESPACE).getObject<object>("nodes") ?? {});
}

/** Values of the stack's secrets: every key that is no setting. Of a Proxmox token also the part that is secret. */
export function readSecretValues(
  values: Readonly<Record<string, string>> = pulumi.runtime.allConfig(),
): string[] {
  const settings: readonly string[] = SETTINGS;
  return namesIn(NAMESPACE, Object.keys(values))
    .filter((name) => !settings.includes(name))
    .map((name) => values[`${NAMESPACE}:${name}`] ?? "")
    .flatMap((value) => [value, /^\S+!\S+=(\S+)$/.exec(value)?.[1] ?? value])
    .filter(isTelling);
}

/** What is left of findings when the waivers are put to them, in the words of a message. */
export function withoutWaiver(
  findings: readonly Finding[],
  about: { readonly node?: string; readonly container?: string },
  waivers: readonly Waiver[],
): string[] {
  return findings
    .filter(({ waiver: id }) => !id || !waivers.some((one) => waives(one, { id, ...about })))
    .map(({ what, waiver }) => (waiver ? `${what}; or a waiver with id ${waiver}` : what));
}
