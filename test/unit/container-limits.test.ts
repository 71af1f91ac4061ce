import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describeDifference, parseChecks, renderChecks } from "../../node/checks";
import { done, fake, has, home, read, refused, run, script, useNode, write } from "../support/node";

/** node/container-limits.sh against a docker that has one container, and one limit. */

useNode();

const CONTAINER = "0f3c";
const given = { CONTAINER, PROCESSES: "1024" };

/** `limit` is what docker says of it, as `docker inspect` prints a pointer. */
beforeEach(() => {
  const bin = join(home, "bin/docker");
  rmSync(bin);
  write(
    "bin/docker",
    `#!/usr/bin/env bash
case $* in
  *"inspect --type container --format {{.HostConfig.PidsLimit}} ${CONTAINER}") cat "$FAKE/limit" ;;
  *"ps --all --quiet --filter id=${CONTAINER}") echo ${CONTAINER} ;;
  *"ps --all --quiet --filter id="*) ;;
  *"update --pids-limit "*" ${CONTAINER}")
    echo "$*" >>"$FAKE/updates"
    [[ -e $FAKE/no-controller ]] || echo "$5" >"$FAKE/limit"
    echo ${CONTAINER} ;;
  *) echo "Error: no such container" >&2 && exit 1 ;;
esac
`,
  );
  chmodSync(bin, 0o755);
});

test.each(["<nil>", "0", "-1", "200"])("limits a container that has %s, once", (limit) => {
  fake("limit", `${limit}\n`);
  for (let time = 0; time < 2; time++)
    expect(done(script("container-limits", given))).toEqual({ processes: 1024 });
  expect(read("fake/updates")).toBe(
    `--host unix:///var/run/docker.sock update --pids-limit 1024 ${CONTAINER}\n`,
  );
});

test("a limit that docker dropped is told", () => {
  fake("limit", "<nil>\n");
  fake("no-controller");
  refused(
    script("container-limits", given),
    "docker-node: container-limits: container 0f3c has a limit of <nil> processes, not of 1024\n",
  );
});

test("a container that is gone is told, and nothing is updated", () => {
  refused(script("container-limits", { ...given, CONTAINER: "beef" }), "no such container");
  expect(has("fake/updates")).toBe(false);
});

describe("in check mode", () => {
  const check = (container = CONTAINER): string[] => {
    const variables = `CONTAINER=${container}\nPROCESSES=1024`;
    const step = { step: "agent-limits", script: "container-limits" as const, variables };
    const { differences, failed } = parseChecks(run(renderChecks([step])).stdout);
    expect(has("fake/updates")).toBe(false);
    return [...failed, ...differences.map((one) => `${one.step}: ${describeDifference(one)}`)];
  };

  test("a limit as declared is nothing to say", () => {
    fake("limit", "1024\n");
    expect(check()).toEqual([]);
  });

  test("another one is told, and left to a run", () => {
    fake("limit", "0\n");
    expect(check()).toEqual([
      "agent-limits: container 0f3c processes: 0 on the node, 1024 as declared; up puts it right",
    ]);
  });

  test("a container that is gone is told, with what brings it back", () => {
    expect(check("beef")).toEqual([
      "agent-limits: container beef: absent on the node, present as declared; up leaves it until pulumi up --refresh makes another one",
    ]);
  });

  test("a docker that does not answer is no container that is gone", () => {
    write("bin/docker", "#!/usr/bin/env bash\nexit 1\n");
    expect(check()).toEqual(["agent-limits"]);
  });
});
