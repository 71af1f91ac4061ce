import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
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
  type Result,
} from "../support/node";

/** node/container-limits.sh against a docker that has one container, and one limit; node/image-seal.sh and node/container-seal.sh. */

useNode();

const CONTAINER = "0f3c";
const LAYERS = "/var/lib/docker/231072.231072/overlay2";
const given = { CONTAINER, PROCESSES: "1024" };

/** Files of the image's two layers, the first one below, as they are on the disk. */
const ON_DISK: Readonly<Record<string, readonly string[]>> = {
  base: ["usr/bin/", "usr/bin/sh", "lib", "usr/lib/x86/libc.so"],
  image: ["app/agent", "gone"],
};

/** Makes an archive of a layer, as whoever built the image did: without the folders above, and with paths through a link. */
const MAKE = `
import io, sys, tarfile
entries = {"base": ["./usr/bin/", "usr/bin/sh", "lib -> usr/lib", "lib/x86/libc.so"], "image": ["/app/agent", ".wh.gone"]}
with tarfile.open(sys.argv[2], "w") as archive:
    for entry in entries[sys.argv[1]]:
        name, _, target = entry.partition(" -> ")
        member = tarfile.TarInfo(name.rstrip("/"))
        text = b"" if target or name.endswith("/") else sys.argv[3].encode()
        member.size = len(text)
        member.type = tarfile.SYMTYPE if target else tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
        member.linkname = target
        archive.addfile(member, io.BytesIO(text))`;

/** What `docker save` makes of the image; returns the digests of its layers. */
function saveImage(text: string): string[] {
  write("image/manifest.json", "[]");
  const digests = ["base", "image"].map((layer) => {
    const path = join(home, `image/${layer}.tar`);
    const made = spawnSync("python3", ["-c", MAKE, layer, path, text], { encoding: "utf8" });
    expect(made.stderr).toBe("");
    return `sha256:${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
  });
  sh(`tar -C ${join(home, "image")} -cf ${join(home, "fake/saved.tar")} .`);
  return digests;
}

/** Modes of the folders around the container's layers. */
const modes = (): string[] =>
  ["one-init", "base", "image", "one"].map((layer) =>
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
  *"inspect --type container --format {{.HostConfig.UsernsMode}} ${CONTAINER}") cat "$FAKE/how" ;;
  *"inspect --type container --format {{.GraphDriver.Data.LowerDir}}:{{.GraphDriver.Data.UpperDir}} ${CONTAINER}")
    echo "${LAYERS}/one-init/diff:${LAYERS}/image/diff:${LAYERS}/base/diff:${LAYERS}/one/diff" ;;
  *"inspect --type image --format {{.GraphDriver.Data.UpperDir}}{{with index .GraphDriver.Data \\"LowerDir\\"}}:{{.}}{{end}} sha256:feed")
    echo asked >>"$FAKE/asked"; echo "${LAYERS}/image/diff:${LAYERS}/base/diff" ;;
  *"inspect --type container --format {{.Image}} ${CONTAINER}") echo sha256:feed ;;
  *"inspect --type image --format {{json .RootFS.Layers}} sha256:feed") cat "$FAKE/digests" ;;
  *"info --format {{.Driver}} {{.DockerRootDir}}") cat "$FAKE/info" ;;
  *"save sha256:feed") echo save >>"$FAKE/saves"; [[ -e $FAKE/saved.tar ]] || { echo "file integrity checksum failed" >&2 && exit 1; }; cat "$FAKE/saved.tar" ;;
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
  fake("how", "host\n");
  fake("info", "overlay2 /var/lib/docker/231072.231072\n");
  for (const layer of ["one-init", "base", "image", "one"]) {
    mkdirSync(join(home, "root", LAYERS, layer, "diff"), { recursive: true });
    chmodSync(join(home, "root", LAYERS, layer), 0o710);
  }
  for (const [layer, paths] of Object.entries(ON_DISK))
    for (const path of paths.filter((one) => !one.endsWith("/")))
      if (path === "gone") sh(`mknod ${join(home, "root", LAYERS, layer, "diff", path)} c 0 0`);
      else write(join("root", LAYERS, layer, "diff", path), "");
  fake("digests", JSON.stringify(saveImage("a program")));
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

const SPOILT: [what: string, spoil: () => void, told: string][] = [
  [
    "is another than its digest says",
    (): void => {
      saveImage("another program");
    },
    "sha256:",
  ],
  [
    "cannot be read",
    (): void => {
      rmSync(join(home, "fake/saved.tar"));
    },
    "docker cannot read sha256:feed",
  ],
  [
    "has got a file that was not in it",
    (): void => {
      write(join("root", LAYERS, "base/diff/etc/ld.so.preload"), "");
    },
    "base/diff/etc/ld.so.preload",
  ],
];

describe("the image of a container outside the user namespace, before there is one", () => {
  const seal = (): Result => script("image-seal", { IMAGE: "sha256:feed" });

  test("has layers that are root's alone, and is compared with its digests once", () => {
    for (let time = 1; time <= 2; time++) {
      expect(done(seal())).toEqual({ image: "sha256:feed" });
      expect(modes()).toEqual(["710", "700", "700", "710"]);
      expect(read("fake/asked")).toBe("asked\n".repeat(time));
    }
    done(script("container-limits", given));
    expect(modes()).toEqual(["700", "700", "700", "700"]);
    expect(read("fake/saves")).toBe("save\n");
  });

  test.each(SPOILT)("stops the run when it %s, until it does no more", (_what, spoil, told) => {
    spoil();
    for (let time = 0; time < 2; time++) {
      const { status, stderr } = seal();
      expect(status).toBe(1);
      expect(stderr).toContain(
        "image-seal: the layers of sha256:feed are not what its digests say; remove the image, look for who wrote there, and run up again\n",
      );
      expect(stderr).toContain(told);
    }
    expect(modes()).toEqual(["710", "700", "700", "710"]);
  });

  test.each(["overlayfs /var/lib/docker", "overlay2 /var/lib/docker"])(
    "is left as it is where nobody is remapped: %s",
    (info) => {
      fake("info", `${info}\n`);
      done(seal());
      expect([modes(), has("fake/saves")]).toEqual([["710", "710", "710", "710"], false]);
    },
  );
});

describe("a container outside the user namespace", () => {
  test("has layers that are root's alone, and the image that its digests say", () => {
    for (let time = 0; time < 2; time++) {
      done(script("container-limits", given));
      expect(modes()).toEqual(["700", "700", "700", "700"]);
    }
    expect(read("fake/saves")).toBe("save\n");
    expect(has("fake/stops")).toBe(false);
  });

  test.each(SPOILT)("is stopped when its image %s", (_what, spoil) => {
    spoil();
    refused(
      script("container-limits", given),
      "the layers of sha256:feed are not what its digests say; container 0f3c is stopped; remove both",
    );
    expect(read("fake/stops")).toBe(`update --restart no ${CONTAINER}\nstop ${CONTAINER}\n`);
    expect(modes()).toEqual(["700", "700", "700", "700"]);
  });
});

test.each([
  ["a remapped container", "how", ""],
  ["a container of the containerd image store", "info", "overlayfs /var/lib/docker"],
  ["a container without userns-remap", "info", "overlay2 /var/lib/docker"],
])("%s stays as it is", (_what, file, text) => {
  fake(file, `${text}\n`);
  rmSync(join(home, "fake/saved.tar"));
  done(script("container-limits", given));
  expect(modes()).toEqual(["710", "710", "710", "710"]);
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
    fake("how", "\n");
  });

  test("layers of a container outside the user namespace that others may read are told", () => {
    fake("limit", "1024\n");
    fake("how", "host\n");
    expect(check()).toHaveLength(4);
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
