import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RELEASES } from "../../lab/docker/releases";
import { cacheDir } from "../../lab/lib/cache";
import { daemonProblems, rendered } from "../support/daemon";
import { ACCEPTED, REFUSED } from "../support/daemon-shapes";

test.each(ACCEPTED)("$name is rendered as intended", ({ file }) => {
  expect(daemonProblems(file)).toEqual([]);
  const daemon = rendered(file);
  expect(daemon).toMatchObject(file);
  // Nothing of another driver's is left among the options.
  if (file["log-driver"] && file["log-driver"] !== "json-file")
    expect(daemon["log-opts"]).toEqual(file["log-opts"]);
});

test.each(REFUSED)("$name is refused for a stated reason", ({ file, refused }) => {
  const found = daemonProblems(file);
  expect(found).toHaveLength(refused.length);
  for (const reason of refused) expect(found.join("\n")).toContain(reason);
});

/**
 * A real dockerd, where there is one: `DOCKERD=/path`, the newest release that the lab has built, or the machine's own. It only
 * reads; no daemon is started.
 */
const dockerd =
  process.env.DOCKERD ??
  builtByLab() ??
  spawnSync("bash", ["-c", "type -P dockerd"], { encoding: "utf8" }).stdout.trim();

function builtByLab(): string | undefined {
  const folder = cacheDir("docker");
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const built = names.filter((name) => name.startsWith(`dockerd-${RELEASES[1]}-`));
  return built.map((name) => join(folder, name, "dockerd")).find((path) => existsSync(path));
}

(dockerd ? test : test.skip).each(ACCEPTED)("dockerd --validate takes $name", ({ file }) => {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-validate-"));
  try {
    const path = join(folder, "daemon.json");
    // The proxy is a program of the packages, which need not be here.
    writeFileSync(path, JSON.stringify({ "userland-proxy": false, ...rendered(file) }));
    const { status, stderr } = spawnSync(dockerd, ["--validate", "--config-file", path], {
      encoding: "utf8",
    });
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
