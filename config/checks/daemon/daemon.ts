import { logProblems } from "../../daemon/log-drivers";
import type { NodeConfig } from "../../schema";
import type { Report } from "../report";
import { isBefore } from "./versions";

export function checkLogOptions({ engine: { daemon } }: NodeConfig, report: Report): void {
  const { "log-driver": driver = "json-file", "log-opts": options = {} } = daemon;
  for (const { option, allowed } of logProblems(driver, options))
    report(`engine/daemon/log-opts/${option}`, options[option], allowed);
}

/** GetConflictFreeLabels in moby daemon/config/config.go. */
export function checkLabels({ engine }: NodeConfig, report: Report): void {
  const values = new Map<string, string>();
  for (const [index, label] of (engine.daemon.labels ?? []).entries()) {
    const [key = "", ...rest] = label.split("=");
    const value = rest.join("=");
    const other = values.get(key);
    if (other !== undefined && other !== value)
      report(`engine/daemon/labels/${index}`, label, `one value for ${key}; ${other} is the other`);
    values.set(key, value);
  }
}

/** Names that came with Docker 28; before, dockerd passes over them in silence. */
const SPACES = ["reservedSpace", "maxUsedSpace", "minFreeSpace"] as const;
const DEFAULTS = ["defaultReservedSpace", "defaultMaxUsedSpace", "defaultMinFreeSpace"] as const;

export function checkBuilder({ engine }: NodeConfig, report: Report): void {
  const gc = engine.daemon.builder?.gc ?? {};
  const path = "engine/daemon/builder/gc";
  const { policy = [] } = gc;
  const found: [string, string][] = [
    ...DEFAULTS.flatMap((name): [string, string][] => (gc[name] ? [[name, gc[name]]] : [])),
    ...policy.flatMap((rule, index) =>
      SPACES.flatMap((name): [string, string][] =>
        rule[name] ? [[`policy/${index}/${name}`, rule[name]]] : [],
      ),
    ),
  ];
  if (isBefore(engine.version, "28.0"))
    for (const [name, value] of found)
      report(
        `${path}/${name}`,
        value,
        `keepStorage or defaultKeepStorage before Docker 28; version is ${engine.version}`,
      );
}
