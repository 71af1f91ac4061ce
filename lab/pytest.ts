/** Tests of the lab's Proxmox node (Python): pytest and mypy, in an environment kept in the cache. */
import { join } from "node:path";
import { buildOnce, cacheDir, contentHash } from "./lib/cache";
import { attend, run } from "./lib/run";

const FOLDER = join(__dirname, "pve");
const REQUIREMENTS = ["requirements.txt", "requirements-test.txt"].map((file) =>
  join(FOLDER, file),
);

async function main(): Promise<number> {
  const environment = await buildOnce(
    cacheDir("python", `test-${contentHash(REQUIREMENTS)}`),
    async (into) => {
      await run("python3", ["-m", "venv", into]);
      const install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "-r",
        "requirements-test.txt",
      ];
      await run(join(into, "bin", "python"), install, { cwd: FOLDER });
    },
  );
  const python = join(environment, "bin", "python");
  const start = (module: string, args: string[]): Promise<number> =>
    attend(python, ["-m", module, ...args], { cwd: FOLDER });
  return (await start("pytest", process.argv.slice(2))) || start("mypy", []);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
