/**
 * A stand-in for the API of a Portainer server, as far as environments, groups, tags and the list of containers go. It is
 * no Portainer software: it follows the published API description and the handlers in portainer/api/http/handler.
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { EDGE, answerAgent, refuseView } from "./edge";
import {
  createEnvironment,
  formOf,
  listEnvironments,
  updateEnvironment,
  type Agents,
  type Answer,
  type Asked,
  type Changes,
} from "./environments";
import { Refusal, Store, type Environment } from "./store";

export interface Settings {
  readonly key: string;
  readonly cert: string;
  readonly apiKey: string;
  readonly version: string;
  readonly agents: Agents;
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
