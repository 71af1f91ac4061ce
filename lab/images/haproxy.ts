/** HAProxy as an image: Debian's package, at the places where HAProxy's own image on Alpine has things. */
import { withScratch } from "../../clients/scratch";
import { entriesBelow, unpackDebian } from "./debian";
import { writeLayout } from "./layout";
import type { TarEntry } from "./tar";

/** busybox is the shell and wget, as on Alpine. */
const PACKAGES = ["haproxy", "busybox", "base-files", "libc-bin"];

/** What packages make when they are configured, and commands that others are. */
const CONFIGURED: TarEntry[] = [
  ...["sh", "wget"].map((name) => ({ path: `usr/bin/${name}`, target: "busybox" })),
  { path: "etc/passwd", content: Buffer.from("root:x:0:0:root:/root:/bin/sh\n") },
  { path: "etc/group", content: Buffer.from("root:x:0:\n") },
];

/** Writes the image. Its digest changes when Debian's packages do. */
export async function buildHaproxyImage(layout: string): Promise<void> {
  await withScratch("haproxy", async (temporary) => {
    const root = await unpackDebian(PACKAGES, temporary);
    await writeLayout(layout, {
      repository: "library/haproxy",
      tag: "debian",
      files: [...entriesBelow(root), ...CONFIGURED],
      config: {
        Entrypoint: ["haproxy", "-W", "-db"],
        Cmd: ["-f", "/usr/local/etc/haproxy/haproxy.cfg"],
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Labels: { "org.opencontainers.image.description": "HAProxy from Debian's haproxy" },
      },
    });
  });
}
