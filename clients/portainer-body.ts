/** Bodies of requests to Portainer: what an environment is to be. */
import { KINDS } from "./portainer-answers";
import type { Body } from "./portainer-call";

/** Values to set on an environment. A missing field stays as it is. */
export interface Details {
  readonly name: string;
  /** The agent's, `tcp://host:port`; with `edge` Portainer's, as the agent reaches it. */
  readonly url: string;
  /** The agent reaches Portainer, and not the other way round. */
  readonly edge?: Edge;
  readonly groupId?: number;
  readonly tagIds?: readonly number[];
}

/** How an agent reaches Portainer. */
export interface Edge {
  /** Seconds between two polls; default: Portainer's setting. */
  readonly checkinSeconds?: number;
}

/** An agent makes a new certificate at every start, so Portainer cannot verify it. */
const AGENT_TLS = { TLS: true, TLSSkipVerify: true, TLSSkipClientVerify: true };

/** A body of JSON. */
export const toJson = (value: object): Body => ({
  type: "application/json",
  bytes: Buffer.from(JSON.stringify(value)),
});

/** The URL cannot be changed for an agent that reaches Portainer: it is Portainer's own. */
export function changeBody({ name, url, edge, groupId, tagIds }: Partial<Details>): object {
  const way = edge
    ? { EdgeCheckinInterval: edge.checkinSeconds ?? 0 }
    : { URL: url, ...(url && AGENT_TLS) };
  return { Name: name, GroupID: groupId, TagIDs: tagIds, ...way };
}

/** Where Portainer waits for the tunnels of agents unless it is told otherwise (`--tunnel-port`, cli/defaults.go). */
const TUNNEL_PORT = 8000;

const edgeFields = (url: string, { checkinSeconds = 0 }: Edge): object => ({
  EdgeCheckinInterval: checkinSeconds,
  // The Business Edition asks for it.
  EdgeTunnelServerAddress: `${new URL(url).hostname}:${TUNNEL_PORT}`,
});

/** `EndpointCreationType` has the numbers of `KINDS`; group 1 is "Unassigned". */
export async function makeForm({
  name,
  url,
  edge,
  groupId = 1,
  tagIds = [],
}: Details): Promise<Body> {
  const fields = {
    ...{ Name: name, URL: url, GroupID: groupId },
    EndpointCreationType: edge ? KINDS.edge : KINDS.agent,
    ...(edge ? edgeFields(url, edge) : AGENT_TLS),
  };
  const data = new FormData();
  for (const [key, value] of Object.entries(fields)) data.set(key, String(value));
  data.set("TagIds", JSON.stringify(tagIds));
  const encoded = new Response(data);
  const type = encoded.headers.get("content-type") ?? "";
  return { type, bytes: Buffer.from(await encoded.arrayBuffer()) };
}
