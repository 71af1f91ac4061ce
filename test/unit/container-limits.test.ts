import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { done, fake, has, home, read, refused, script, useNode, write } from "../support/node";

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
