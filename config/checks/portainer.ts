import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** The agent with the next secret listens beside the other one. */
export function checkNextAgent({ portainer }: NodeConfig, report: Report): void {
  const { port, next } = portainer?.agent ?? {};
  if (next && next.port === port)
    report("portainer/agent/next/port", port, "another port than portainer.agent.port");
}

/** An agent that reaches Portainer has a key for it, an address to go to, and a way to know Portainer's certificate. */
export function checkEdge(node: NodeConfig, report: Report): void {
  const { edge, environment } = node.portainer ?? {};
  if (!edge) return;
  if (!environment) {
    report("portainer/edge", edge, "needs portainer.environment, which makes its key");
    return;
  }
  const { fingerprint, caCertificate } = environment;
  const url = edge.url ?? environment.url;
  // Portainer refuses it too (portainer/api, internal/edge/url.go).
  if (new URL(url).hostname === "localhost")
    report("portainer/edge/url", url, "a URL that leads the node to Portainer");
  if (edge.insecurePoll && caCertificate)
    report("portainer/edge/insecurePoll", true, "false with environment.caCertificate");
  if (!edge.insecurePoll && fingerprint)
    report(
      "portainer/environment/fingerprint",
      fingerprint,
      "caCertificate with portainer.edge: an agent cannot know a certificate by its fingerprint; or edge.insecurePoll",
    );
}
