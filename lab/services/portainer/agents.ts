/** The agents, as a Portainer reaches them: by TLS, at their node's port, with the path and the query that it was asked for itself. */
import { messageOf } from "../../../clients/failure";
import { send, type HttpAnswer } from "../../../clients/http";
import type { Agents } from "./environments";
import { Refusal } from "./store";

/** The first snapshot of an environment asks for all containers (docker/snapshot.go). */
const SNAPSHOT = "/containers/json?all=1";

/**
 * Agents at loopback ports. The stand-in of the agent takes the secret itself in place of a signature made with it.
 *
 * @param locate the port that leads to an agent, by the agent's URL
 * @param secrets what this Portainer shares with its agents; read anew for each request
 * @param patience milliseconds: where a firewall drops what is sent, nothing ever answers
 */
export function reachAgents(
  locate: (url: string) => number,
  secrets: { readonly agentSecret: string },
  patience = 30_000,
): Agents {
  // An agent's certificate is its own. Each request has a connection of its own: a firewall lets through what is open already.
  const ask = async (url: string, path: string): Promise<HttpAnswer> =>
    send(new URL(path, `https://127.0.0.1:${locate(url)}`), {
      ...{ rejectUnauthorized: false, agent: false, signal: AbortSignal.timeout(patience) },
      headers: { "X-Lab-Secret": secrets.agentSecret },
    });
  return {
    check: async (url) => {
      const { status } = await ask(url, SNAPSHOT).catch(() => ({ status: 0 }));
      if (status === 200) return undefined;
      return status === 403 ? "wrong secret" : "no answer";
    },
    docker: async (url, path) => {
      const { status, body } = await ask(url, path).catch(refuseProxy);
      return status === 200
        ? body
        : refuseProxy(new Error(`the agent answers ${status}: ${body.trim()}`));
    },
  };
}

/** As a reverse proxy in Go says that what is behind it did not answer. */
function refuseProxy(error: unknown): never {
  throw new Refusal(502, "Bad Gateway", messageOf(error));
}
