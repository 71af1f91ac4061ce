/** The stand-in for the Portainer agent, as an image. */
import * as fs from "node:fs";
import * as path from "node:path";

import { withScratch } from "../../clients/scratch";
import { buildGo } from "../lib/run";
import { writeLayout } from "./layout";

/** The program's Go module; the image's cache key is its content. */
const AGENT_SOURCE = path.join(__dirname, "agent");

/** The stand-in's version is in its program; the tag repeats it. */
const readVersion = (): string => {
  const source = fs.readFileSync(path.join(AGENT_SOURCE, "main.go"), "utf8");
  return /^const version = "([^"]+)"$/m.exec(source)?.[1] ?? "standin";
};

/** Builds the program and wraps it into an image with nothing else in it. */
export async function buildAgentImage(layout: string): Promise<void> {
  await withScratch("agent", async (temporary) => {
    const program = path.join(temporary, "agent");
    await buildGo(AGENT_SOURCE, ".", program);
    await writeLayout(layout, {
      repository: "portainer/agent",
      tag: readVersion(),
      files: [{ path: "app/agent", mode: 0o755, content: fs.readFileSync(program) }],
      config: {
        Entrypoint: ["./agent"],
        WorkingDir: "/app",
        ExposedPorts: { "9001/tcp": {} },
        Labels: {
          "org.opencontainers.image.description":
            "Lab stand-in for the Portainer agent: its health check and the list of containers. Not Portainer software.",
          "org.opencontainers.image.version": readVersion(),
        },
      },
    });
  });
}
