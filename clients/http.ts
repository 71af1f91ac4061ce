/** One HTTP request to its whole answer; each client says what the answer means. */
import { request as requestPlain, type IncomingHttpHeaders } from "node:http";
import { request, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";

/** What a server answered. */
export interface HttpAnswer {
  readonly status: number;
  /** The words after the status. */
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Limit of a request that names none. Without it Node's shared agent would give up after 5 s (lib/_http_agent.js). */
const PATIENCE_MS = 60_000;

/**
 * Sends a request and reads the answer as text, whatever its status.
 * @param options as Node takes them; a connection that is silent for `timeout` milliseconds ends with ETIMEDOUT, default: a minute
 * @throws Error when there is no whole answer; its `code` is the system's
 */
export function send(
  url: URL,
  options: RequestOptions,
  content?: string | Buffer,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === "http:" ? requestPlain : request;
    const sent = start(url, { timeout: PATIENCE_MS, ...options }, (answer) => {
      const { statusCode: status = 0, statusMessage: reason = "", headers } = answer;
      text(answer).then((body) => {
        resolve({ status, reason, headers, body });
      }, reject);
    });
    sent.on("timeout", () => {
      sent.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" }));
    });
    sent.on("error", reject);
    sent.end(content);
  });
}
