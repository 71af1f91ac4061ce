import { mkdtempSync, mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentHash } from "../../lab/lib/cache";
import { readCredentials, type Instance } from "../../lab/lib/instance";
import { movePlace, placeOf, type Place } from "../../lab/lib/place";
import { ageOf, savedAs, savedNames } from "../../lab/lib/saved";
import type { Lab } from "../../lab/lib/services";
import { labConfig } from "../../lab/lib/config";
import program from "../../index";
import { keyPair } from "../support/key";
import { settle, startPulumi } from "../support/mocks";

/** Labs that are saved as files, and become another instance. */

const root = mkdtempSync(join(tmpdir(), "docker-node-saved-"));
afterAll(() => {
  rmSync(root, { recursive: true });
});

const PORTS = ["mirror", "registry", "pbs", "pve", "ssh-2019", "agent-2019"];

/** An instance with a key, and ports from `first` on. */
function place(name: string, first: number): Place {
  const stateDir = join(root, ".lab", name);
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(join(stateDir, "id_ed25519"), keyPair("lab").text, { mode: 0o600 });
  PORTS.forEach((service, n) => {
    writeFileSync(join(stateDir, `${service}.port`), `${first + n}\n`);
  });
  return placeOf({ stateDir } as Instance);
}

/** As much of a running lab as its configuration takes. */
function labAt({ stateDir, ports }: Place): Lab {
  const image = { repository: "docker-node/x", tag: "1", digest: `sha256:${"a".repeat(64)}` };
  return {
    instance: { stateDir },
    credentials: {
      publicKey: keyPair("lab").publicKey,
      privateKeyFile: join(stateDir, "id_ed25519"),
    },
    endpoint: `https://127.0.0.1:${ports.pve ?? 0}`,
    image: { sha256: "b".repeat(64) },
    imageUrl: `http://127.0.0.1:${ports.mirror ?? 0}/files/guest.qcow2`,
    images: { agent: image, backup: image },
    forwards: { "2019": { ssh: ports["ssh-2019"], agent: ports["agent-2019"] } },
    pbs: {
      port: ports.pbs,
      fingerprint: Array(32).fill("AB").join(":"),
      storageToken: { id: "pve@pbs!pbs01" },
      backupTokens: { "proj-docker02": { id: "backup@pbs!proj-docker02" } },
    },
  } as unknown as Lab;
}

/** What the program asks Pulumi for in a lab: what its state is made of. */
async function graphOf(lab: Lab): Promise<unknown> {
  const config = Object.entries(labConfig(lab)).map(([name, value]) => [
    `docker-node:${name}`,
    JSON.stringify(value),
  ]);
  const recorder = await startPulumi({
    config: {
      ...(Object.fromEntries(config) as Record<string, string>),
      "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
      "docker-node:agentSecret": "a-secret-of-some-length",
    },
  });
  const outputs = await program();
  await settle(recorder);
  return JSON.parse(JSON.stringify([recorder.resources, outputs]));
}

describe("the state of a lab in another place", () => {
  const from = place("test", 12_000);
  const to = place("test-2", 12_003);

  test("is what the program would ask for there", async () => {
    const [here, there] = [await graphOf(labAt(from)), await graphOf(labAt(to))];
    expect(here).not.toEqual(there);
    expect(movePlace(here, from, to)).toEqual(there);
  });

  test("has secrets, which are JSON in JSON, in that place too", () => {
    const secret = (value: unknown): object => ({ plaintext: JSON.stringify(value) });
    const connection = { host: "127.0.0.1", port: 12_004, user: "ubuntu" };
    expect(movePlace([secret(connection), secret("127.0.0.1:12004")], from, to)).toEqual([
      secret({ ...connection, port: 12_007 }),
      secret("127.0.0.1:12007"),
    ]);
  });

  test("leaves alone what only looks like the place", () => {
    const others = [12_004, "127.0.0.1:120049", { cores: 12_004 }, { port: 22 }];
    const folders = [`${from.stateDir}-3/key`, `${from.stateDir}s`];
    expect(movePlace([...others, ...folders], from, to)).toEqual([...others, ...folders]);
  });
});

test("credentials that came with a saved lab name the key where it is now", async () => {
  const { stateDir } = place("loaded", 13_000);
  const kept = { privateKeyFile: "/elsewhere/id_ed25519", publicKey: "ssh-ed25519 AAAA lab" };
  writeFileSync(join(stateDir, "credentials.json"), JSON.stringify(kept));
  const { privateKeyFile, publicKey } = await readCredentials({ stateDir } as Instance);
  expect([privateKeyFile, publicKey]).toEqual([join(stateDir, "id_ed25519"), kept.publicKey]);
});

describe("saved labs in the cache", () => {
  const cache = process.env.DOCKER_NODE_CACHE;
  beforeAll(() => {
    process.env.DOCKER_NODE_CACHE = join(root, "cache");
  });
  afterAll(() => {
    if (cache === undefined) delete process.env.DOCKER_NODE_CACHE;
    else process.env.DOCKER_NODE_CACHE = cache;
  });

  test("are those that were saved whole, and have an age", () => {
    expect(savedNames()).toEqual([]);
    for (const name of ["whole", "half"]) mkdirSync(savedAs(name), { recursive: true });
    const savedAt = Date.now() - 60_000;
    writeFileSync(join(savedAs("whole"), "saved.json"), JSON.stringify({ savedAt }));
    expect(savedNames()).toEqual(["whole"]);
    expect(ageOf(savedAs("whole"))).toBeGreaterThanOrEqual(60_000);
    expect(ageOf(savedAs("half"))).toBeUndefined();
  });

  test.each([undefined, "", "Upper", "../out", "x".repeat(33)])("none is called %s", (name) => {
    expect(() => savedAs(name)).toThrow(/name of a saved lab: ".*"; allowed: 1 to 32 lower-case/);
  });
});

test("what tools leave beside sources does not make them other sources", () => {
  const sources = join(root, "sources");
  mkdirSync(join(sources, ".mypy_cache"), { recursive: true });
  writeFileSync(join(sources, "a.py"), "pass");
  const before = contentHash([sources]);
  writeFileSync(join(sources, ".mypy_cache", "a.json"), "{}");
  utimesSync(join(sources, "a.py"), 0, 0);
  expect(contentHash([sources])).toBe(before);
  writeFileSync(join(sources, "a.py"), "fail");
  expect(contentHash([sources])).not.toBe(before);
});
