import { erase, type Instance } from "../../lab/lib/instance";
import { stopLab } from "../../lab/lib/services";
import { log } from "./support";

// An emulated node takes many seconds to be looked at before each operation: tests that are about it switch it on.
process.env.DOCKER_NODE_DRIFT ??= "off";

/**
 * Tests that build on one another, as the steps of a life do: after one that failed, the rest says so
 * instead of failing for reasons of its own.
 */
export class Life {
  /** The step that failed. */
  broken: string | undefined;

  /** Declares the next step; how long it took is told. */
  readonly step = (name: string, run: () => Promise<void> | void): void => {
    test(name, async () => {
      if (this.broken) throw notTried(this.broken);
      const began = Date.now();
      try {
        await run();
      } catch (error) {
        this.broken = name;
        throw error;
      }
      log(`${name}: ${Math.round((Date.now() - began) / 1000)} s`);
    });
  };

  /** Stops a lab. Nothing of it is left unless a step failed. */
  async end(here: Instance): Promise<void> {
    await stopLab(here);
    if (!this.broken) erase(here);
    else log(`state, logs and consoles are kept in ${here.stateDir}`);
  }
}

/** Without a stack: where it is thrown says nothing, and the log is to show why the first step failed. */
function notTried(broken: string): Error {
  const error = new Error(`not tried: "${broken}" failed`);
  error.stack = error.message;
  return error;
}
