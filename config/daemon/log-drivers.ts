import {
  allowAnything,
  allowBytes,
  allowDuration,
  allowEndpoint,
  allowFlag,
  allowOneOf,
  allowOnlyWith,
  allowSocketOr,
  allowWhole,
  type LogOptions,
  type Rule,
} from "./log-options";
import { allowExpression, allowTag } from "./log-templates";

/** A log driver that comes with dockerd. */
interface LogDriver {
  readonly options: Readonly<Record<string, Rule>>;
  /** Options without which dockerd does not start. */
  readonly required?: readonly string[];
}

type Rules = Readonly<Record<string, Rule>>;

/** Options of every driver (moby daemon/logger/factory.go and loggerutils/cache). */
const EVERY: Rules = {
  mode: allowOneOf("blocking", "non-blocking"),
  "max-buffer-size": allowOnlyWith("mode", /^non-blocking$/, "mode is non-blocking", allowBytes),
  "cache-disabled": allowFlag,
  "cache-max-size": allowBytes,
  "cache-max-file": allowWhole(1),
  "cache-compress": allowFlag,
};

const TAG: Rules = { tag: allowTag };

/** Options that add attributes of the container to each line (logger.Info.ExtraAttributes). */
const ATTRIBUTES: Rules = {
  labels: allowAnything,
  "labels-regex": allowExpression,
  env: allowAnything,
  "env-regex": allowExpression,
};

const FILES: Rules = { "max-size": allowBytes, "max-file": allowWhole(1), compress: allowFlag };

const FACILITIES =
  "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 local1 local2 local3 local4 local5 local6 local7";

const SYSLOG: Rules = {
  "syslog-address": allowSocketOr(
    ["unix", "unixgram"],
    allowEndpoint(["udp", "tcp", "tcp+tls"], false),
  ),
  "syslog-facility": (value, options) =>
    allowWhole(0, 23)(value, options) && allowOneOf(...FACILITIES.split(" "))(value, options),
  "syslog-format": allowOneOf("", "rfc3164", "rfc5424", "rfc5424micro"),
  "syslog-tls-ca-cert": allowAnything,
  "syslog-tls-cert": allowAnything,
  "syslog-tls-key": allowAnything,
  "syslog-tls-skip-verify": allowAnything,
};

const allowOverUdp = (rule: Rule): Rule =>
  allowOnlyWith("gelf-address", /^udp:/, "gelf-address is udp", rule);
const allowOverTcp = (rule: Rule): Rule =>
  allowOnlyWith("gelf-address", /^tcp:/, "gelf-address is tcp", rule);

const GELF: Rules = {
  "gelf-address": allowEndpoint(["udp", "tcp"], true),
  "gelf-compression-type": allowOverUdp(allowOneOf("gzip", "zlib", "none")),
  "gelf-compression-level": allowOverUdp(allowWhole(-1, 9)),
  "gelf-tcp-max-reconnect": allowOverTcp(allowWhole(0)),
  "gelf-tcp-reconnect-delay": allowOverTcp(allowWhole(0)),
};

const fluentdAddress: Rule = (value, options) => {
  const url = value.includes("://") ? value : `tcp://${value}`;
  return allowSocketOr(["unix"], allowEndpoint(["tcp", "tls"], false))(url, options);
};

const FLUENTD: Rules = {
  "fluentd-address": fluentdAddress,
  "fluentd-async": allowFlag,
  "fluentd-async-reconnect-interval": allowDuration,
  "fluentd-buffer-limit": allowBytes,
  "fluentd-max-retries": allowWhole(0, 2 ** 31 - 1),
  "fluentd-read-timeout": allowDuration,
  "fluentd-request-ack": allowFlag,
  "fluentd-retry-wait": allowDuration,
  "fluentd-sub-second-precision": allowFlag,
  "fluentd-write-timeout": allowDuration,
};

const AWSLOGS: Rules = {
  "awslogs-region": allowAnything,
  "awslogs-endpoint": allowAnything,
  "awslogs-group": allowAnything,
  "awslogs-stream": allowAnything,
  "awslogs-create-group": allowFlag,
  "awslogs-create-stream": allowFlag,
  "awslogs-datetime-format": (_, options) =>
    "awslogs-multiline-pattern" in options
      ? "leave it out with awslogs-multiline-pattern"
      : undefined,
  "awslogs-multiline-pattern": allowExpression,
  "awslogs-credentials-endpoint": allowAnything,
  "awslogs-force-flush-interval-seconds": allowWhole(1),
  "awslogs-max-buffered-events": allowWhole(1),
  "awslogs-format": allowOneOf("json/emf"),
};

const GCPLOGS: Rules = {
  "gcp-project": allowAnything,
  "gcp-log-cmd": allowAnything,
  "gcp-meta-zone": allowAnything,
  "gcp-meta-name": allowAnything,
  "gcp-meta-id": allowAnything,
};

const withEvery = (options: Rules, required?: readonly string[]): LogDriver => ({
  options: { ...EVERY, ...options },
  ...(required && { required }),
});

/** The drivers a node takes. */
export const LOG_DRIVERS: ReadonlyMap<string, LogDriver> = new Map([
  ["json-file", withEvery({ ...FILES, ...TAG, ...ATTRIBUTES })],
  ["local", withEvery({ ...FILES, ...TAG, ...ATTRIBUTES })],
  ["journald", withEvery({ ...TAG, ...ATTRIBUTES })],
  ["syslog", withEvery({ ...SYSLOG, ...TAG, ...ATTRIBUTES })],
  ["gelf", withEvery({ ...GELF, ...TAG, ...ATTRIBUTES }, ["gelf-address"])],
  ["fluentd", withEvery({ ...FLUENTD, ...TAG, ...ATTRIBUTES })],
  ["awslogs", withEvery({ ...AWSLOGS, ...TAG }, ["awslogs-group"])],
  ["gcplogs", withEvery({ ...GCPLOGS, ...ATTRIBUTES })],
  ["none", { options: {} }],
]);

const REFUSED: Readonly<Record<string, string>> = {
  splunk: "its token would stand in daemon.json, which everyone on the node can read",
  loki: "the program does not install this plugin; Loki's collectors accept gelf, fluentd, syslog and journald",
  etwlogs: "only on Windows",
  logentries: "removed in Docker 25",
};

/** Says which drivers are allowed, and why this one is not if the reason is known. */
export function explainNoDriver(name: string): string {
  const driver = name.replace(/^grafana\/loki-docker-driver.*$/, "loki").replace(/:[\w.-]+$/, "");
  const reason = REFUSED[driver];
  return `${[...LOG_DRIVERS.keys()].join(", ")}${reason ? `; not ${driver}: ${reason}` : ""}`;
}

/** A wrong option: its name, and what is allowed. */
export interface LogProblem {
  readonly option: string;
  readonly allowed: string;
}

/** Finds options with which dockerd, or the first container, would not start. */
export function logProblems(driver: string, options: LogOptions): LogProblem[] {
  const known = LOG_DRIVERS.get(driver);
  // dockerd does not check the options of `none` (ValidateLogOpts).
  if (!known || driver === "none") return [];
  const missing = (known.required ?? []).filter((option) => !options[option]);
  const wrong = Object.entries(options).flatMap(([option, value]) => {
    const rule = known.options[option];
    const allowed = rule
      ? rule(value, options)
      : `an option of log-driver ${driver}: ${Object.keys(known.options).join(", ")}`;
    return allowed ? [{ option, allowed }] : [];
  });
  const needed = missing.map((option) => ({ option, allowed: `a value: ${driver} needs it` }));
  return [...needed, ...wrong, ...checkRotation(driver, options)];
}

/** Compression needs rotated files. The driver `local` compresses by default. */
function checkRotation(driver: string, options: LogOptions): LogProblem[] {
  const compresses =
    driver === "local"
      ? !/^(0|f|false)$/i.test(options.compress ?? "true")
      : driver === "json-file" && /^(1|t|true)$/i.test(options.compress ?? "false");
  const files = Number(options["max-file"] ?? (driver === "local" ? 5 : 1));
  const turned = files > 1 && (driver === "local" || "max-size" in options);
  if (!compresses || turned) return [];
  const allowed = 'compress "false", or max-file "2" and more with a max-size';
  return [{ option: "compress" in options ? "compress" : "max-file", allowed }];
}
