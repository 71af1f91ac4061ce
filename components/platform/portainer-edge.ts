import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { PortainerConfig } from "../../config/schema";

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
): Pick<docker.ContainerArgs, "uploads"> & { envs: pulumi.Input<string>[] } {
  if (!edge) return { envs: [] };
  const content = environment?.caCertificate;
  const envs = [
    "EDGE=1",
    pulumi.secret(pulumi.interpolate`EDGE_ID=${edge.id}`),
    pulumi.secret(pulumi.interpolate`EDGE_KEY=${edge.key}`),
    ...(declared?.insecurePoll ? ["EDGE_INSECURE_POLL=1"] : []),
    ...(content ? [`${AUTHORITY.variable}=${AUTHORITY.file}`] : []),
  ];
  return { envs, uploads: content ? [{ file: AUTHORITY.file, content }] : undefined };
}
