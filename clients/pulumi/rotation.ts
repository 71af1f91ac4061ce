/** The rotation of the agents' secret, compared with what the state has of it. */
import type * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import type { Known } from "./known";

/**
 * Refuses to give the first agent another secret and to take the second agent away in one `up`: firewalls close the port of the second
 * one before the first one has its secret, so Portainer would reach neither of them meanwhile.
 * @throws ConfigError that names the nodes
 */
export async function refuseHaste(
  { nodes }: Settings,
  known: Readonly<Record<string, Pick<Known, "recorded">>>,
  agentSecret?: pulumi.Output<string>,
): Promise<void> {
  if (!agentSecret) return;
  const secret = await new Promise<string>((resolve) => void agentSecret.apply(resolve));
  const problems = Object.entries(nodes).flatMap(([name, { portainer }]) => {
    const before = known[name]?.recorded.rotatedSecret;
    if (before === undefined || before === secret || !portainer || portainer.agent.next) return [];
    return [
      {
        path: ["nodes", name, "portainer", "agent", "next"],
        value: undefined,
        found: "gone, and agentSecret has changed",
        allowed:
          "next, until an up has given the first agent its new secret (docs/how-to/register-in-portainer.md#rotate-the-agent-secret)",
      },
    ];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
