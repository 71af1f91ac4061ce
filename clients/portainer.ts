/** The part of Portainer's API that says what Portainer sees of a node. */
import { z } from "zod";
import { parseAnswer } from "./answer";

/** What Portainer sees. */
export interface Portainer {
  /**
   * Ids of all containers of the environment with this agent.
   * @throws Error when there is none, or Portainer does not answer
   */
  containers(agent: string): Promise<readonly string[]>;
}

const environments = z.array(z.looseObject({ Id: z.number(), URL: z.string() }));
const containers = z.array(z.looseObject({ Id: z.string() }));

const ANSWER_LIMIT_MS = 60_000;

/**
 * Portainer, by PORTAINER_URL and PORTAINER_API_KEY. NODE_EXTRA_CA_CERTS names a self-signed certificate.
 * @throws Error when one of them is not set
 */
export function portainerFrom(environment: NodeJS.ProcessEnv): Portainer {
  const { PORTAINER_URL: url, PORTAINER_API_KEY: key } = environment;
  if (!url || !key) throw new Error("PORTAINER_URL and PORTAINER_API_KEY are not set");
  const get = (path: string): Promise<unknown> => ask(url.replace(/\/$/, ""), path, key);
  return {
    containers: async (agent) => {
      const found = parseAnswer(environments, await get("/api/endpoints"), "GET /api/endpoints");
      const one = found.find(({ URL: address }) => hostOf(address) === hostOf(agent));
      if (!one) throw new Error(`Portainer has no environment with the agent ${hostOf(agent)}`);
      const path = `/api/endpoints/${one.Id}/docker/containers/json?all=true`;
      return parseAnswer(containers, await get(path), `GET ${path}`).map(({ Id }) => Id);
    },
  };
}

/** Portainer writes `tcp://address:port`, or the address and port alone. */
const hostOf = (url: string): string => url.replace(/^\w+:\/\//, "").replace(/\/$/, "");

async function ask(url: string, path: string, key: string): Promise<unknown> {
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
  const answer = await fetch(url + path, { signal, headers: { "X-API-Key": key } }).catch(
    (error: unknown) => {
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? cause.message : message;
      throw new Error(`Portainer does not answer at ${url}: ${why}`);
    },
  );
  if (!answer.ok) throw new Error(`Portainer: GET ${path}: status ${answer.status}`);
  return answer.json();
}
