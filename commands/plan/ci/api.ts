/** The REST API of GitHub or GitLab, as far as the scripts beside this file need it. */
import { messageOf } from "../../../clients/failure";

export interface Api {
  /** One request; undefined for an answer without content, or for a 404 to a DELETE. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** All pages of a list. */
  list<T>(path: string): Promise<T[]>;
}

const PAGE = 100;

/** An API below a URL, every request with these headers. */
export function makeApi(base: string, headers: Record<string, string>): Api {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (method === "DELETE" && answer.status === 404) return undefined as T;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
  const list = async <T>(path: string): Promise<T[]> => {
    const found: T[] = [];
    const query = `${path.includes("?") ? "&" : "?"}per_page=${PAGE}&page=`;
    for (let page = 1; found.length === (page - 1) * PAGE; page++)
      found.push(...(await call<T[]>("GET", `${path}${query}${page}`)));
    return found;
  };
  return { call, list };
}

/** Reads a variable that the CI system sets. */
export function readVariable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

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
