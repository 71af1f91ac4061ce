import { createHash } from "node:crypto";
import type * as command from "@pulumi/command";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { PortainerConfig } from "../../config/schema";
import { nameResource, PART } from "../../config/names";
import { OWN_FOLDER } from "../../config/node-paths";
import { bind } from "../../node/steps";
import { runNodeScript, type NodeScriptArgs } from "../docker/node-script";

/** What an agent reaches Portainer with. Both are secret: whoever has them is the agent. */
export interface EdgeKey {
  /** The agent's own name, `EDGE_ID`. */
  id: pulumi.Output<string>;
  /** `EDGE_KEY`. */
  key: pulumi.Output<string>;
}

/** Reads them from what the command of the environment printed. */
export function edgeKeyIn(printed: pulumi.Output<Printed>): EdgeKey {
  const read = (part: "id" | "key") =>
    pulumi.secret(printed.apply(({ edge }) => edge?.[part] ?? ""));
  return { id: read("id"), key: read("key") };
}

/** What the command of an environment prints (commands/portainer/main.ts). */
export interface Printed {
  readonly id: number;
  readonly edge?: { readonly id: string; readonly key: string };
}

/** Where the agent finds the only authority that it trusts: Go reads this variable (crypto/x509, root_unix.go). */
const AUTHORITY = { variable: "SSL_CERT_FILE", file: "/portainer-ca.pem" };

/** Arguments of the container of an agent that reaches Portainer (portainer/agent, os/options.go); none without a key. */
export function edgeArgs(
  { edge: declared, environment }: PortainerConfig,
  edge?: EdgeKey,
): Pick<docker.ContainerArgs, "mounts"> & { envs: pulumi.Input<string>[] } {
  if (!edge) return { envs: [] };
  const source = environment?.caCertificate && fileOf(environment.caCertificate);
  const envs = [
    "EDGE=1",
    pulumi.secret(pulumi.interpolate`EDGE_ID=${edge.id}`),
    pulumi.secret(pulumi.interpolate`EDGE_KEY=${edge.key}`),
    ...(declared?.insecurePoll ? ["EDGE_INSECURE_POLL=1"] : []),
    ...(source ? [`${AUTHORITY.variable}=${AUTHORITY.file}`] : []),
  ];
  const mount = { type: "bind", source, target: AUTHORITY.file, readOnly: true };
  return { envs, mounts: source ? [mount] : undefined };
}

/** Where the node has the certificate. By its content, so that another one makes another container: the agent reads it once. */
const fileOf = (certificate: string): string =>
  `${OWN_FOLDER}/authorities/${createHash("sha256").update(certificate).digest("hex").slice(0, 16)}.pem`;

/** Writes the authority of an agent that reaches Portainer where its container mounts it; nothing for other agents. */
export function writeAuthority(
  name: string,
  { environment }: PortainerConfig,
  { edge, ...at }: Pick<NodeScriptArgs, "connection" | "machine" | "repairs"> & { edge?: EdgeKey },
  parent: pulumi.Resource,
): command.remote.Command[] {
  const certificate = environment?.caCertificate;
  if (!edge || !certificate) return [];
  const given = { AUTHORITY: certificate, FILE: fileOf(certificate) };
  const step = { ...bind("agent-authority", given, 180, { wait: 1800 }), ...at };
  return [runNodeScript(nameResource(name, PART.authority), step, { parent })];
}
