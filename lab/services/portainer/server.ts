/**
 * A stand-in for the API of a Portainer server, as far as environments, groups, tags and the list of containers go. It is
 * no Portainer software: it follows the published API description and the handlers in portainer/api/http/handler.
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { EDGE, answerAgent, createEdge, refuseView, withHeartbeat } from "./edge";
import { Refusal, Store, type Environment } from "./store";

/** The agents, as this server reaches them. */
export interface Agents {
  /** Checks that an agent answers there and accepts the server's secret. Returns why not. */
  check(url: string): Promise<"no answer" | "wrong secret" | undefined>;
  /** Docker's own answer to a path such as `/containers/json?all=1`. */
  docker(url: string, path: string): Promise<string>;
}

export interface Settings {
  readonly key: string;
  readonly cert: string;
  readonly apiKey: string;
  readonly version: string;
  readonly agents: Agents;
}

/** A request, taken apart. */
interface Asked {
  readonly method: string;
  /** Below `/api`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly type: string;
  readonly body: Buffer;
}

/** An answer: a status with a value, or with text that is JSON already. */
interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

/** The server and what it keeps. */
export function createPortainer(settings: Settings): { server: Server; store: Store } {
  const store = new Store();
  const { key, cert } = settings;
  const server = createServer({ key, cert }, (request, response) => {
    void answer(settings, store, request)
      .catch(refuse)
      .then((it) => {
        write(response, it);
      });
  });
  return { server, store };
}

function refuse(error: unknown): Answer {
  if (!(error instanceof Refusal)) return refuse(new Refusal(500, String(error)));
  return { status: error.status, json: { message: error.message, details: error.details } };
}

function write(response: ServerResponse, { status = 200, json, text, headers }: Answer): void {
  const type =
    json === undefined && text === undefined ? {} : { "Content-Type": "application/json" };
  response.writeHead(status, { ...type, ...headers });
  response.end(text ?? (json === undefined ? undefined : JSON.stringify(json)));
}

async function answer(settings: Settings, store: Store, request: IncomingMessage): Promise<Answer> {
  const url = new URL(request.url ?? "/", "https://portainer");
  const path = url.pathname.replace(/^\/api/, "");
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  if (path === "/system/status") return { json: { Version: settings.version, InstanceID: "lab" } };
  const [, agent] = /^\/endpoints\/(\d+)\/edge\/status$/.exec(path) ?? [];
  if (agent) return { json: answerAgent(store, Number(agent), request.headers) };
  if (!isKey(settings.apiKey, String(request.headers["x-api-key"])))
    throw new Refusal(401, "A valid authorization token is missing", "Unauthorized");
  const { method = "GET", headers } = request;
  const type = headers["content-type"] ?? "";
  return route(settings, store, {
    ...{ method, path, query: url.searchParams, type },
    body: Buffer.concat(parts),
  });
}

function isKey(known: string, given: string): boolean {
  const [a, b] = [Buffer.from(known), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What answers a method of a path, whose number is `:id`. */
type Route = (asked: Asked, id: number, store: Store, agents: Agents) => unknown;

const nameIn = ({ body }: Asked): string =>
  String((JSON.parse(body.toString()) as { Name?: string }).Name);

const ROUTES: Readonly<Record<string, Route>> = {
  "POST /endpoints": (asked, _, store, agents) => createEnvironment(store, agents, formOf(asked)),
  "PUT /endpoints/:id": ({ body }, id, store) =>
    updateEnvironment(store, id, JSON.parse(body.toString()) as Changes),
  "DELETE /endpoints/:id": (_, id, store) => {
    store.removeEnvironment(id);
  },
  "GET /endpoint_groups": (_, __, store) => store.groups,
  "POST /endpoint_groups": (asked, _, store) => store.addGroup(nameIn(asked)),
  "DELETE /endpoint_groups/:id": (_, id, store) => {
    store.removeGroup(id);
  },
  "GET /tags": (_, __, store) => store.tags,
  "POST /tags": (asked, _, store) => store.addTag(nameIn(asked)),
  "DELETE /tags/:id": (_, id, store) => {
    store.removeTag(id);
  },
};

async function route({ agents }: Settings, store: Store, asked: Asked): Promise<Answer> {
  const { method, path, query } = asked;
  if (`${method} ${path}` === "GET /endpoints") return listEnvironments(store, query);
  const [, number = "", rest] = /^\/\w+\/(\d+)(?:\/docker(\/.*))?$/.exec(path) ?? [];
  const id = Number(number);
  if (method === "GET" && rest)
    return { text: await proxy(store.findEnvironment(id), agents, rest, query) };
  const answers = ROUTES[`${method} ${path.replace(/\/\d+$/, "/:id")}`];
  if (!answers) throw new Refusal(404, "the stand-in has no such path", `${method} ${path}`);
  const json = await answers(asked, id, store, agents);
  return json === undefined ? { status: 204 } : { json };
}

/** `start` counts from 1, and 0 is 1 too; no `limit` is all (endpoint_list.go). */
function listEnvironments({ environments }: Store, query: URLSearchParams): Answer {
  const from = Math.max(Number(query.get("start") ?? 0) - 1, 0);
  const limit = Number(query.get("limit") ?? 0) || environments.length;
  const total = String(environments.length);
  const page = environments.slice(from, from + limit).map(withHeartbeat);
  return { json: page, headers: { "X-Total-Count": total } };
}

/** The fields of a form without files. */
function formOf({ type, body }: Asked): Map<string, string> {
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
async function createEnvironment(
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
interface Changes {
  readonly Name?: string | null;
  readonly URL?: string | null;
  readonly GroupID?: number | null;
  readonly TagIDs?: number[] | null;
  readonly EdgeCheckinInterval?: number | null;
}

function updateEnvironment(
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

/** `/endpoints/<id>/docker/…` is Docker's API, through the agent. */
function proxy(
  environment: Environment,
  agents: Agents,
  path: string,
  query: URLSearchParams,
): Promise<string> {
  if (environment.Type === EDGE) throw refuseView(environment);
  const { URL: url } = environment;
  const text = query.toString();
  return agents.docker(url, text ? `${path}?${text}` : path);
}
