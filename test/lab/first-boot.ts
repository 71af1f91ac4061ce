import type { EngineEvent } from "@pulumi/pulumi/automation";
import { makeRunner } from "../../clients/process";
import { scanHostKey } from "../../commands/import/inspect";
import type { Lab } from "../../lab/lib/services";
import { Shell, waitFor } from "./support";

/** Holds dpkg's lock as unattended-upgrades does, through apt's own library. */
const HOLD = `systemd-run --quiet --unit held-apt --property Restart=on-failure --property RestartSec=1 python3 -c '
import apt_pkg, time
apt_pkg.init_system()
apt_pkg.pkgsystem_lock()
time.sleep(900)'`;

/**
 * A first boot's jobs hold dpkg's lock while a node is set up. The lab's own may be over before the node needs apt, as there is
 * nothing to update: this one holds it until the node has said that it waits.
 */
export class FirstBootJob {
  /** What the node said of it. */
  waited = "";
  private shell?: Shell;
  private over: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly lab: Lab,
    private readonly vmId: number,
  ) {}

  /** Begins as soon as the machine answers, long before its first boot is over. */
  async begin(): Promise<void> {
    await waitFor(async () => {
      const port = this.lab.forwards[String(this.vmId)]?.ssh ?? 0;
      const target = { user: "ubuntu", host: "127.0.0.1", port };
      const shell = new Shell(this.lab, this.vmId, await scanHostKey(target, makeRunner(".")));
      await shell.root(HOLD);
      this.shell = shell;
      return true;
    }, 600);
  }

  readonly onEvent = ({ diagnosticEvent }: EngineEvent): void => {
    const [line] = /waiting for another apt: process .*/.exec(diagnosticEvent?.message ?? "") ?? [];
    if (!line || this.waited) return;
    this.waited = line;
    this.over = this.shell?.root("systemctl stop held-apt") ?? this.over;
  };

  /** Waits until it is over. */
  async end(): Promise<void> {
    await this.over;
  }
}
