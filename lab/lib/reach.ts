/** Ways from this machine to the node that runs in the lab. */
import { request } from "node:http";
import * as path from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { loadSettings } from "../../config/load";
import { sshOptions } from "../../config/node";
import { labConfig } from "./config";
import { startService, type Log } from "./service";
import type { Lab } from "./services";
import type { NodeFacts } from "./summary";

/** ssh arguments before the command. The host key is pinned. */
export function sshTarget(lab: Lab, nodes: NodeFacts): string[] {
  const [[name, outputs] = []] = Object.entries(nodes);
  const { nodes: settings } = loadSettings(labConfig(lab) as never);
  const node = settings[name ?? ""];
  if (!node?.ssh.endpoint || !outputs) throw new Error("no node is up; run: npm run lab -- up");
  const { host, port } = node.ssh.endpoint;
  return [...sshOptions(node, outputs.hostKey), "-p", String(port), `${node.ssh.user}@${host}`];
}

/** Forwards the node's Docker to a local socket, so that any client can use it without an ssh configuration. */
export async function openDockerSocket(lab: Lab, nodes: NodeFacts, log: Log): Promise<string> {
  const { stateDir, runDir } = lab.instance;
  const socketPath = path.join(runDir, "docker.sock");
  const options = ["ExitOnForwardFailure=yes", "StreamLocalBindUnlink=yes"];
  const forward = [
    "-N",
    ...options.flatMap((o) => ["-o", o]),
    "-L",
    `${socketPath}:/var/run/docker.sock`,
  ];
  const args = [...forward, ...sshTarget(lab, nodes)];
  const isReady = (): Promise<boolean> => canPing(socketPath);
  const spec = {
    name: "docker-socket",
    command: "ssh",
    args,
    stateDir,
    ready: isReady,
    timeoutMs: 60_000,
  };
  await startService(spec, log);
  return socketPath;
}

function canPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: "/_ping", timeout: 10_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.on("error", () => {
      resolve(false);
    });
    asked.end();
  });
}

/** Nodes as the stack describes them; none before the first `up`. */
export async function readNodes(stack: Stack): Promise<NodeFacts> {
  return ((await stack.outputs()).nodes?.value as NodeFacts | undefined) ?? {};
}
