/** The stand-in of Portainer before a lab's nodes: it asks their stand-ins of agents, and shows what those say. */
import { forwardTo } from "../../lab/lib/forwards";
import { reachAgents } from "../../lab/services/portainer/agents";
import type { Settings } from "../../lab/services/portainer/server";
import { createPortainer } from "../../lab/services/portainer/server";
import type { Store } from "../../lab/services/portainer/store";
import { NETWORK, TLS_REGISTRY_PORT, type Lab } from "../../lab/lib/services";
import { close, selfSigned } from "../support/portainer";

export interface LabPortainer {
  readonly store: Store;
  /** As the workstation reaches it. */
  readonly url: string;
  /** As a node reaches it. */
  readonly nodeUrl: string;
  readonly caCertificate: string;
  readonly fingerprint: string;
  /** What it takes and gives; a test may change it while Portainer runs. */
  readonly secrets: { apiKey: string; agentSecret: string };
  close(): void;
}

/** The VM ids of nodes, by their address. */
type VmIds = Readonly<Record<string, number>>;

/**
 * Starts it at the port that the lab has for a test's service by TLS. Agents are asked through the lab's forwards: so the switch and
 * the firewall of the node see port01 ask.
 */
export async function startPortainer(
  { registryPorts, forwards }: Lab,
  vmIds: VmIds,
  secrets: LabPortainer["secrets"],
): Promise<LabPortainer> {
  const identity = selfSigned(["127.0.0.1", NETWORK.registry]);
  const locate = (agent: string): number => {
    const { hostname, port } = new URL(agent);
    const found = forwardTo(forwards, vmIds[hostname] ?? 0, Number(port));
    if (!found) throw new Error(`no port leads to ${agent}`);
    return found;
  };
  const settings: Settings = {
    ...{ ...identity, version: "2.39.1", agents: reachAgents(locate, secrets) },
    get apiKey() {
      return secrets.apiKey;
    },
  };
  const { server, store } = createPortainer(settings);
  const port = registryPorts.tls;
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    ...{ store, secrets, caCertificate: identity.cert, fingerprint: identity.fingerprint },
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
