/** The Proxmox VE API: checks read each path once; recoveries also write. */
import type { RequestOptions } from "node:https";
import { z } from "zod";
import { parseAnswer, parseJson } from "./answer";
import { readTrusted } from "./authorities";
import { send, type HttpAnswer } from "./http";

/** The cluster, as checks read it. */
export interface Cluster {
  /** The `data` of an answer, not checked yet. @throws ClusterError */
  get(path: string): Promise<unknown>;
}

/** An answer other than 200, or none: then `status` is 0 and `code` says why. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";

  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
  ) {
    super(message);
  }
}

/** Where Proxmox VE is, and how to log in. */
export interface Access {
  /** `https://host:8006/` */
  readonly endpoint: string;
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** `user@realm!name=secret` */
  readonly apiToken: string;
  /** Milliseconds a request may take; default: 10 000. */
  readonly timeoutMs?: number;
}

/** The cluster behind an endpoint; every path is asked for once. */
export function connect(access: Access): Cluster {
  const asked = new Map<string, Promise<unknown>>();
  return {
    get: (path) => {
      const answer = asked.get(path) ?? call(access, "GET", path);
      asked.set(path, answer);
      return answer;
    },
  };
}

/**
 * Reads a path of the API and parses the answer.
 * @throws AnswerError if the answer has another shape
 */
export async function ask<T extends z.ZodType>(
  get: (path: string) => Promise<unknown>,
  path: string,
  schema: T,
): Promise<z.output<T>> {
  return parseAnswer(schema, await get(path), `GET ${path} of Proxmox VE`);
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

const hasBody = (method: Method): boolean => method === "POST" || method === "PUT";

/** One request. Parameters travel as a form, or in the query where a request has no body. */
export function call(
  access: Access,
  method: Method,
  path: string,
  parameters: Readonly<Record<string, string | number>> = {},
): Promise<unknown> {
  const url = new URL(`/api2/json${path}`, access.endpoint);
  const pairs = Object.entries(parameters).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  const form = new URLSearchParams(pairs).toString();
  if (!hasBody(method) && form) url.search = form;
  return send(url, optionsFor(access, method), hasBody(method) ? form : undefined).then(
    readData,
    (error: unknown) => {
      const { message, code } = error as NodeJS.ErrnoException;
      throw new ClusterError(0, message, code);
    },
  );
}

function optionsFor(access: Access, method: Method): RequestOptions {
  const content = { "Content-Type": "application/x-www-form-urlencoded" };
  return {
    method,
    headers: {
      Authorization: `PVEAPIToken=${access.apiToken}`,
      ...(hasBody(method) ? content : {}),
    },
    rejectUnauthorized: !access.insecure,
    ca: readTrusted(),
    timeout: access.timeoutMs ?? 10_000,
  };
}

function readData({ status, reason, body }: HttpAnswer): unknown {
  if (status !== 200) throw new ClusterError(status, reason);
  try {
    return parseJson(z.looseObject({ data: z.unknown() }), body, "the request").data;
  } catch {
    throw new ClusterError(status, "the answer does not come from a Proxmox VE API");
  }
}
