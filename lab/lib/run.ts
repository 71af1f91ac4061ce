/** Running programs to their end. */
import { execFile } from "node:child_process";

/** Runs a program without a shell; returns its standard output, or throws with what it complained of. */
export async function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<string> {
  const { cwd, timeoutMs = 20 * 60_000 } = options;
  const env = { ...process.env, ...options.env };
  const limits = { maxBuffer: 64 * 1024 * 1024, timeout: timeoutMs };
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, env, ...limits }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else {
        const reason = stderr.trim().split("\n").slice(-15).join("\n") || error.message;
        reject(new Error(`${command} ${args[0] ?? ""}: ${reason}`));
      }
    });
  });
}

/** How a program differs from a plain one. */
export interface GoOptions {
  tags?: readonly string[];
  /** For the linker, beside what every program gets. */
  ldflags?: string;
  /** For the compiler, as `go build -gcflags` has them. */
  gcflags?: string;
  /** With C, for what Go alone cannot do; linked statically all the same. */
  cgo?: boolean;
}

/** Builds a static program for linux/amd64 from a Go module, the same bytes wherever it lies. */
export async function goBuild(
  module: string,
  pkg: string,
  output: string,
  { tags = [], ldflags = "", gcflags = "", cgo = false }: GoOptions = {},
): Promise<void> {
  // The user's own Go settings must not change what comes out.
  const env = { CGO_ENABLED: cgo ? "1" : "0", GOOS: "linux", GOARCH: "amd64" };
  const own = { ...env, GOFLAGS: "", GOWORK: "off" };
  const linker = ["-s -w -buildid=", cgo ? "-linkmode external -extldflags -static" : "", ldflags];
  const flags = ["-trimpath", "-buildvcs=false", `-ldflags=${linker.filter(Boolean).join(" ")}`];
  if (gcflags) flags.push(`-gcflags=${gcflags}`);
  const tagged = tags.length > 0 ? [`-tags=${tags.join(",")}`] : [];
  const timeoutMs = 40 * 60_000;
  await run("go", ["build", ...flags, ...tagged, "-o", output, pkg], {
    cwd: module,
    env: own,
    timeoutMs,
  });
}
