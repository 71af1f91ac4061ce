/** The stand-in of Portainer before a lab's nodes: it asks their stand-ins of agents, and shows what those say. */
import type { Agents } from "../../lab/services/portainer/environments";
import type { Settings } from "../../lab/services/portainer/server";
import { createPortainer } from "../../lab/services/portainer/server";
import type { Store } from "../../lab/services/portainer/store";
import { NETWORK, TLS_REGISTRY_PORT, type Lab } from "../../lab/lib/services";
import { close, selfSigned } from "../support/portainer";
import type { Shell } from "./support";

export interface LabPortainer {
  readonly store: Store;
  /** As the workstation reaches it. */
  readonly url: string;
  /** As a node reaches it. */
  readonly nodeUrl: string;
  readonly caCertificate: string;
  /** What it takes and gives; a test may change it while Portainer runs. */
  readonly secrets: { apiKey: string; agentSecret: string };
  close(): void;
}

/** The node of an agent, by the agent's URL. */
export type NodeOf = (url: string) => Shell;

/** Starts it at the port that the lab has for a test's service by TLS. Agents are asked on their node, by their address. */
export async function startPortainer(
  { registryPorts }: Lab,
  nodeOf: NodeOf,
  secrets: LabPortainer["secrets"],
): Promise<LabPortainer> {
  const identity = selfSigned(["127.0.0.1", NETWORK.registry]);
  const settings: Settings = {
    ...{ ...identity, version: "2.39.1", agents: agentsOn(nodeOf, secrets) },
    get apiKey() {
      return secrets.apiKey;
    },
  };
  const { server, store } = createPortainer(settings);
  const port = registryPorts.tls;
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    ...{ store, secrets, caCertificate: identity.cert },
    url: `https://127.0.0.1:${port}`,
    nodeUrl: `https://${NETWORK.registry}:${TLS_REGISTRY_PORT}`,
    close: () => {
      close(server);
    },
  };
}

/** How commands of docker-node reach it. */
export const accessTo = ({
  url,
  caCertificate,
  secrets,
}: LabPortainer): Record<string, string> => ({
  PORTAINER_URL: url,
  PORTAINER_API_KEY: secrets.apiKey,
  PORTAINER_CA: caCertificate,
});

/** The stand-in of the agent takes the secret itself in place of a signature made with it. */
function agentsOn(nodeOf: NodeOf, secrets: LabPortainer["secrets"]): Agents {
  const read = (url: string, path: string): Promise<string> => {
    const at = url.replace(/^tcp:/, "https:");
    const header = `printf 'X-Lab-Secret: %s' '${secrets.agentSecret}'`;
    return nodeOf(url).root(
      `curl -sS -k -m 30 -o /dev/stdout -w '\\n%{http_code}' -H @<(${header}) ${at}${path} || echo 0`,
    );
  };
  const statusIn = (answer: string): string => answer.split("\n").at(-1) ?? "";
  return {
    check: async (url) => {
      const status = statusIn(await read(url, "/containers"));
      if (status === "200") return undefined;
      return status === "403" ? "wrong secret" : "no answer";
    },
    docker: async (url) => {
      const answer = await read(url, "/containers");
      if (statusIn(answer) !== "200") throw new Error(`the agent answers ${statusIn(answer)}`);
      return answer.slice(0, answer.lastIndexOf("\n"));
    },
  };
}
