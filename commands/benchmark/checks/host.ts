/** Section 1: the host. A program is audited where this distribution has it; what is not there needs no rule. */
import type { Facts } from "../facts";
import { holds, type Finding, type Judge, type Judges } from "../check";

/** A rule of a folder is one of everything below it. */
function isAudited({ audited }: Facts, path: string): boolean {
  return audited.some((rule) => path === rule || path.startsWith(`${rule}/`));
}

/** Files whose path ends like this, wherever they are. */
const audits =
  (...ends: readonly string[]): Judge =>
  (facts) => {
    const there = facts.files.filter(({ path }) => ends.some((end) => path.endsWith(end)));
    const open = there.filter(
      ({ path, real }) => !isAudited(facts, path) && !isAudited(facts, real),
    );
    return open.map(({ path }): Finding => ({ what: `no audit rule for ${path}` }));
  };

const dataAudited: Judge = (facts) => {
  const { DockerRootDir: root } = facts.info;
  // With userns-remap the root is a folder of its own below the one that is watched.
  return holds(isAudited(facts, root), `no audit rule for ${root}`);
};

const ownFileSystem: Judge = ({ info: { DockerRootDir: root }, mounts }) =>
  holds(
    mounts.some((mount) => mount !== "/" && (root === mount || root.startsWith(`${mount}/`))),
    `${root} is on the root file system`,
  );

export const HOST: Judges = {
  "1.1.1": ownFileSystem,
  "1.1.3": audits("bin/dockerd"),
  "1.1.4": audits("/run/containerd"),
  "1.1.5": dataAudited,
  "1.1.6": audits("/etc/docker"),
  "1.1.7": audits("/docker.service"),
  "1.1.8": audits("/containerd.sock"),
  "1.1.9": audits("/docker.socket"),
  "1.1.10": audits("/etc/default/docker"),
  "1.1.11": audits("/daemon.json"),
  "1.1.12": audits("/containerd/config.toml"),
  "1.1.13": audits("/etc/sysconfig/docker"),
  "1.1.14": audits("bin/containerd"),
  "1.1.15": audits("bin/containerd-shim"),
  "1.1.16": audits("bin/containerd-shim-runc-v1"),
  "1.1.17": audits("bin/containerd-shim-runc-v2"),
  "1.1.18": audits("bin/runc"),
};
