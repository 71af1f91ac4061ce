/** Section 1: the host. A program is audited where this distribution has it; what is not there needs no rule. */
import type { Facts } from "../facts";
import { holds, type Finding, type Judge, type Judges } from "../check";

/** A rule of a folder is one of everything below it. */
function isAudited({ audited }: Facts, path: string): boolean {
  return audited.some((rule) => path === rule || path.startsWith(`${rule}/`));
}

/** Files whose path ends like this, wherever they are. */
const judgeAudits =
  (...ends: readonly string[]): Judge =>
  (facts) => {
    const there = facts.files.filter(({ path }) => ends.some((end) => path.endsWith(end)));
    const open = there.filter(
      ({ path, real }) => !isAudited(facts, path) && !isAudited(facts, real),
    );
    return open.map(({ path }): Finding => ({ what: `no audit rule for ${path}` }));
  };

const judgeDataAudit: Judge = (facts) => {
  const { DockerRootDir: root } = facts.info;
  // With userns-remap the root is a folder of its own below the one that is watched.
  return holds(isAudited(facts, root), `no audit rule for ${root}`);
};

const judgeFileSystem: Judge = ({ info: { DockerRootDir: root }, mounts }) =>
  holds(
    mounts.some((mount) => mount !== "/" && (root === mount || root.startsWith(`${mount}/`))),
    `${root} is on the root file system`,
  );

export const HOST: Judges = {
  "1.1.1": judgeFileSystem,
  "1.1.3": judgeAudits("bin/dockerd"),
  "1.1.4": judgeAudits("/run/containerd"),
  "1.1.5": judgeDataAudit,
  "1.1.6": judgeAudits("/etc/docker"),
  "1.1.7": judgeAudits("/docker.service"),
  "1.1.8": judgeAudits("/containerd.sock"),
  "1.1.9": judgeAudits("/docker.socket"),
  "1.1.10": judgeAudits("/etc/default/docker"),
  "1.1.11": judgeAudits("/daemon.json"),
  "1.1.12": judgeAudits("/containerd/config.toml"),
  "1.1.13": judgeAudits("/etc/sysconfig/docker"),
  "1.1.14": judgeAudits("bin/containerd"),
  "1.1.15": judgeAudits("bin/containerd-shim"),
  "1.1.16": judgeAudits("bin/containerd-shim-runc-v1"),
  "1.1.17": judgeAudits("bin/containerd-shim-runc-v2"),
  "1.1.18": judgeAudits("bin/runc"),
};
