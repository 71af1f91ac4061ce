/** Requests to the upstream archive. */
import * as http from "node:http";
import * as https from "node:https";

/** Silence longer than this counts as "unreachable". */
const IDLE_MS = 20_000;
const REDIRECTS = 3;

const agents = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 8 }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 8 }),
};

/** Why the upstream could not give a file. */
export class UpstreamError extends Error {
  constructor(url: URL, reason: string) {
    super(`${url.href}: ${reason}`);
  }
}

/** One request, without following anything. */
async function ask(url: URL, headers: http.OutgoingHttpHeaders): Promise<http.IncomingMessage> {
  const secure = url.protocol === "https:";
  const agent = secure ? agents["https:"] : agents["http:"];
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).get(url, { agent, headers }, resolve);
    request.setTimeout(IDLE_MS, () => {
      request.destroy(new Error(`no data for ${IDLE_MS / 1000} s`));
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      reject(new UpstreamError(url, error.message || error.code || "connection failed"));
    });
  });
}

/** The address a response redirects to, if it stays on the same host. */
function redirectionOf(from: URL, response: http.IncomingMessage): URL | undefined {
  const status = response.statusCode ?? 0;
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  const to = new URL(response.headers.location ?? "", from);
  if (to.host !== from.host || !/^https?:$/.test(to.protocol)) {
    throw new UpstreamError(from, `redirects to another host (${to.host}), which is not followed`);
  }
  return to;
}

/** GET with redirects followed on the same host only. The caller consumes or destroys the body. */
export async function get(
  base: string,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<http.IncomingMessage> {
  let url = new URL(`${base}/${path.split("/").map(encodeURIComponent).join("/")}`);
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    const response = await ask(url, {
      "User-Agent": "docker-node-lab-mirror",
      "Accept-Encoding": "identity",
      ...headers,
    });
    const status = response.statusCode ?? 0;
    if (status === 200 || status === 304) return response;
    response.resume();
    const next = redirectionOf(url, response);
    if (!next) return response;
    url = next;
  }
  throw new UpstreamError(url, "too many redirects");
}
