import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Docker's own repository is signed by Docker's own key. */
export function checkMirrorKey({ engine }: NodeConfig, report: Report): void {
  if (engine.mirrorKey && !engine.mirror)
    report("engine/mirrorKey", engine.mirrorKey, "nothing without engine.mirror");
}
