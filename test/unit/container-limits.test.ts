import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeDifference, parseChecks, renderChecks } from "../../node/checks";
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

/** node/container-limits.sh against a docker that has one container, and one limit; node/container-seal.sh. */

useNode();

const CONTAINER = "0f3c";
const LAYERS = "/var/lib/docker/231072.231072/overlay2";
const given = { CONTAINER, PROCESSES: "1024" };

const digestOf = (layer: string): string =>
  `sha256:${createHash("sha256").update(layer).digest("hex")}`;

/** What `docker save` makes of an image with one layer. */
function saveImage(layer: string): void {
  write("image/blobs/layer.tar", layer);
  write("image/manifest.json", "[]");
  sh(`tar -C ${join(home, "image")} -cf ${join(home, "fake/saved.tar")} .`);
}

/** Modes of the folders around the container's layers. */
const modes = (): string[] =>
  ["one-init", "image", "one"].map((layer) =>
    (statSync(join(home, "root", LAYERS, layer)).mode & 0o777).toString(8),
  );

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
  *"inspect --type container --format {{.HostConfig.UsernsMode}} {{.GraphDriver.Name}} ${CONTAINER}") cat "$FAKE/how" ;;
  *"inspect --type container --format {{.GraphDriver.Data.LowerDir}}:{{.GraphDriver.Data.UpperDir}} ${CONTAINER}")
    echo "${LAYERS}/one-init/diff:${LAYERS}/image/diff:${LAYERS}/one/diff" ;;
  *"inspect --type container --format {{.Image}} ${CONTAINER}") echo sha256:feed ;;
  *"inspect --type image --format {{json .RootFS.Layers}} sha256:feed") cat "$FAKE/digests" ;;
  *"info --format {{.DockerRootDir}}") cat "$FAKE/data-root" ;;
  *"save sha256:feed") [[ -e $FAKE/saved.tar ]] || { echo "file integrity checksum failed" >&2 && exit 1; }; cat "$FAKE/saved.tar" ;;
  *"update --restart no ${CONTAINER}" | *"stop ${CONTAINER}") echo "\${*:3}" >>"$FAKE/stops" ;;
  *"update --pids-limit "*" ${CONTAINER}")
    echo "$*" >>"$FAKE/updates"
    [[ -e $FAKE/no-controller ]] || echo "$5" >"$FAKE/limit"
    echo ${CONTAINER} ;;
  *) echo "Error: no such container" >&2 && exit 1 ;;
esac
`,
  );
  chmodSync(bin, 0o755);
  fake("how", "host overlay2\n");
  fake("data-root", "/var/lib/docker/231072.231072\n");
  for (const layer of ["one-init", "image", "one"]) {
    mkdirSync(join(home, "root", LAYERS, layer, "diff"), { recursive: true });
    chmodSync(join(home, "root", LAYERS, layer), 0o710);
  }
  saveImage("the agent's program");
  fake("digests", JSON.stringify([digestOf("the agent's program")]));
  fake("limit", "1024\n");
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

describe("a container outside the user namespace", () => {
  test("has layers that are root's alone, and the image that its digests say", () => {
    for (let time = 0; time < 2; time++) {
      done(script("container-limits", given));
      expect(modes()).toEqual(["700", "700", "700"]);
    }
    expect(has("fake/stops")).toBe(false);
  });

  test.each([
    [
      "is another than its digest says",
      (): void => {
        saveImage("another program");
      },
    ],
    [
      "cannot be read",
      (): void => {
        rmSync(join(home, "fake/saved.tar"));
      },
    ],
  ])("is stopped when its image %s", (_what, spoil) => {
    spoil();
    refused(
      script("container-limits", given),
      "the layers of sha256:feed are not what its digests say; container 0f3c is stopped; remove both",
    );
    expect(read("fake/stops")).toBe(`update --restart no ${CONTAINER}\nstop ${CONTAINER}\n`);
    expect(modes()).toEqual(["700", "700", "700"]);
  });
});

test.each([
  ["a remapped container", "how", " overlay2"],
  ["a container of the containerd image store", "how", "host overlayfs"],
  ["a container without userns-remap", "data-root", "/var/lib/docker"],
])("%s stays as it is", (_what, file, text) => {
  fake(file, `${text}\n`);
  rmSync(join(home, "fake/saved.tar"));
  done(script("container-limits", given));
  expect(modes()).toEqual(["710", "710", "710"]);
});

describe("in check mode", () => {
  const check = (container = CONTAINER): string[] => {
    const variables = `CONTAINER=${container}\nPROCESSES=1024`;
    const step = { step: "agent-limits", script: "container-limits" as const, variables };
    const { differences, failed } = parseChecks(run(renderChecks([step])).stdout);
    expect(has("fake/updates")).toBe(false);
    return [...failed, ...differences.map((one) => `${one.step}: ${describeDifference(one)}`)];
  };

  beforeEach(() => {
    fake("how", " overlay2\n");
  });

  test("layers of a container outside the user namespace that others may read are told", () => {
    fake("limit", "1024\n");
    fake("how", "host overlay2\n");
    expect(check()).toHaveLength(3);
    expect(check()[0]).toMatch(
      /one-init mode: root:root 710 on the node, root:root 700 as declared; up puts it right$/,
    );
  });

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
