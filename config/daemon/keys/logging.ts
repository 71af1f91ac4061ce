import { z } from "zod";
import { LOG_DRIVERS, explainNoDriver } from "../log-drivers";
import { reloads, restarts } from "../key";
import { isPair, stringMap } from "../values";

const RESERVED = /^(com\.docker|io\.docker|org\.dockerproject)\./i;

const label = z
  .string()
  .refine(isPair, { error: "key=value" })
  .refine((text) => !RESERVED.test(text), {
    error: "another name: com.docker, io.docker and org.dockerproject are Docker's own",
  });

const logDriver = z.string().refine((name) => LOG_DRIVERS.has(name), {
  error: ({ input }) => explainNoDriver(String(input)),
});

/** host:port, as Go's net.Listen accepts it. */
const listenAddress = z.string().refine(
  (text) => {
    const port = /^(?:[\w.-]*|\[[\da-fA-F:]+\]):(\d{1,5})$/.exec(text)?.[1];
    return port !== undefined && Number(port) >= 1 && Number(port) <= 65535;
  },
  { error: "address:port, such as 127.0.0.1:9323" },
);

/** Keys about logs of containers, dockerd's own log, metrics and labels. */
export const LOGGING_KEYS = {
  debug: reloads(z.boolean(), "dockerd logs more."),
  experimental: restarts(z.boolean(), "Experimental features."),
  labels: reloads(z.array(label), "Labels of the daemon, `key=value`."),
  "log-driver": restarts(
    logDriver,
    `Where logs of containers go: ${[...LOG_DRIVERS.keys()].join(", ")}.`,
  ),
  "log-format": restarts(z.enum(["text", "json"]), "dockerd's own log.", { since: "25.0" }),
  "log-level": restarts(
    z.enum(["trace", "debug", "info", "warn", "error", "fatal", "panic"]),
    "dockerd's own log.",
  ),
  "log-opts": restarts(stringMap, "Options of the log driver; values are text, numbers too."),
  "metrics-addr": restarts(listenAddress, "Where Prometheus reads dockerd's metrics."),
  "min-api-version": restarts(
    // dockerd does not start with a newer one than its own, which `--validate` does not look at (NewVersionMiddleware in moby).
    z.string().regex(/^1\.(2[4-9]|[34]\d|5[0-2])$/, {
      error: "a version of the API from 1.24 to 1.52, the one of Docker 29.0, such as 1.41",
    }),
    "Oldest version of the API that a client may use. The Portainer agent and the backup container have to use this one or a newer one.",
    { since: "29.0" },
  ),
  "raw-logs": restarts(z.boolean(), "dockerd's own log without colours."),
} as const;
