/** The REST API of GitHub or GitLab, as far as the scripts beside this file need it. */
import { z } from "zod";
import { parseAnswer, parseJson } from "../../../clients/answer";
import { messageOf } from "../../../clients/failure";

export interface Api {
  /** One request; undefined for an answer without content, or for a 404 to a DELETE. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** All pages of a list. */
  list(path: string): Promise<unknown[]>;
}

const PAGE = 100;

/** An API below a URL, every request with these headers. */
export function makeApi(base: string, headers: Record<string, string>): Api {
  const call: Api["call"] = async (method, path, body) => {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (method === "DELETE" && answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return text === "" ? undefined : parseJson(z.unknown(), text, `${method} ${path}`);
  };
  const list: Api["list"] = async (path) => {
    const found: unknown[] = [];
    const query = `${path.includes("?") ? "&" : "?"}per_page=${PAGE}&page=`;
    for (let page = 1; found.length === (page - 1) * PAGE; page++) {
      const asked = `${path}${query}${page}`;
      found.push(...parseAnswer(z.array(z.unknown()), await call("GET", asked), `GET ${asked}`));
    }
    return found;
  };
  return { call, list };
}

/**
 * Lists things of one kind.
 * @throws AnswerError when one is not as the API's documentation says
 */
export async function listAll<T extends z.ZodType>(
  forge: Api,
  path: string,
  schema: T,
): Promise<z.output<T>[]> {
  return parseAnswer(z.array(schema), await forge.list(path), `GET ${path}`);
}

/** Reads a variable that the CI system sets. */
export function readVariable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** Reads the names of the stacks, which stacks.sh printed as JSON. */
export const readStacks = (): string[] =>
  parseJson(z.array(z.string()), readVariable("STACKS"), "STACKS");

/** Runs a script to its end. Its result becomes the exit status. */
export function run(main: () => Promise<number>): void {
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.stderr.write(`${messageOf(error)}\n`);
      process.exitCode = 1;
    },
  );
}
