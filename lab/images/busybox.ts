/** A busybox image from Debian's `busybox-static`, fetched through apt when it is first needed. */
import * as fs from "node:fs";
import * as path from "node:path";

import { withScratch } from "../../clients/scratch";
import { unpackPackages } from "../lib/packages";
import { run } from "../lib/run";
import { writeLayout } from "./layout";
import type { TarEntry } from "./tar";

const PACKAGE = "busybox-static";

/** Unpacks the package below a directory; returns the program's path. */
export async function unpackBusybox(directory: string): Promise<string> {
  const root = await unpackPackages([PACKAGE], directory);
  const places = ["bin/busybox", "usr/bin/busybox"].map((name) => path.join(root, name));
  const program = places.find((file) => fs.existsSync(file));
  if (!program) throw new Error(`${PACKAGE} holds no busybox`);
  return program;
}

/** The commands busybox has, as links to it in the usual places. */
function parseLinks(list: string): TarEntry[] {
  const paths = list.split("\n").filter((name) => name !== "" && name !== "bin/busybox");
  return paths.map((name) => ({ path: name, target: "/bin/busybox" }));
}

/** What programs expect to find besides. */
const SKELETON: TarEntry[] = [
  {
    path: "etc/passwd",
    content: Buffer.from(
      "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
  },
  { path: "etc/group", content: Buffer.from("root:x:0:\nnogroup:x:65534:\n") },
  { path: "root", mode: 0o700 },
  { path: "tmp", mode: 0o1777 },
  { path: "var/tmp", mode: 0o1777 },
];

/** What a scanner knows it by: one package of Debian 13, as images without dpkg have it. */
const describePackage = (version: string): TarEntry[] =>
  Object.entries({
    "etc/debian_version": "13\n",
    [`var/lib/dpkg/status.d/${PACKAGE}`]: `Package: ${PACKAGE}\nVersion: ${version}\nArchitecture: amd64\n`,
  }).map(([name, text]) => ({ path: name, content: Buffer.from(text) }));

/** Writes the image. Its digest changes only when Debian's busybox does. */
export async function buildBusyboxImage(layout: string): Promise<void> {
  await withScratch("busybox", async (temporary) => {
    const program = await unpackBusybox(temporary);
    const [, version = "0"] = /^BusyBox v([\w.]+)/.exec(await run(program, [])) ?? [];
    const content = fs.readFileSync(program);
    await writeLayout(layout, {
      repository: "library/busybox",
      tag: version,
      files: [
        ...SKELETON,
        ...describePackage(version),
        { path: "bin/busybox", mode: 0o755, content },
        ...parseLinks(await run(program, ["--list-full"])),
      ],
      config: {
        Cmd: ["sh"],
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Labels: { "org.opencontainers.image.description": "busybox from Debian's busybox-static" },
      },
    });
  });
}
