import { logProblems } from "../../daemon/log-drivers";
import type { NodeConfig } from "../../schema";
import type { Report } from "../report";
import { isBefore } from "./versions";

export function checkLogOptions({ engine: { daemon } }: NodeConfig, report: Report): void {
  const { "log-driver": driver = "json-file", "log-opts": options = {} } = daemon;
  for (const { option, allowed } of logProblems(driver, options))
    report(`engine/daemon/log-opts/${option}`, options[option], allowed);
}

/** A label may have only one value (GetConflictFreeLabels in moby daemon/config/config.go). */
export function checkLabels({ engine }: NodeConfig, report: Report): void {
  const values = new Map<string, string>();
  for (const [index, label] of (engine.daemon.labels ?? []).entries()) {
    const [key = "", ...rest] = label.split("=");
    const value = rest.join("=");
    const other = values.get(key);
    if (other !== undefined && other !== value)
      report(
        `engine/daemon/labels/${index}`,
        label,
        `one value for ${key}; another label sets it to ${other}`,
      );
    values.set(key, value);
  }
}

/** Names that Docker 28 introduced. Earlier releases ignore them without a message. */
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
        `needs Docker 28 or later; for ${engine.version} use keepStorage or defaultKeepStorage`,
      );
}
