import { spawnSync } from "node:child_process";
import { chmodSync, rmSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { renderRuntime } from "../../node/scripts";
import { DOCKER, LAYERS, makeImage, onDisk } from "../support/layers";
import { has, home, read, useNode, write } from "../support/node";

/** node/runtime/start.sh, as containerd's shim calls it (containerd/go-runc, runc.go): a program in the place of runc. */

useNode();

const CONTAINER = "0f3c";
const BUNDLE = `/run/bundle/${CONTAINER}`;
const GLOBAL = ["--root", "/run/runc", "--log", "LOG", "--log-format", "json", "--systemd-cgroup"];
const create = ["create", "--bundle", BUNDLE, "--pid-file", `${BUNDLE}/init.pid`, CONTAINER];

let image: ReturnType<typeof makeImage>;

interface Ran {
  readonly status: number | null;
  readonly stderr: string;
}

function runtime(...args: string[]): Ran {
  write("runtime", renderRuntime());
  const given = [...GLOBAL, ...args].map((one) => (one === "LOG" ? join(home, "log.json") : one));
  const env = { PATH: join(home, "bin"), ROOT_DIR: join(home, "root"), FAKE: join(home, "fake") };
  const { status, stderr } = spawnSync("bash", [join(home, "runtime"), ...given], {
    encoding: "utf8",
    env,
  });
  return { status, stderr };
}

const mount = (lower: string): void => {
  const options = `rw,lowerdir=${lower},upperdir=${LAYERS}/one/diff,workdir=${LAYERS}/one/work`;
  const line = `40 21 0:50 / ${LAYERS}/one/merged rw,relatime - overlay overlay ${options}\n`;
  write("root/proc/self/mountinfo", `21 1 8:1 / / rw - ext4 /dev/sda1 rw\n${line}`);
};

const started = (): string[] => (has("fake/runc") ? read("fake/runc").trim().split("\n") : []);
const ownersOnly = (): string[] =>
  ["one-init", "base", "image", "one"].map((layer) =>
    (statSync(join(home, "root", LAYERS, layer)).mode & 0o777).toString(8),
  );

beforeEach(() => {
  image = makeImage();
  for (const program of ["chown", "date"]) rmSync(join(home, "bin", program), { force: true });
  write("bin/date", "#!/usr/bin/env bash\necho 2026-01-01T00:00:00Z\n");
  write("bin/chown", '#!/usr/bin/env bash\necho "$*" >>"$FAKE/chown"\n');
  write("bin/runc", '#!/usr/bin/env bash\necho "$*" >>"$FAKE/runc"\nexit 7\n');
  for (const program of ["date", "chown", "runc"]) chmodSync(join(home, "bin", program), 0o755);
  write(`root${BUNDLE}/config.json`, JSON.stringify({ root: { path: `${LAYERS}/one/merged` } }));
  const configuration = JSON.stringify({ Image: image.id });
  write(join("root", DOCKER, "containers", CONTAINER, "config.v2.json"), configuration);
  mount("l/ONE-INIT:l/IMAGE:l/BASE");
});

test("a container whose image is as its digests say starts, by layers that are root's alone", () => {
  // What says so before the folder is closed may be anybody's (node/seal/close.sh).
  const mark = join("root", LAYERS, "image/docker-node-verified");
  write(mark, "");
  expect(runtime(...create)).toEqual({ status: 7, stderr: "" });
  expect(has(mark)).toBe(false);
  expect(started()).toEqual([
    `--root /run/runc --log ${join(home, "log.json")} --log-format json --systemd-cgroup ${create.join(" ")}`,
  ]);
  expect(ownersOnly()).toEqual(["700", "700", "700", "700"]);
  expect(read("fake/chown")).toMatch(/^root:root /);
  mount([`${LAYERS}/l/ONE-INIT`, `${LAYERS}/l/IMAGE`, `${LAYERS}/l/BASE`].join(":"));
  expect(runtime(...create).status).toBe(7);
});

const SPOILT: [what: string, spoil: () => void, told: RegExp][] = [
  [
    "a program is another one",
    (): void => {
      write(join("root", LAYERS, "image/diff/app/agent"), "b program");
    },
    /the layers of sha256:\w+ are not what its digests say; .*run up --refresh: sha256:\w+$/,
  ],
  [
    "there is a file more",
    (): void => {
      write(join("root", LAYERS, "base/diff/etc/ld.so.conf"), "");
    },
    /: \S+\/overlay2\/base\/diff\/etc\/ld\.so\.conf$/,
  ],
  [
    "a file is gone",
    (): void => {
      unlinkSync(onDisk("base", "usr/bin/su"));
    },
    /: \S+\/overlay2\/base\/diff\/usr\/bin\/su$/,
  ],
  [
    "the kernel has mounted other layers than the image has",
    (): void => {
      mount("l/ONE-INIT:l/BASE:l/IMAGE");
    },
    /: \S+\/overlay2\/image, \S+\/overlay2\/base$/,
  ],
  [
    "the kernel has mounted a layer more",
    (): void => {
      mount("l/ONE-INIT:l/ONE:l/IMAGE:l/BASE");
    },
    /: .*sha256:\w+ cannot be read$/,
  ],
  [
    "the image's configuration is another one",
    (): void => {
      const place = join(
        "root",
        DOCKER,
        "image/overlay2/imagedb/content",
        image.id.replace(":", "/"),
      );
      write(place, `${read(place)} `);
    },
    /: sha256:\w+ cannot be read$/,
  ],
  [
    "nothing is mounted",
    (): void => {
      write("root/proc/self/mountinfo", "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    },
    /^docker-node: the layers of 0f3c cannot be read$/,
  ],
];

test.each(SPOILT)("no container starts when %s", (_what, spoil, told) => {
  spoil();
  const { status } = runtime(...create);
  expect([status, started()]).toEqual([1, []]);
  const { level, msg, time } = JSON.parse(read("log.json")) as Record<string, string>;
  // What containerd's shim reads of the log (runtime/v2/runc, getLastRuntimeError).
  expect([level, time]).toEqual(["error", "2026-01-01T00:00:00Z"]);
  expect(msg).toMatch(told);
});

test.each([
  ["what is no start", ["exec", "--process", "/tmp/create-1", "--detach", CONTAINER]],
  ["the end of a container", ["delete", "--force", CONTAINER]],
  ["what docker asks by itself", ["features"]],
])("%s goes to runc as it is", (_what, args) => {
  unlinkSync(onDisk("base", "usr/bin/su"));
  expect(runtime(...args).status).toBe(7);
  expect(started()[0]).toMatch(new RegExp(`${args.join(" ")}$`));
});

test("where nobody is remapped, nothing is compared", () => {
  const path = "/var/lib/docker/overlay2/one/merged";
  write(`root${BUNDLE}/config.json`, JSON.stringify({ root: { path } }));
  unlinkSync(onDisk("base", "usr/bin/su"));
  expect(runtime(...create).status).toBe(7);
  expect([ownersOnly(), has("fake/chown")]).toEqual([["710", "710", "710", "710"], false]);
});
