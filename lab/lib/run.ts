/** Runs programs to their end. */
import { execFile } from "node:child_process";

/** Runs a program without a shell. Returns its standard output; throws an error with its message if it fails. */
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

/** Options of a build. */
export interface GoOptions {
  tags?: readonly string[];
  /** Further flags for the linker. */
  ldflags?: string;
  /** Flags for the compiler, as in `go build -gcflags`. */
  gcflags?: string;
  /** Builds with C, for programs that need it. They are linked statically, too. */
  cgo?: boolean;
  /** What of Go's is new and has to be asked for, as in GOEXPERIMENT. */
  experiments?: readonly string[];
}

/** Flags and environment of a compilation. The user's own Go settings must not change the result. */
export function goSettings({
  tags = [],
  gcflags = "",
  cgo = false,
  experiments = [],
}: GoOptions = {}): { flags: string[]; env: Record<string, string> } {
  const platform = { CGO_ENABLED: cgo ? "1" : "0", GOOS: "linux", GOARCH: "amd64" };
  const own = { GOFLAGS: "", GOWORK: "off", GOEXPERIMENT: experiments.join(",") };
  const flags = ["-trimpath", "-buildvcs=false"];
  if (gcflags) flags.push(`-gcflags=${gcflags}`);
  if (tags.length > 0) flags.push(`-tags=${tags.join(",")}`);
  return { flags, env: { ...platform, ...own } };
}

/** Builds a static program for linux/amd64 from a Go module. The result does not depend on the module's location. */
export async function buildGo(
  module: string,
  pkg: string,
  output: string,
  options: GoOptions = {},
): Promise<void> {
  const { ldflags = "", cgo = false } = options;
  const { flags, env } = goSettings(options);
  const linker = ["-s -w -buildid=", cgo ? "-linkmode external -extldflags -static" : "", ldflags];
  const linked = `-ldflags=${linker.filter(Boolean).join(" ")}`;
  const timeoutMs = 40 * 60_000;
  await run("go", ["build", ...flags, linked, "-o", output, pkg], { cwd: module, env, timeoutMs });
}
