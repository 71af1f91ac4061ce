/** Portainer's API, by an access token: an administrator's for what changes something. */
import type { z } from "zod";
import { isBefore } from "../config/checks/daemon/versions";
import { parseJson } from "./answer";
import {
  containers,
  environment,
  environments as listed,
  group,
  groups,
  status,
  tag,
  tags,
  type Environment,
} from "./portainer-answers";
import { call, type Access, type Answer, type Body, type Question } from "./portainer-call";
import { isInRange } from "./versions";

/** Whether two URLs are of one agent: people leave the scheme out, and Portainer keeps what they write. */
export const sameUrl = (one: string, other: string): boolean =>
  withoutScheme(one) === withoutScheme(other);
const withoutScheme = (url: string): string => url.replace(/^\w+:\/\//, "").replace(/\/+$/, "");

/**
 * Releases that can talk to Docker 29, which refuses API versions below 1.44 (portainer#12934): the long-term release from
 * 2.33.5 on, and all others from 2.36 on.
 */
const FOR_DOCKER_29 = ">=2.33.5 <2.34 || >=2.36";

/** Says why a release of Portainer cannot manage a release of Docker. Undefined if it can. */
export function findMisfit(docker: string, version: string): string | undefined {
  if (isBefore(docker, "29") || isInRange(version, FOR_DOCKER_29)) return undefined;
  return `Portainer is ${version}; Docker ${docker} needs 2.33.5 or later of 2.33, or 2.36 or later`;
}

/** A group or a tag of environments. */
export interface Label {
  readonly id: number;
  readonly name: string;
}

/** Values to set on an environment. A missing field stays as it is. */
export interface Details {
  readonly name: string;
  /** The agent's, `tcp://host:port`. */
  readonly url: string;
  readonly groupId?: number;
  readonly tagIds?: readonly number[];
}

/** The kinds of labels, with their paths. */
export const LABELS = { group: "/endpoint_groups", tag: "/tags" } as const;
export type Kind = keyof typeof LABELS;

export interface Portainer {
  /** Its release, such as `2.33.5`. It needs no token. */
  version(): Promise<string>;
  /** All environments the token may see: an administrator's sees every one. */
  environments(): Promise<readonly Environment[]>;
  /**
   * Ids of all containers that Portainer sees behind an agent.
   * @throws Error also when no environment has the agent
   */
  containers(agent: string): Promise<readonly string[]>;
  /** Makes the environment of an agent; Portainer asks the agent meanwhile. */
  create(details: Details): Promise<Environment>;
  update(id: number, details: Details): Promise<Environment>;
  remove(id: number): Promise<void>;
  labels(kind: Kind): Promise<readonly Label[]>;
  createLabel(kind: Kind, name: string): Promise<Label>;
  removeLabel(kind: Kind, id: number): Promise<void>;
}

/** Environments in one page. */
const PAGE = 100;

/** An agent makes a new certificate at every start, so Portainer cannot verify it. */
const AGENT_TLS = { TLS: true, TLSSkipVerify: true, TLSSkipClientVerify: true };

/** Portainer behind an URL. Every method throws PortainerError, or AnswerError where an answer has another shape. */
export function connect(access: Access): Portainer {
  const ask: Ask = async (schema, ...what) =>
    parseJson(schema, (await call(access, ...what)).body, `${what[0]} ${what[1]} of Portainer`);
  const discard = async (path: string): Promise<void> => {
    await call(access, "DELETE", path);
  };
  const listEnvironments = (): Promise<Environment[]> =>
    readAllPages((from) => call(access, "GET", pagePath(from)));
  return {
    version: async () => (await ask(status, "GET", "/system/status")).Version,
    environments: listEnvironments,
    containers: async (agent) =>
      listContainers(environmentOf(await listEnvironments(), agent), ask),
    create: (details) => ask(environment, "POST", "/endpoints", makeForm(details)),
    update: (id, details) =>
      ask(environment, "PUT", `/endpoints/${id}`, toJson(changeBody(details))),
    remove: (id) => discard(`/endpoints/${id}`),
    labels: (kind) => readLabels(kind, ask),
    createLabel: (kind, name) => createLabel(kind, name, ask),
    removeLabel: (kind, id) => discard(`${LABELS[kind]}/${id}`),
  };
}

/** Asks, and checks the answer. */
type Ask = <T extends z.ZodType>(schema: T, ...what: Question) => Promise<z.output<T>>;

async function readLabels(kind: Kind, ask: Ask): Promise<Label[]> {
  if (kind === "group")
    return (await ask(groups, "GET", LABELS.group)).map(({ Id: id, Name: name }) => ({ id, name }));
  return (await ask(tags, "GET", LABELS.tag)).map(({ ID: id, Name: name }) => ({ id, name }));
}

async function createLabel(kind: Kind, name: string, ask: Ask): Promise<Label> {
  const body = toJson({ Name: name });
  if (kind === "tag") return { id: (await ask(tag, "POST", LABELS.tag, body)).ID, name };
  return { id: (await ask(group, "POST", LABELS.group, body)).Id, name };
}

async function listContainers({ Id }: Environment, ask: Ask): Promise<string[]> {
  const all = await ask(containers, "GET", `/endpoints/${Id}/docker/containers/json?all=true`);
  return all.map(({ Id: id }) => id);
}

function environmentOf(all: readonly Environment[], agent: string): Environment {
  const found = all.find(({ URL: url }) => sameUrl(url, agent));
  if (found) return found;
  throw new Error(`Portainer has no environment with the agent ${withoutScheme(agent)}`);
}

const pagePath = (from: number): string =>
  `/endpoints?start=${from}&limit=${PAGE}&excludeSnapshots=true`;

/** Portainer counts from 1. A page that is not full, or brings nothing new, is the last one. */
async function readAllPages(read: (from: number) => Promise<Answer>): Promise<Environment[]> {
  const found = new Map<number, Environment>();
  for (;;) {
    const before = found.size;
    const { body } = await read(before + 1);
    const some = parseJson(listed, body, "GET /endpoints of Portainer");
    for (const one of some) found.set(one.Id, one);
    if (some.length < PAGE || found.size === before) return [...found.values()];
  }
}

const toJson = (value: object): Body => ({
  type: "application/json",
  bytes: Buffer.from(JSON.stringify(value)),
});

function changeBody({ name, url, groupId, tagIds }: Details): object {
  return { Name: name, URL: url, GroupID: groupId, TagIDs: tagIds, ...AGENT_TLS };
}

/** `EndpointCreationType` 2 is an agent; group 1 is "Unassigned". */
async function makeForm({ name, url, groupId = 1, tagIds = [] }: Details): Promise<Body> {
  const fields = { Name: name, URL: url, EndpointCreationType: 2, GroupID: groupId, ...AGENT_TLS };
  const data = new FormData();
  for (const [key, value] of Object.entries(fields)) data.set(key, String(value));
  data.set("TagIds", JSON.stringify(tagIds));
  const encoded = new Response(data);
  const type = encoded.headers.get("content-type") ?? "";
  return { type, bytes: Buffer.from(await encoded.arrayBuffer()) };
}
