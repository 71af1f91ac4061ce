/** Agents that reach Portainer, as its API has them: the environment's key, and an agent's questions. There is no tunnel. */
import type { IncomingHttpHeaders } from "node:http";
import { Refusal, type Environment, type Store } from "./store";

/** `EdgeAgentOnDockerEnvironment` (portainer/api, portainer.go); the number of its creation is the same. */
export const EDGE = 4;

/** Seconds between two questions unless the environment says otherwise (portainer.go). */
const INTERVAL = 5;

const TUNNEL = { port: 8000, fingerprint: "00:no:tunnel" };

/** The host in a URL, which must lead somewhere (internal/edge/url.go). */
function hostIn(url: string): string {
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  if (host && host !== "localhost") return host;
  throw new Refusal(400, "Unable to parse host", "cannot use localhost as environment URL");
}

/** Makes an environment without asking anybody (endpoint_create.go, chisel/key.go). */
export function createEdge(
  store: Store,
  { url, ...given }: Pick<Environment, "Name" | "GroupId" | "TagIds"> & { url: string },
  interval: number,
): Environment {
  const URL = hostIn(url);
  const made = store.add({
    ...{ ...given, URL, Type: EDGE, TLSConfig: { TLS: false, TLSSkipVerify: false } },
    ...{ EdgeID: "", EdgeCheckinInterval: interval, LastCheckInDate: 0 },
  });
  const parts = [url, `${URL}:${TUNNEL.port}`, TUNNEL.fingerprint, made.Id];
  made.EdgeKey = Buffer.from(parts.join("|")).toString("base64").replace(/=+$/, "");
  return made;
}

const headerOf = (headers: IncomingHttpHeaders, name: string): string =>
  String(headers[name] ?? "");

const refuseAgent = (details: string): Refusal => {
  const message = "Permission denied to access environment. The device has not been trusted yet";
  return new Refusal(403, message, details);
};

/** Answers an agent: the first one to ask gives its name, and no other may ask afterwards (bouncer.go, endpointedge). */
export function answerAgent(store: Store, id: number, headers: IncomingHttpHeaders): object {
  const found = store.environments.find(({ Id, Type }) => Id === id && Type === EDGE);
  const edgeId = headerOf(headers, "x-portaineragent-edgeid");
  if (!found) throw refuseAgent("unable to retrieve endpoint");
  if (!edgeId) throw refuseAgent("missing Edge identifier");
  if (found.EdgeID && found.EdgeID !== edgeId) throw refuseAgent("invalid Edge identifier");
  if (headerOf(headers, "portainer-agent-platform") !== "1")
    throw new Refusal(400, "agent platform header is not valid");
  found.EdgeID = edgeId;
  found.LastCheckInDate = readClock();
  return { status: "IDLE", port: 0, checkin: intervalOf(found), schedules: [], stacks: [] };
}

const readClock = (): number => Math.floor(Date.now() / 1000);
const intervalOf = ({ EdgeCheckinInterval }: Environment): number =>
  EdgeCheckinInterval || INTERVAL;

/** An environment as it is listed (internal/endpointutils, UpdateEdgeEndpointHeartbeat). */
export function withHeartbeat(one: Environment): Environment {
  if (one.Type !== EDGE) return one;
  const age = readClock() - (one.LastCheckInDate ?? 0);
  return { ...one, Heartbeat: age <= 2 * intervalOf(one) + 20 };
}

/** Nothing is seen of a node whose agent has never asked, and here not of the others either (proxy_docker.go). */
export function refuseView({ EdgeID }: Environment): Refusal {
  if (!EdgeID)
    return new Refusal(500, "No Edge agent registered with the environment", "No agent available");
  return new Refusal(500, "Unable to get the active tunnel", "the stand-in has no tunnels");
}
