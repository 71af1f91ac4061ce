/** Asks a registry whether it answers, and whether it has an image (OCI distribution specification). */
import { z } from "zod";
import { DOCKER_HUB, HUB_SERVER } from "../config/registries";
import { parseJson } from "./answer";
import { readAuthorities } from "./authorities";
import { send } from "./http";

/** The parts of a pinned image. */
export interface ImageName {
  /** Registry, as the name has it; Docker Hub where it has none. */
  readonly host: string;
  readonly repository: string;
  readonly digest: string;
}

/** How a registry is asked. */
export interface Access {
  readonly host: string;
  readonly scheme: "http" | "https";
  readonly login?: { readonly username: string; readonly password: string };
  /** PEM of authorities to trust beside those of this machine. */
  readonly caCertificate?: string;
  /** Milliseconds that each request may take. */
  readonly patience: number;
}

/** What a registry answered. */
export interface Verdict {
  readonly status: number;
  /** Whether it asked for credentials. */
  readonly challenged: boolean;
}

/** The answer with a token: it has one of the two fields (distribution, token specification). */
const GRANT = z.object({ token: z.string().optional(), access_token: z.string().optional() });

const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** Takes `host/repository:tag@digest` apart, with Docker's defaults (distribution/reference, normalize.go). */
export function parseImage(image: string): ImageName {
  const [name = "", digest = ""] = image.split("@");
  const [first = "", ...rest] = name.replace(/:[^:/]+$/, "").split("/");
  const named = /[.:]|^localhost$/.test(first) && rest.length > 0;
  const path = named ? rest : [first, ...rest];
  const host = named ? first : DOCKER_HUB;
  const short = host === DOCKER_HUB && path.length === 1;
  return { host, repository: short ? `library/${path.join("/")}` : path.join("/"), digest };
}

/** Asks for the API's version, which every registry with a password protects ("Determining Support"). */
export function askRegistry(access: Access): Promise<Verdict> {
  return ask(access, "GET", "/v2/");
}

/** Asks for the image's manifest ("Checking if content exists"). */
export function askForImage({ repository, digest }: ImageName, access: Access): Promise<Verdict> {
  return ask(access, "HEAD", `/v2/${repository}/manifests/${digest}`, repository);
}

async function ask(
  access: Access,
  method: string,
  path: string,
  repository?: string,
): Promise<Verdict> {
  // Docker Hub's registry has another name than its images (normalize.go, `DefaultRegistryHost`).
  const host = access.host === DOCKER_HUB ? HUB_SERVER : access.host;
  const url = new URL(`${access.scheme}://${host}${path}`);
  const { status, challenge } = await call(access, url, method);
  if (status !== 401) return { status, challenged: false };
  const authorization = await answerTo(challenge, access, url, repository);
  if (authorization === undefined) return { status, challenged: true };
  return { status: (await call(access, url, method, authorization)).status, challenged: true };
}

/** The header that a challenge asks for; undefined when there is none, or no token is granted. */
async function answerTo(
  challenge: string,
  access: Access,
  url: URL,
  repository?: string,
): Promise<string | undefined> {
  if (/^basic /i.test(challenge)) return basicAuthorization(access, url);
  const realm = tokenUrl(challenge, repository);
  if (!realm) return undefined;
  const granted = await call(
    access,
    new URL(realm),
    "GET",
    basicAuthorization(access, new URL(realm)),
  );
  if (granted.status !== 200) return undefined;
  const { token, access_token: other } = parseJson(GRANT, granted.body, "the request for a token");
  return `Bearer ${token ?? other ?? ""}`;
}

/** Credentials, which never go to a URL that is less safe than the registry's. */
function basicAuthorization({ login, scheme }: Access, { protocol }: URL): string | undefined {
  if (!login || (scheme === "https" && protocol !== "https:")) return undefined;
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
}

interface Answer {
  readonly status: number;
  readonly challenge: string;
  readonly body: string;
}

async function call(
  access: Access,
  url: URL,
  method: string,
  authorization?: string,
): Promise<Answer> {
  const { caCertificate, patience } = access;
  const headers = { Accept: ACCEPT, ...(authorization && { Authorization: authorization }) };
  const ca = [...readAuthorities(), ...(caCertificate ? [caCertificate] : [])];
  const options = { method, headers, ca, signal: AbortSignal.timeout(patience) };
  const { status, headers: said, body } = await send(url, options);
  return { status, challenge: said["www-authenticate"] ?? "", body };
}

/** Returns the URL for a token, from a challenge such as `Bearer realm="…",service="…"`. */
export function tokenUrl(challenge: string, repository?: string): string | undefined {
  if (!/^bearer /i.test(challenge)) return undefined;
  const fields = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
  ) as Record<string, string | undefined>;
  if (!fields["realm"]) return undefined;
  const url = new URL(fields["realm"]);
  if (fields["service"]) url.searchParams.set("service", fields["service"]);
  const scope = fields["scope"] ?? (repository && `repository:${repository}:pull`);
  if (scope) url.searchParams.set("scope", scope);
  return url.href;
}
