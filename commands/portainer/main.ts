/**
 * The program that the graph runs on the workstation for a node's environment in Portainer. Its input comes from
 * environment variables.
 */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { AnswerError, parseJson } from "../../clients/answer";
import { connect } from "../../clients/portainer";
import type { Environment } from "../../clients/portainer-answers";
import { PortainerError, accessFrom } from "../../clients/portainer-call";
import { ensure, remove } from "./environment";

/** `PORTAINER_ENVIRONMENT`, which components/platform/portainer-environment.ts writes. */
const wanted = z.object({
  name: z.string(),
  url: z.string(),
  through: z.string().optional(),
  group: z.string().optional(),
  tags: z.array(z.string()).optional(),
  edge: z.object({ checkinSeconds: z.int().optional() }).optional(),
  docker: z.string(),
});

/** What it prints, and what Pulumi gives back to it the next time. `edge`: what an agent reaches Portainer with. */
const printed = z.object({
  id: z.int(),
  name: z.string(),
  url: z.string(),
  edge: z.object({ id: z.string(), key: z.string() }).optional(),
});
type Printed = z.output<typeof printed>;

type Variables = Readonly<Record<string, string | undefined>>;

/** Output, errors and exit status. */
export interface Outcome {
  readonly code: 0 | 1;
  readonly stdout?: string;
  readonly stderr?: string;
}

/**
 * Runs one operation.
 *
 * @param operation `apply`, for a new environment and a changed one, or `remove`
 */
export async function runOperation(operation: string, variables: Variables): Promise<Outcome> {
  try {
    const last = variables["PULUMI_COMMAND_STDOUT"];
    const known = last ? parseJson(printed, last, "the operation before") : undefined;
    // Portainer's access is asked for last: removing what was never made needs none.
    if (operation === "remove")
      return { code: 0, stderr: known && (await remove(connect(accessFrom(variables)), known)) };
    const text = variables["PORTAINER_ENVIRONMENT"] ?? "";
    const environment = parseJson(wanted, text, "PORTAINER_ENVIRONMENT");
    const found = await ensure(connect(accessFrom(variables)), environment, known?.id);
    return { code: 0, stdout: JSON.stringify(toPrinted(environment, found, known)) };
  } catch (error) {
    return { code: 1, stderr: describeFailure(operation, error) };
  }
}

/**
 * An agent's name is the one that Portainer knows it by, else the one it had, else a new one: whoever asks first with a key and a
 * name is the agent from then on.
 */
function toPrinted(
  { name, url, edge }: z.output<typeof wanted>,
  { Id, URL, EdgeID, EdgeKey }: Environment,
  known?: Printed,
): Printed {
  if (!edge) return { id: Id, name, url };
  if (!EdgeKey) throw new AnswerError("Portainer gives no EdgeKey for the environment");
  const earlier = known?.id === Id ? known.edge?.id : undefined;
  const id = EdgeID || (earlier ?? randomUUID());
  return { id: Id, name, url: URL, edge: { id, key: EdgeKey } };
}

/** An error of this program shows its stack; an error of Portainer shows only its message. */
function describeFailure(operation: string, error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const known = error instanceof PortainerError || error instanceof AnswerError;
  const way =
    operation === "remove" && known
      ? "\nto remove the node without Portainer, see docs/how-to/register-in-portainer.md"
      : "";
  return `${error.message}${way}`;
}
