import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Docker signs its own repository with its own key, so only a mirror can have another key. */
export function checkMirrorKey({ engine }: NodeConfig, report: Report): void {
  if (engine.mirrorKey && !engine.mirror)
    report("engine/mirrorKey", engine.mirrorKey, "needs engine.mirror");
}
