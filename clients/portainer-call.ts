/** One request to Portainer. */
import type { RequestOptions } from "node:https";
import { readAuthorities } from "./authorities";
import { send, type HttpAnswer } from "./http";
import { connectPinned } from "./network";
import { problem } from "./portainer-answers";

/** Where Portainer is, how its certificate is checked, and the token to use. */
export interface Access {
  /** `https://host:port`, and a path where it has one; `http:` where there is no certificate. */
  readonly url: string;
  readonly apiKey: string;
  /** SHA-256 of its certificate: no other is accepted. */
  readonly fingerprint?: string;
  /** PEM of the only accepted authority. Default: the authorities that this machine trusts. */
  readonly caCertificate?: string;
  /** Milliseconds a request may take; default: 60 000, since Portainer asks the agent meanwhile. */
  readonly patience?: number;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Access by PORTAINER_URL, PORTAINER_API_KEY, PORTAINER_FINGERPRINT and PORTAINER_CA; the latter two are optional.
 * @throws Error when one of the former two is not set, or the URL is none
 */
export function accessFrom(variables: Variables): Access {
  const { PORTAINER_URL: url, PORTAINER_API_KEY: apiKey } = variables;
  if (!url || !apiKey) throw new Error("PORTAINER_URL and PORTAINER_API_KEY are not set");
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new Error(`PORTAINER_URL: ${url}; allowed: a URL, https://host:port`);
  const { PORTAINER_FINGERPRINT: fingerprint, PORTAINER_CA: caCertificate } = variables;
  return { url, apiKey, fingerprint, caCertificate };
}

/** An answer other than 2xx, or none: then `status` is 0. */
export class PortainerError extends Error {
  override readonly name = "PortainerError";

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What a request carries, with its media type. */
export interface Body {
  readonly type: string;
  readonly bytes: Buffer;
}

/** A request. Its path is below `/api`. */
export type Question = [
  method: "GET" | "POST" | "PUT" | "DELETE",
  path: string,
  body?: Body | Promise<Body>,
];

/** A 2xx answer; it is not parsed yet. */
export interface Answer {
  readonly body: string;
}

/** @throws PortainerError */
export async function call(access: Access, ...[method, path, body]: Question): Promise<Answer> {
  const url = new URL(`${access.url.replace(/\/+$/, "")}/api${path}`);
  const { patience = 60_000, apiKey } = access;
  const content = await body;
  const headers = {
    "X-API-Key": apiKey,
    ...(content ? { "Content-Type": content.type, "Content-Length": content.bytes.length } : {}),
  };
  try {
    const signal = AbortSignal.timeout(patience);
    const options = { method, headers, signal, ...(await trust(access, url, patience)) };
    return readBody(await send(url, options, content?.bytes));
  } catch (error) {
    if (error instanceof PortainerError) throw error;
    throw new PortainerError(0, `${access.url} cannot be reached: ${reasonOf(error, patience)}`);
  }
}

/** A pinned certificate needs no authority. It is checked before anything is sent. */
async function trust(access: Access, url: URL, patience: number): Promise<RequestOptions> {
  const { fingerprint, caCertificate } = access;
  if (!fingerprint) return { ca: caCertificate ? [caCertificate] : readAuthorities() };
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const socket = await connectPinned(
    { host, port: Number(url.port || 443), fingerprint },
    patience,
  );
  return { createConnection: () => socket };
}

function readBody({ status, body }: HttpAnswer): Answer {
  if (status >= 200 && status < 300) return { body };
  throw new PortainerError(status, `Portainer answers ${status}: ${messageIn(status, body)}`);
}

/** Portainer's errors are JSON (libhttp, error.go). A proxy in front of it may answer in any form. */
function messageIn(code: number, body: string): string {
  if (code === 401) return "the API key is not accepted";
  if (code === 403) return "the API key is not an administrator's";
  try {
    const { message, details } = problem.parse(JSON.parse(body));
    return [message, details].filter((text) => text !== "").join(": ") || "no reason given";
  } catch {
    return (body.trim().split("\n")[0] ?? "").slice(0, 200) || "no reason given";
  }
}

/** The time limit, or the reason that the connection gave; a refused connection may give a list of them (AggregateError). */
function reasonOf(error: unknown, patience: number): string {
  const { name = "", message = "", code = "" } = error as Partial<NodeJS.ErrnoException>;
  if (/^(Abort|Timeout)Error$/.test(name)) return `no answer within ${patience / 1000} s`;
  return message || code || String(error);
}
