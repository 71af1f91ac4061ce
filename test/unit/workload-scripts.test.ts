import { rmSync, symlinkSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describeDifference, parseChecks, renderChecks } from "../../node/checks";
import { assignVariables, type ScriptName } from "../../node/scripts";
import {
  done,
  fake,
  has,
  home,
  read,
  refused,
  run,
  script,
  sh,
  useNode,
  write,
} from "../support/node";

/** node/workload.sh and node/workload-secrets.sh, as a node runs them. */

useNode();

/** What a step says in check mode, as a session runs it. */
function check(script: ScriptName, given: Record<string, string>): string[] {
  const variables = assignVariables(given).join("\n");
  const { stdout } = run(renderChecks([{ step: `workload-web-${script}`, script, variables }]));
  const { differences, failed } = parseChecks(stdout);
  return [...failed, ...differences.map(describeDifference)];
}

describe("the step that starts a workload", () => {
  const given = {
    ...{ WORKLOAD: "web", CONTAINER: "new", RESTART: "unless-stopped" },
    ...{ READY_SECONDS: "2", SECRETS_WRITTEN: "0" },
  };
  const start = (more: Record<string, string> = {}) => script("workload", { ...given, ...more });

  /** A container, what its state is once it has started, and since when it runs, if it does. */
  function container(id: string, becomes: string, started?: string): void {
    fake(`containers/${id}/becomes`, becomes);
    if (started === undefined) return;
    fake(`containers/${id}/running`);
    fake(`containers/${id}/started`, started);
  }
  const calls = (): string[] => (has("fake/calls") ? read("fake/calls").trim().split("\n") : []);
  const runs = (id: string): boolean => has(`fake/containers/${id}/running`);

  beforeEach(() => {
    rmSync(join(home, "bin/docker"));
    symlinkSync(join(__dirname, "../fixtures/workload/docker"), join(home, "bin/docker"));
    for (const tool of ["date", "touch"])
      symlinkSync(sh(`type -P ${tool}`), join(home, "bin", tool));
  });

  test("starts the first container there is, once", () => {
    container("new", "healthy");
    expect(done(start())).toEqual({ container: "new", state: "healthy" });
    expect(calls()).toEqual(["update --restart unless-stopped new", "start new"]);
    expect(done(start())).toEqual({ container: "new", state: "healthy" });
    expect(calls()).toHaveLength(2);
  });

  test("stops the earlier one only then, and leaves it stopped", () => {
    container("old", "healthy", "2026-05-01T00:00:00Z");
    container("new", "healthy");
    expect(done(start())).toEqual({ container: "new", state: "healthy" });
    expect(calls()).toEqual([
      "stop old",
      "update --restart unless-stopped new",
      "start new",
      "update --restart no old",
      "stop old",
    ]);
    expect([runs("old"), runs("new")]).toEqual([false, true]);
  });

  test("one without a health check is ready when it keeps running", () => {
    container("new", "running");
    const patient = { READY_SECONDS: "100" };
    expect(done(start(patient))).toEqual({ container: "new", state: "running" });
  });

  test.each([
    ["unhealthy", ""],
    ["exited", ""],
    ["starting", " after 2 s"],
    ["restarting", " after 2 s"],
  ])("one that is %s%s is stopped, and the earlier one runs again", (state, late) => {
    container("old", "healthy", "2026-05-01T00:00:00Z");
    container("new", state);
    const result = start();
    refused(
      result,
      `docker-node: workload: web: it is ${state}${late}; the earlier container runs again; docker logs new says more`,
    );
    expect(result.stderr).toContain(
      `state ${state}, exit status 1, restarts 0\n  connection refused`,
    );
    expect(calls().slice(-3)).toEqual(["update --restart no new", "stop new", "start old"]);
    expect([runs("old"), runs("new")]).toEqual([true, false]);
  });

  test("one that does not start is told with docker's reason, and the earlier one runs again", () => {
    container("old", "healthy", "2026-05-01T00:00:00Z");
    container("new", "healthy");
    fake("containers/new/broken");
    const result = start();
    refused(result, "web: it does not start; the earlier container runs again");
    expect(result.stderr).toContain("port is already allocated");
    expect(runs("old")).toBe(true);
  });

  test("without an earlier one it says so", () => {
    container("new", "unhealthy");
    refused(start(), "web: it is unhealthy; there is no earlier container");
    expect(runs("new")).toBe(false);
  });

  test("the next run tries the same container again", () => {
    container("old", "healthy", "2026-05-01T00:00:00Z");
    container("new", "unhealthy");
    expect(start().status).toBe(1);
    container("new", "healthy");
    expect(done(start())).toEqual({ container: "new", state: "healthy" });
    expect([runs("old"), runs("new")]).toEqual([false, true]);
  });

  describe("an image that keeps data in a volume that is not declared", () => {
    const NAMELESS = "0f".repeat(32);
    const data = "/var/lib/postgresql/data";
    /** A mount `name:path` of each kind. */
    const mounts = (id: string, declared: string[], nameless: string[]): void => {
      const named = declared.map((one) => one.replace(":", " "));
      const others = nameless.map((path) => `${NAMELESS} ${path}`);
      fake(`containers/${id}/binds`, declared.map((one) => `${one}:rw\n`).join(""));
      fake(`containers/${id}/volumes`, `${[...named, ...others].join("\n")}\n\n`);
    };

    test("is refused while the earlier container runs, which goes on", () => {
      container("old", "healthy", "2026-05-01T00:00:00Z");
      container("new", "healthy");
      mounts("new", ["logs:/logs"], [data, "/my data"]);
      refused(
        start(),
        `docker-node: workload: web: its image keeps data in ${data}, /my data, which would be lost with the container; declare a volume or tmpfs for ${data}, /my data`,
      );
      expect(calls()).toEqual([]);
    });

    test("is refused as the first container, too", () => {
      container("new", "healthy");
      mounts("new", [], [data]);
      refused(start(), `declare a volume or tmpfs for ${data}`);
      expect(calls()).toEqual([]);
    });

    test("runs on where it ran before, and starts again after a stop", () => {
      container("new", "healthy", "2026-05-01T00:00:00Z");
      mounts("new", [], [data]);
      expect(done(start())).toEqual({ container: "new", state: "healthy" });
      rmSync(join(home, "fake/containers/new/running"));
      expect(done(start())).toEqual({ container: "new", state: "healthy" });
    });

    test("keeps what it has when another one declares a volume, until a person stops it", () => {
      container("old", "healthy", "2026-05-01T00:00:00Z");
      mounts("old", [], [data]);
      container("new", "healthy");
      mounts("new", [`db-data:${data}`], []);
      refused(
        start(),
        `web: data of the earlier container in ${data} would be lost with it; run docker stop old, copy what you need, and run up again`,
      );
      expect(calls()).toEqual([]);
      rmSync(join(home, "fake/containers/old/running"));
      expect(done(start())).toEqual({ container: "new", state: "healthy" });
    });

    test("is no other one once a volume is declared", () => {
      container("old", "healthy", "2026-05-01T00:00:00Z");
      container("new", "healthy");
      for (const id of ["old", "new"]) mounts(id, [`db-data:${data}`], []);
      expect(done(start())).toEqual({ container: "new", state: "healthy" });
    });
  });

  test("secrets that changed since its start are read at another one", () => {
    container("new", "healthy", "2026-05-01T00:00:00Z");
    const seconds = Date.parse("2026-05-02T00:00:00Z") / 1000;
    const later = { SECRETS_WRITTEN: String(seconds) };
    expect(done(start(later))).toEqual({ container: "new", state: "healthy" });
    expect(done(start(later))).toEqual({ container: "new", state: "healthy" });
    expect(calls()).toEqual(["restart new"]);
  });

  test("one that is not healthy with them is told, and runs on", () => {
    container("new", "unhealthy", "2026-05-01T00:00:00Z");
    refused(start(), "web: it is unhealthy; docker logs new says more");
    expect(runs("new")).toBe(true);
  });

  test("a policy that was changed by hand is set again, without a restart", () => {
    container("new", "healthy", "2026-05-01T00:00:00Z");
    fake("containers/new/restart", "no");
    expect(done(start())).toEqual({ container: "new", state: "healthy" });
    expect(calls()).toEqual(["update --restart unless-stopped new"]);
  });

  describe("in check mode", () => {
    const found = (more: Record<string, string> = {}): string[] => {
      const lines = check("workload", { ...given, ...more });
      expect(calls()).toEqual([]);
      return lines.map((line) => line.replace("; up puts it right", ""));
    };

    test("one that runs as declared is nothing to say", () => {
      container("new", "healthy", "2026-05-01T00:00:00Z");
      expect(found()).toEqual([]);
    });

    test("one that somebody has stopped is told, and one with another policy", () => {
      container("new", "healthy");
      fake("containers/new/restart", "no");
      expect(found()).toEqual([
        "workload web state: exited on the node, running as declared",
        "workload web restart: no on the node, unless-stopped as declared",
      ]);
    });

    test("so is another one that runs beside it", () => {
      container("new", "healthy", "2026-05-01T00:00:00Z");
      container("0123456789abcdef", "healthy", "2026-05-01T00:00:00Z");
      expect(found()).toEqual([
        "workload web container 0123456789ab: running on the node, absent as declared",
      ]);
    });

    test("and one that has not read its secrets", () => {
      container("new", "healthy", "2026-05-01T00:00:00Z");
      const later = String(Date.parse("2026-05-02T00:00:00Z") / 1000);
      expect(found({ SECRETS_WRITTEN: later })).toEqual([
        "workload web start: before its files changed on the node, after that as declared",
      ]);
    });

    test("of one that is gone another step tells", () => {
      container("old", "healthy", "2026-05-01T00:00:00Z");
      expect(found()).toEqual([]);
    });
  });

  test("a container that is gone is told, and nothing is stopped", () => {
    container("old", "healthy", "2026-05-01T00:00:00Z");
    refused(start(), "container new is gone; pulumi up --refresh makes another one");
    expect(calls()).toEqual([]);
  });
});

describe("the step that writes secrets", () => {
  const folder = "root/var/lib/docker-node/secrets/workloads/web";
  const given = {
    ...{ WORKLOAD: "web", OWNER: "65534", FILES: "db key.pem" },
    ...{ CONTENT_0: "it's", CONTENT_1: "-----BEGIN\nlast line\n" },
  };
  const secrets = (more: Record<string, string> = {}) =>
    script("workload-secrets", { ...given, ...more });
  const mode = (path: string): string => (statSync(join(home, path)).mode & 0o777).toString(8);
  const owners = (): string[] =>
    read("fake/calls")
      .split("\n")
      .filter((line) => line.startsWith("chown"))
      .map((line) => line.replace(`${home}/`, ""));

  beforeEach(() => {
    fake("service", "active");
    fake("loaded", '{"userns-remap": "default"}');
  });

  test("writes each exactly, for nobody but the container's user and root", () => {
    expect(done(secrets())).toMatchObject({
      directory: "/var/lib/docker-node/secrets/workloads/web",
    });
    expect(read(`${folder}/db`)).toBe("it's");
    expect(read(`${folder}/key.pem`)).toBe("-----BEGIN\nlast line\n");
    expect([folder, `${folder}/db`, join(folder, ".."), join(folder, "../..")].map(mode)).toEqual([
      "755",
      "400",
      "700",
      "700",
    ]);
    // 231072 is the first id of the remapped users.
    expect(owners()).toContain(`chown 296606:root ${folder}/db`);
  });

  test("without a user namespace the ids are the container's", () => {
    fake("no-remap");
    done(secrets());
    expect(owners()).toContain(`chown 65534:root ${folder}/db`);
  });

  test("says when they last changed: not at a run that changes nothing", () => {
    const { written: first } = done(secrets()) as { written: number };
    expect(first).toBeGreaterThan(Date.now() / 1000 - 60);
    const past = new Date("2026-01-01T00:00:00Z");
    for (const path of [folder, `${folder}/db`, `${folder}/key.pem`])
      utimesSync(join(home, path), past, past);
    expect(done(secrets())).toMatchObject({ written: past.getTime() / 1000 });
    const { written } = done(secrets({ CONTENT_0: "another" })) as { written: number };
    expect(written).toBeGreaterThanOrEqual(first);
    expect(read(`${folder}/db`)).toBe("another");
  });

  test("removes those that are no longer declared", () => {
    done(secrets());
    done(secrets({ FILES: "db" }));
    expect([has(`${folder}/db`), has(`${folder}/key.pem`)]).toEqual([true, false]);
  });

  test("in check mode names files that are not as written, and never what is in them", () => {
    fake("no-remap");
    const mine = { ...given, OWNER: "0" };
    done(script("workload-secrets", mine));
    expect(check("workload-secrets", mine)).toEqual([]);
    write(`${folder}/db`, "by hand");
    rmSync(join(home, folder, "key.pem"));
    write(`${folder}/other`, "x");
    const lines = check("workload-secrets", mine);
    expect(
      lines.map((line) => line.replace("/var/lib/docker-node/secrets/workloads/web/", "")),
    ).toEqual([
      "db: another content on the node, as written as declared; up puts it right",
      "key.pem: absent on the node, present as declared; up puts it right",
      "other: present on the node, absent as declared; up puts it right",
    ]);
    done(script("workload-secrets", mine));
    expect(check("workload-secrets", mine)).toEqual([]);
    expect(check("workload-secrets", { ...mine, OWNER: "7" })[0]).toContain(
      "db mode: 0400, owner 0 on the node, 0400, owner 7 as declared",
    );
  });

  test("prints none of them", () => {
    const { stdout, stderr } = secrets();
    expect(stdout + stderr).not.toMatch(/it's|BEGIN/);
  });
});
