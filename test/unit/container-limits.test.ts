import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { describeDifference, parseChecks, renderChecks } from "../../node/checks";
import {
  DOCKER,
  isRoot,
  LAYERS,
  makeImage,
  makeKernel,
  onDisk,
  recordImage,
  startProcess,
} from "../support/layers";
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
const given = { CONTAINER, PROCESSES: "1024" };

/** Modes of the folders around the container's layers. */
const modes = (): string[] =>
  ["one-init", "base", "image", "one"].map((layer) =>
    (statSync(join(home, "root", LAYERS, layer)).mode & 0o777).toString(8),
  );

let image: ReturnType<typeof makeImage>;

/** Each run of the program that reads the archives of layers leaves a line. */
function countComparisons(): void {
  const bin = join(home, "bin/python3");
  const python = readlinkSync(bin);
  rmSync(bin);
  const text = `[[ $* != *tar-split* ]] || echo compared >>"$FAKE/comparisons"\nexec ${python} "$@"\n`;
  write("bin/python3", `#!/usr/bin/env bash\n${text}`);
  chmodSync(bin, 0o755);
}

/** What dockerd has of the image's last layer. */
const recordsOf = (digests: readonly string[]): string => {
  const chain = createHash("sha256").update(digests.join(" ")).digest("hex");
  return join("root", DOCKER, "image/overlay2/layerdb/sha256", chain);
};

/** `limit` is what docker says of it, as `docker inspect` prints a pointer. */
beforeEach(() => {
  image = makeImage();
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
    echo "$(cat "$FAKE/layers"):${LAYERS}/one/diff" ;;
  *"inspect --type image --format {{.GraphDriver.Data.UpperDir}}{{with index .GraphDriver.Data \\"LowerDir\\"}}:{{.}}{{end}} sha256:"*)
    echo asked >>"$FAKE/asked"; echo "${LAYERS}/image/diff:${LAYERS}/base/diff" ;;
  *"inspect --type container --format {{.Image}} ${CONTAINER}") cat "$FAKE/image" ;;
  *"info --format {{.Driver}} {{.DockerRootDir}}") cat "$FAKE/info" ;;
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
  fake("image", `${image.id}\n`);
  fake("how", "host\n");
  fake("layers", `${LAYERS}/one-init/diff:${LAYERS}/image/diff:${LAYERS}/base/diff`);
  fake("info", `overlay2 ${DOCKER}\n`);
  countComparisons();
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

/** Only real root can do this here. */
const OF_ROOT: [what: string, spoil: () => void, told: string][] = [
  [
    "has another owner",
    (): void => {
      chownSync(onDisk("base", "usr/bin/su"), 5, 0);
      chmodSync(onDisk("base", "usr/bin/su"), 0o4755);
    },
    "base/diff/usr/bin/su",
  ],
  [
    "shows again what a folder had hidden",
    (): void => {
      rmdirSync(onDisk("image", "opt"));
      mkdirSync(onDisk("image", "opt"));
    },
    "image/diff/opt",
  ],
];

const SPOILT: [what: string, spoil: () => void, told: string][] = [
  [
    "is another than its digest says",
    (): void => {
      write(join("root", LAYERS, "base/diff/lib/x86/libc.so"), "a progran");
    },
    "sha256:",
  ],
  [
    "cannot be read",
    (): void => {
      rmSync(join(home, recordsOf(image.digests), "tar-split.json.gz"));
    },
    "cannot be read",
  ],
  [
    "has got a file that was not in it",
    (): void => {
      write(join("root", LAYERS, "base/diff/etc/ld.so.conf"), "");
    },
    "base/diff/etc/ld.so.conf",
  ],
  [
    "has a link in the place of a file, to one with the same content",
    (): void => {
      write("elsewhere", "a program");
      unlinkSync(onDisk("base", "usr/bin/sh"));
      symlinkSync(join(home, "elsewhere"), onDisk("base", "usr/bin/sh"));
    },
    "base/diff/usr/bin/sh",
  ],
];

/** What the digests alone do not find. */
const ALTERED: typeof SPOILT = [
  [
    "says itself that it was compared",
    (): void => {
      write(join("root", LAYERS, "image/docker-node-verified"), "");
      chmodSync(onDisk("base", "lib/x86/libc.so"), 0o646);
    },
    "base/diff/usr/lib/x86/libc.so",
  ],
  [
    "has a link in the place of a folder",
    (): void => {
      renameSync(onDisk("image", "app"), join(home, "elsewhere"));
      symlinkSync(join(home, "elsewhere"), onDisk("image", "app"));
    },
    "image/diff/app",
  ],
  [
    "is a link itself",
    (): void => {
      renameSync(onDisk("image"), join(home, "elsewhere"));
      symlinkSync(join(home, "elsewhere"), onDisk("image"));
    },
    "image/diff",
  ],
  [
    "has a link to another place",
    (): void => {
      unlinkSync(onDisk("base", "lib"));
      symlinkSync("./usr/lib", onDisk("base", "lib"));
    },
    "base/diff/lib",
  ],
  [
    "has a file that others may write",
    (): void => {
      chmodSync(onDisk("base", "lib/x86/libc.so"), 0o646);
    },
    "base/diff/usr/lib/x86/libc.so",
  ],
  [
    "has something in a file that was empty",
    (): void => {
      write(join("root", LAYERS, "base/diff/etc/ld.so.preload"), "/tmp/x.so\n");
    },
    "base/diff/etc/ld.so.preload",
  ],
  [
    "has a copy in the place of a hard link",
    (): void => {
      unlinkSync(onDisk("base", "usr/bin/bash"));
      copyFileSync(onDisk("base", "usr/bin/sh"), onDisk("base", "usr/bin/bash"));
      chmodSync(onDisk("base", "usr/bin/bash"), 0o755);
    },
    "base/diff/usr/bin/bash",
  ],
  [
    "has lost what no digest of a file is of",
    (): void => {
      unlinkSync(onDisk("base", "run/pipe"));
    },
    "base/diff/run/pipe",
  ],
  [
    "shows again what it had removed",
    (): void => {
      unlinkSync(onDisk("image", "gone"));
    },
    "image/diff/gone",
  ],
  [
    "hides a file of the layer below",
    (): void => {
      mkdirSync(onDisk("image", "etc"));
      sh(`mknod ${onDisk("image", "etc/passwd")} c 0 0`);
    },
    "image/diff/etc/passwd",
  ],
  [
    "is in another folder than Docker unpacked it to",
    (): void => {
      const [base = ""] = image.digests;
      const place = base.replace(":", "/");
      write(join("root", DOCKER, "image/overlay2/layerdb", place, "cache-id"), "other");
    },
    "overlay2/base",
  ],
  [
    "is not what a container gets by its name",
    (): void => {
      write(join("root", LAYERS, "image/link"), "ONE");
    },
    "overlay2/image",
  ],
  ...(isRoot ? OF_ROOT : []),
];

/** Other ways into a sealed layer than its path. */
const REACHED: [how: string, reach: () => void, told: string][] = [
  [
    "has a folder of it open",
    (): void => {
      startProcess({ links: { "fd/3": onDisk("base", "etc") } });
    },
    "process 4242 \\(sleep\\) has .*/base/diff/etc open",
  ],
  [
    "works in it",
    (): void => {
      startProcess({ links: { cwd: onDisk("image") } });
    },
    "process 4242 \\(sleep\\) has .*/image/diff open",
  ],
  [
    "has it as its root",
    (): void => {
      startProcess({ links: { root: onDisk("base", "..") } });
    },
    "process 4242 \\(sleep\\) has .*/base open",
  ],
  [
    "has mapped a file of it",
    (): void => {
      startProcess({ links: { "map_files/1-2": onDisk("image", "app/agent") } });
    },
    "process 4242 \\(sleep\\) has .*/image/diff/app/agent open",
  ],
  [
    "has mounted a folder of it",
    (): void => {
      const mounts = `30 1 8:1 ${onDisk("base", "usr")} /mnt/a\\040b rw - ext4 /dev/sda1 rw\n`;
      startProcess({ namespace: "user:[2]", mounts });
    },
    "process 4242 \\(sleep\\) has mounted .*/base",
  ],
  [
    "has an overlay that dockerd did not make",
    (): void => {
      const mounts = "30 1 0:99 / /mnt rw - overlay overlay rw,upperdir=/tmp/x\n";
      startProcess({ namespace: "user:[2]", mounts });
    },
    "process 4242 \\(sleep\\) has an overlay of its own",
  ],
  [
    "has something open that cannot be read",
    (): void => {
      symlinkSync("itself", join(home, "itself"));
      startProcess({ links: { "fd/3": join(home, "itself") } });
    },
    "proc/4243/fd/3 cannot be read: Too many levels of symbolic links",
  ],
  [
    "may have a name of a file elsewhere",
    (): void => {
      linkSync(onDisk("base", "usr/bin/su"), join(home, "elsewhere"));
    },
    "base/diff/usr/bin/su has another name elsewhere",
  ],
];

describe("the image of a container outside the user namespace, before there is one", () => {
  const seal = (): Result => script("image-seal", { IMAGE: image.id });

  test("has layers that are root's alone, and is compared with its digests once", () => {
    for (let time = 1; time <= 2; time++) {
      expect(done(seal())).toEqual({ image: image.id });
      expect(modes()).toEqual(["710", "700", "700", "710"]);
      expect(read("fake/asked")).toBe("asked\n".repeat(time));
    }
    done(script("container-limits", given));
    expect(modes()).toEqual(["700", "700", "700", "700"]);
    expect(read("fake/comparisons")).toBe("compared\n");
  });

  test.each([...SPOILT, ...ALTERED])(
    "stops the run when it %s, until it does no more",
    (_what, spoil, told) => {
      spoil();
      for (let time = 0; time < 2; time++) {
        const { status, stderr } = seal();
        expect(status).toBe(1);
        expect(stderr).toContain(
          `image-seal: the layers of ${image.id} are not what its digests say; remove the image, look for who wrote there, and run up again\n`,
        );
        expect(stderr).toContain(told);
      }
      expect(modes()).toEqual(["710", "700", "700", "710"]);
    },
  );

  test.each(REACHED)("stops the run when somebody %s, until nobody does", (_how, reach, told) => {
    reach();
    const { status, stderr } = seal();
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /image-seal: the layers of sha256:\w+ may still be written by others than root; remove the image, look for who wrote there, and run up again\n/,
    );
    expect(stderr).toMatch(new RegExp(`^not root alone: .*${told}$`, "m"));
    expect(has("fake/comparisons")).toBe(false);
    rmSync(join(home, "elsewhere"), { force: true });
    rmSync(join(home, "root/proc/4242"), { recursive: true, force: true });
    done(seal());
    expect(read("fake/comparisons")).toBe("compared\n");
  });

  test("may be open to real root, and others may have anything else", () => {
    startProcess({ user: 0, links: { "fd/3": onDisk("base", "etc") } });
    done(seal());
    rmSync(join(home, "root/proc"), { recursive: true });
    makeKernel();
    const mounts = `30 1 8:1 /srv /srv rw - ext4 /dev/sda1 rw\n31 1 0:40 / / rw - overlay overlay rw\n`;
    write("root/proc/self/mountinfo", `${read("root/proc/self/mountinfo")}${mounts}`);
    startProcess({ links: { "fd/3": home, cwd: "gone" }, namespace: "user:[2]", mounts });
    rmSync(join(home, "root", LAYERS, "image/docker-node-verified"));
    done(seal());
  });

  test("whose removed paths the kernel wrote has no more of them than are needed", () => {
    write("root/sys/module/overlay/parameters/redirect_dir", "Y\n");
    unlinkSync(onDisk("image", "gone"));
    if (isRoot) {
      rmdirSync(onDisk("image", "opt"));
      mkdirSync(onDisk("image", "opt"));
      sh(`mknod ${onDisk("image", "opt/old")} c 0 0`);
    }
    done(seal());
  });

  test("that has a layer twice is compared in both places", () => {
    const [base = ""] = image.digests;
    image.id = recordImage([base, base], "base");
    sh(`cd ${onDisk("image")} && rm -r ./* && cp -a ../../base/diff/. .`);
    done(seal());
    rmSync(join(home, "root", LAYERS, "image/docker-node-verified"));
    write(join("root", LAYERS, "image/diff/usr/bin/su"), "a progran");
    chmodSync(onDisk("image", "usr/bin/su"), 0o4755);
    refused(seal(), base);
  });

  test.each(["overlayfs /var/lib/docker", "overlay2 /var/lib/docker"])(
    "is left as it is where nobody is remapped: %s",
    (info) => {
      fake("info", `${info}\n`);
      done(seal());
      expect([modes(), has("fake/comparisons")]).toEqual([["710", "710", "710", "710"], false]);
    },
  );
});

describe("a container outside the user namespace", () => {
  test("has layers that are root's alone, and the image that its digests say", () => {
    for (let time = 0; time < 2; time++) {
      done(script("container-limits", given));
      expect(modes()).toEqual(["700", "700", "700", "700"]);
    }
    expect(read("fake/comparisons")).toBe("compared\n");
    expect(has("fake/stops")).toBe(false);
  });

  test.each(SPOILT)("is stopped when its image %s", (_what, spoil) => {
    spoil();
    refused(
      script("container-limits", given),
      `the layers of ${image.id} are not what its digests say; container 0f3c is stopped; remove both`,
    );
    expect(read("fake/stops")).toBe(`update --restart no ${CONTAINER}\nstop ${CONTAINER}\n`);
    expect(modes()).toEqual(["700", "700", "700", "700"]);
  });
});

describe("a container outside the user namespace that others still reach", () => {
  test.each([
    [
      "by its own layer",
      (): void => {
        startProcess({ links: { "fd/3": onDisk("one") } });
      },
    ],
    [
      "by other layers than its image has",
      (): void => {
        fake("layers", `${LAYERS}/one-init/diff:${LAYERS}/base/diff:${LAYERS}/image/diff`);
      },
    ],
  ])("is stopped: %s", (_how, reach) => {
    done(script("image-seal", { IMAGE: image.id }));
    reach();
    refused(script("container-limits", given), "container 0f3c is stopped; remove both");
    expect(has("fake/stops")).toBe(true);
  });
});

test.each([
  ["a remapped container", "how", ""],
  ["a container of the containerd image store", "info", "overlayfs /var/lib/docker"],
  ["a container without userns-remap", "info", "overlay2 /var/lib/docker"],
])("%s stays as it is", (_what, file, text) => {
  fake(file, `${text}\n`);
  done(script("container-limits", given));
  expect(has("fake/comparisons")).toBe(false);
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
