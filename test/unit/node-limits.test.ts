import {
  bootStep,
  confirmFirewallStep,
  dockerSteps,
  firewallStep,
  readyStep,
} from "../../node/steps";
import { lib } from "../support/node";
import { useNode } from "../support/node";
import { prodNode } from "../support/settings";

/** Limits of a node's steps: whoever waits inside another one's limit is done first, so that its message is the one seen. */

useNode();

const seconds = (timeout: string): number => Number(/^(\d+)s$/.exec(timeout)?.[1]);

describe.each([120, 5, 900])("with %d s for the daemon to answer", (healthTimeoutSeconds) => {
  const node = prodNode({ engine: { healthTimeoutSeconds } });
  const changing = [...dockerSteps(node), firewallStep(node)];
  const all = [readyStep(), bootStep(node), confirmFirewallStep(node), ...changing];

  test("every script ends itself before its step is over, having waited for another run", () => {
    for (const { timeout, variables } of all) {
      const { LIMIT, LOCK_TIMEOUT = 0 } = variables;
      expect(Number(LIMIT)).toBeGreaterThan(0);
      expect(seconds(timeout)).toBeGreaterThan(Number(LIMIT) + Number(LOCK_TIMEOUT));
    }
  });

  test("a run waits for another one at its longest", () => {
    const longest = Math.max(...changing.map(({ variables }) => Number(variables["LIMIT"])));
    for (const { variables } of changing)
      expect(Number(variables["LOCK_TIMEOUT"])).toBeGreaterThanOrEqual(longest);
  });

  test("the daemon may start, stop, and start again with the earlier file", () => {
    const daemon = changing.find(({ script }) => script === "daemon");
    expect(Number(daemon?.variables["LIMIT"])).toBeGreaterThan(3 * healthTimeoutSeconds + 300);
  });
});

test("the waits inside the scripts come from the limit", () => {
  const { stdout } = lib(
    `for name in ready boot agent-certificate; do grep -o '^[A-Z]*_TIMEOUT="[^"]*"' "$SCRIPTS/$name.sh"; done >"$FAKE/waits"; . "$FAKE/waits"; echo $READY_TIMEOUT $BOOT_TIMEOUT $AGENT_TIMEOUT`,
    { LIMIT: "1000", SCRIPTS: `${__dirname}/../../node` },
  );
  expect(stdout).toBe("900 750 666\n");
});
