import type { DaemonConfig } from "../../daemon";
import { bringsItsOwn } from "../../node";
import { OUTSIDE_RUNTIME } from "../../outside";
import type { NodeConfig } from "../../schema";
import type { Report } from "../report";

/** A profile may only be a file if the template or the adopted machine brings it. The program copies none to the node. */
export function checkSeccomp({ machine, engine }: NodeConfig, report: Report): void {
  const profile = engine.daemon["seccomp-profile"];
  if (!profile || profile === "builtin" || profile === "unconfined") return;
  const path = "engine/daemon/seccomp-profile";
  if (!profile.startsWith("/"))
    report(path, profile, 'unset or "builtin" (the default), or an absolute path');
  else if (!bringsItsOwn(machine))
    report(
      path,
      profile,
      'unset or "builtin"; a file only with a template or an adopted machine that has it: nothing puts it onto a new one, and dockerd does not start without it',
    );
}

/** A limit as a number to compare; -1 means unlimited. */
const heightOf = (limit: number): number => (limit === -1 ? Infinity : limit);

export function checkUlimits({ engine }: NodeConfig, report: Report): void {
  for (const [key, limit] of Object.entries(engine.daemon["default-ulimits"] ?? {})) {
    const path = `engine/daemon/default-ulimits/${key}`;
    if (limit.Name !== key) report(`${path}/Name`, limit.Name, `"${key}", the same as its key`);
    if (heightOf(limit.Soft) > heightOf(limit.Hard))
      report(`${path}/Soft`, limit.Soft, `at most Hard, ${limit.Hard}`);
    // setrlimit(2): even root cannot set nofile above fs.nr_open, and unlimited is above it.
    if (key === "nofile" && limit.Hard === -1)
      report(`${path}/Hard`, -1, "a number: the kernel has no unlimited nofile");
  }
}

type Runtime = NonNullable<DaemonConfig["runtimes"]>[string];

/** Names that are not free. */
const TAKEN: Readonly<Record<string, string>> = {
  runc: "another name: runc is Docker's own",
  [OUTSIDE_RUNTIME]: `another name: ${OUTSIDE_RUNTIME} is the program's own`,
};

/** Says what is allowed instead of a runtime (setupRuntimes in moby daemon/runtime_unix.go). */
function wrongRuntime({ path, runtimeType, runtimeArgs, options }: Runtime): string | undefined {
  if (Boolean(path) === Boolean(runtimeType)) return "either a path or a runtimeType";
  if (path && options) return "no options with a path";
  if (runtimeType && runtimeArgs?.length) return "no runtimeArgs with a runtimeType";
  return undefined;
}

const STOCK = ["runc", "io.containerd.runc.v2"];

export function checkRuntimes({ engine: { daemon } }: NodeConfig, report: Report): void {
  const { runtimes = {}, "default-runtime": chosen } = daemon;
  for (const [name, runtime] of Object.entries(runtimes)) {
    const allowed = TAKEN[name] ?? wrongRuntime(runtime);
    if (allowed) report(`engine/daemon/runtimes/${name}`, runtime, allowed);
  }
  const names = ["runc", ...Object.keys(runtimes)];
  // The name of a containerd shim has a dot (isPermissibleC8dRuntimeName).
  const known = !chosen || STOCK.includes(chosen) || names.includes(chosen);
  if (!known && !/^[^./][^/]*\.[^/]+$/.test(chosen))
    report(
      "engine/daemon/default-runtime",
      chosen,
      `${names.join(", ")}; others have to be declared in runtimes`,
    );
}

/** With systemd as the driver, the parent has to be a slice (verifyDaemonSettings in moby daemon/daemon_unix.go). */
export function checkCgroups({ engine: { daemon } }: NodeConfig, report: Report): void {
  const { "cgroup-parent": parent, "exec-opts": options = [] } = daemon;
  const systemd = !options.includes("native.cgroupdriver=cgroupfs");
  if (parent !== undefined && systemd && !/^[\w:.][\w:.-]*\.slice$/.test(parent))
    report(
      "engine/daemon/cgroup-parent",
      parent,
      "a slice, such as docker.slice, with native.cgroupdriver=systemd",
    );
}
