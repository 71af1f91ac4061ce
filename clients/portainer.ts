/** Portainer's API, by an access token: an administrator's for what changes something. */
import type { z } from "zod";
import { isBefore } from "../config/checks/daemon/versions";
import { parseJson } from "./answer";
import {
  KINDS,
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
import { changeBody, makeForm, toJson, type Details } from "./portainer-body";
import { call, type Access, type Answer, type Question } from "./portainer-call";
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

/** What an environment is known by: the agent's URL, or its name where the agent reaches Portainer. */
export type Known = Readonly<Record<"url", string>> | Readonly<Record<"name", string>>;

/** The URL that an agent was told to reach Portainer at; undefined where it was told none. */
export const toldUrl = (key: string): string | undefined =>
  Buffer.from(key, "base64").toString().split("|")[0] || undefined;

/** The kinds of labels, with their paths. */
const LABELS = { group: "/endpoint_groups", tag: "/tags" } as const;
/** A kind of labels. */
export type Kind = keyof typeof LABELS;

/** What the program asks of Portainer, and changes in it. */
export interface Portainer {
  /** Its release, such as `2.33.5`. It needs no token. */
  version(): Promise<string>;
  /** All environments the token may see: an administrator's sees every one. */
  environments(): Promise<readonly Environment[]>;
  /** @throws Error also when there is no such environment */
  environment(known: Known): Promise<Environment>;
  /** Ids of all containers that Portainer sees in an environment. */
  containers(known: Known): Promise<readonly string[]>;
  /** Makes the environment of an agent; Portainer asks the agent meanwhile, unless that reaches Portainer. */
  create(details: Details): Promise<Environment>;
  /** Changes what is given, and leaves the rest. */
  update(id: number, details: Partial<Details>): Promise<Environment>;
  /** Removes an environment; its agent goes on running. */
  remove(id: number): Promise<void>;
  /** All groups, or all tags. */
  labels(kind: Kind): Promise<readonly Label[]>;
  /** Makes one, also where another has the same name. */
  createLabel(kind: Kind, name: string): Promise<Label>;
  /** Removes one. */
  removeLabel(kind: Kind, id: number): Promise<void>;
}

/** Environments in one page. */
const PAGE = 100;

/** Portainer behind a URL. Every method throws PortainerError, or AnswerError where an answer has another shape. */
export function connect(access: Access): Portainer {
  const ask: Ask = async (schema, ...what) =>
    parseJson(schema, (await call(access, ...what)).body, `${what[0]} ${what[1]} of Portainer`);
  const discard = (path: string): Promise<void> => discardAt(access, path);
  const listEnvironments = (): Promise<Environment[]> =>
    readAllPages((from) => call(access, "GET", pagePath(from)));
  return {
    version: async () => (await ask(status, "GET", "/system/status")).Version,
    environments: listEnvironments,
    environment: async (known) => findKnown(await listEnvironments(), known),
    containers: async (known) => listContainers(findKnown(await listEnvironments(), known), ask),
    create: (details) => ask(environment, "POST", "/endpoints", makeForm(details)),
    update: (id, details) =>
      ask(environment, "PUT", `/endpoints/${id}`, toJson(changeBody(details))),
    remove: (id) => discard(`/endpoints/${id}`),
    labels: (kind) => readLabels(kind, ask),
    createLabel: (kind, name) => createLabel(kind, name, ask),
    removeLabel: (kind, id) => discard(`${LABELS[kind]}/${id}`),
  };
}

async function discardAt(access: Access, path: string): Promise<void> {
  await call(access, "DELETE", path);
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

function findKnown(all: readonly Environment[], known: Known): Environment {
  const isKnown = (one: Environment): boolean =>
    "url" in known
      ? sameUrl(one.URL, known.url)
      : one.Name === known.name && one.Type === KINDS.edge;
  const found = all.find(isKnown);
  if (found) return found;
  const what =
    "url" in known ? `with the agent ${withoutScheme(known.url)}` : `called ${known.name}`;
  throw new Error(`Portainer has no environment ${what}`);
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
