/**
 * The lab's package mirror, a process of its own on loopback:
 *
 *   mirror.ts --port N --files DIR --docker DIR --cache DIR --debian URL --debian-security URL
 *
 * It passes the two Debian archives through a cache and serves the lab's files and its copy of Docker's
 * repository. Its standard output is the access log.
 */
import { parseArgs } from "node:util";

import { createMirror } from "./mirror/server";

function main(): void {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      ...{ port: text, files: text, docker: text, cache: text },
      ...{ debian: text, "debian-security": text },
    },
  });
  const { port, files, docker, cache, debian, "debian-security": security } = values;
  if (!port || !files || !docker || !cache || !debian || !security) {
    throw new Error("each of the options above is required");
  }
  const server = createMirror({
    files,
    docker,
    cache,
    upstreams: { debian, "debian-security": security },
    access: (line) => {
      console.log(line);
    },
  });
  server.listen(Number(port), "127.0.0.1");
  process.once("SIGTERM", () => process.exit(0));
}

main();
