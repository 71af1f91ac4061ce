/** Environments of the stand-in for Portainer: how they are listed, made and changed. */
import { EDGE, createEdge, withHeartbeat } from "./edge";
import { Refusal, type Environment, type Store } from "./store";

/** The agents, as this server reaches them. */
export interface Agents {
  /** Checks that an agent answers there and accepts the server's secret. Returns why not. */
  check(url: string): Promise<"no answer" | "wrong secret" | undefined>;
  /** Docker's own answer to a path such as `/containers/json?all=1`. */
  docker(url: string, path: string): Promise<string>;
}

/** A request, taken apart. */
export interface Asked {
  readonly method: string;
  /** Below `/api`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly type: string;
  readonly body: Buffer;
}

/** An answer: a status with a value, or with text that is JSON already. */
export interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

/** `start` counts from 1, and 0 is 1 too; no `limit` is all (endpoint_list.go). */
export function listEnvironments({ environments }: Store, query: URLSearchParams): Answer {
  const from = Math.max(Number(query.get("start") ?? 0) - 1, 0);
  const limit = Number(query.get("limit") ?? 0) || environments.length;
  const total = String(environments.length);
  const page = environments.slice(from, from + limit).map(withHeartbeat);
  return { json: page, headers: { "X-Total-Count": total } };
}

/** The fields of a form without files. */
export function formOf({ type, body }: Asked): Map<string, string> {
  const [, boundary] = /^multipart\/form-data; *boundary="?([^";]+)/.exec(type) ?? [];
  if (!boundary) throw refuseInvalid("request Content-Type isn't multipart/form-data");
  const parts = body.toString().split(`--${boundary}`);
  const fields = parts.flatMap((part) => {
    const [, name, value] = /name="([^"]+)"\r\n\r\n([^]*)\r\n$/.exec(part) ?? [];
    return name !== undefined && value !== undefined ? [[name, value] as const] : [];
  });
  return new Map(fields);
}

const refuseInvalid = (details: string): Refusal =>
  new Refusal(400, "Invalid request payload", details);

/** As endpoint_create.go: without TLS an agent is stored as a plain Docker, and TLS that verifies wants files. */
export async function createEnvironment(
  store: Store,
  agents: Agents,
  form: ReadonlyMap<string, string>,
): Promise<Environment> {
  const fieldOf = (name: string): string => form.get(name) ?? "";
  const [Name, URL, tls] = [fieldOf("Name"), fieldOf("URL"), fieldOf("TLS") === "true"];
  if (!Name) throw refuseInvalid("Invalid environment name");
  const kind = Number(fieldOf("EndpointCreationType"));
  if (kind !== 2 && kind !== EDGE) throw refuseInvalid("the stand-in makes agents only");
  for (const skip of tls ? ["TLSSkipVerify", "TLSSkipClientVerify"] : [])
    if (fieldOf(skip) !== "true") throw refuseInvalid(`Invalid certificate file (${skip})`);
  const [GroupId, TagIds] = [Number(fieldOf("GroupID") || 1), tagsIn(fieldOf("TagIds"))];
  store.refuseName(Name);
  if (kind === 2) await contactAgent(agents, URL);
  store.requireLabels(GroupId, TagIds);
  const interval = Number(fieldOf("EdgeCheckinInterval"));
  if (kind === EDGE) return createEdge(store, { Name, url: URL, GroupId, TagIds }, interval);
  const TLSConfig = { TLS: tls, TLSSkipVerify: tls };
  return store.add({ Name, URL, Type: tls ? 2 : 1, GroupId, TagIds, TLSConfig });
}

const tagsIn = (text: string): number[] => JSON.parse(text || "[]") as number[];

/** Portainer first asks for the platform, then makes a snapshot, which needs the signature. */
async function contactAgent(agents: Agents, url: string): Promise<void> {
  const failed = await agents.check(url);
  if (failed === "no answer") throw new Refusal(500, "Unable to get environment type", failed);
  if (!failed) return;
  const paired = "agent already paired with another Portainer instance";
  throw new Refusal(500, "Unable to initiate communications with environment", paired);
}

/** Fields that endpoint_update.go accepts. A missing or null field stays as it is. */
export interface Changes {
  readonly Name?: string | null;
  readonly URL?: string | null;
  readonly GroupID?: number | null;
  readonly TagIDs?: number[] | null;
  readonly EdgeCheckinInterval?: number | null;
}

export function updateEnvironment(
  store: Store,
  id: number,
  { Name, URL, GroupID, TagIDs, EdgeCheckinInterval }: Changes,
): Environment {
  const found = store.findEnvironment(id);
  if (Name) store.refuseName(Name, id);
  store.requireLabels(GroupID ?? found.GroupId, TagIDs ?? found.TagIds);
  return Object.assign(found, {
    Name: Name ?? found.Name,
    URL: URL ?? found.URL,
    GroupId: GroupID ?? found.GroupId,
    TagIds: TagIDs ?? found.TagIds,
    ...(found.Type === EDGE && {
      EdgeCheckinInterval: EdgeCheckinInterval ?? found.EdgeCheckinInterval,
    }),
  });
}
