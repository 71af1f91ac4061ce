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

/**
 * Sends a request and reads the answer as text, whatever its status.
 * @param options as Node takes them; with `timeout`, a connection that is silent for so many milliseconds ends with ETIMEDOUT;
 *   without it, it may be silent for ever
 * @throws Error when there is no whole answer; its `code` is the system's
 */
export function send(
  url: URL,
  options: RequestOptions,
  content?: string | Buffer,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === "http:" ? requestPlain : request;
    // Without one, Node's own agent ends a connection after five silent seconds.
    const sent = start(url, { ...options, timeout: options.timeout ?? 0 }, (answer) => {
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
