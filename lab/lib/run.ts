/** Runs programs to their end. */
import { spawn } from "node:child_process";
import { ask, type Command } from "../../clients/process";

/** How a program is run, beside its arguments. */
export interface RunOptions extends Pick<Command, "cwd" | "env"> {
  /** Default: 20 minutes. */
  readonly timeoutMs?: number;
}

/** Runs a program without a shell. Returns its standard output; throws an error with its message if it fails. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env, timeoutMs = 20 * 60_000 }: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await ask({ program, args, cwd, env, limitMs: timeoutMs });
  if (code === 0) return stdout;
  const said = stderr.trim().split("\n").slice(-15).join("\n");
  const reason = code === undefined ? "is not installed here" : said || `ended with ${code}`;
  throw new Error(`${program} ${args[0] ?? ""}: ${reason}`);
}

/**
 * Runs a program at this terminal. Returns its exit status; 1 after a signal. Ctrl-C reaches the program directly; this process only has
 * to wait for its end.
 */
export function attend(
  program: string,
  args: readonly string[],
  { cwd, env }: Omit<RunOptions, "timeoutMs"> = {},
): Promise<number> {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
  const wait = (): void => undefined;
  process.on("SIGINT", wait);
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      resolve(status ?? 1);
    });
  });
  return ended.finally(() => {
    process.off("SIGINT", wait);
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
