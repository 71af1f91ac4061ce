import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { merge } from "../../config/load";
import { readPrivateKey, readPrivateKeys } from "../../config/private-keys";
import runStack from "../../index";
import { keyPair, privateKey } from "../support/key";
import { settle, startPulumi } from "../support/mocks";
import { prodNode, prodWith } from "../support/settings";

/** Private keys that would lock their user out, or stop an `up` half way, are refused before anything is touched. */

let folder: string;
const at = (name: string): string => join(folder, name);
const key = privateKey();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-keys-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function generate(name: string, ...options: string[]): string {
  execFileSync("ssh-keygen", ["-q", "-N", "", "-C", "me", "-f", at(name), ...options]);
  return at(name);
}
const publicHalf = (file: string): string => readFileSync(`${file}.pub`, "utf8").trim();

function changed(name: string, change: (text: string) => string, mode = 0o600): string {
  writeFileSync(at(name), change(readFileSync(key.file, "utf8")), { mode });
  return at(name);
}

describe("a key that works", () => {
  test.each([
    ["ed25519", ["-t", "ed25519"]],
    ["RSA", ["-t", "rsa", "-b", "2048"]],
    ["ECDSA, 256 bits", ["-t", "ecdsa", "-b", "256"]],
    ["ECDSA, 521 bits", ["-t", "ecdsa", "-b", "521"]],
    ["RSA as PEM", ["-t", "rsa", "-b", "2048", "-m", "PEM"]],
    ["ECDSA as PEM", ["-t", "ecdsa", "-m", "PEM"]],
    ["RSA as PKCS #8", ["-t", "rsa", "-b", "2048", "-m", "PKCS8"]],
    ["ECDSA as PKCS #8", ["-t", "ecdsa", "-b", "384", "-m", "PKCS8"]],
  ])("is read with its public half: %s", (name, options) => {
    const file = generate(name.replaceAll(/\W/g, "-"), ...options);
    const text = readFileSync(file, "utf8");
    const publicKey = publicHalf(file).split(" ").slice(0, 2).join(" ");
    expect(readPrivateKey(file, ["ssh-ed25519 AAAA other", publicHalf(file)])).toEqual({
      text,
      publicKey,
    });
  });
});

describe("a key that does not", () => {
  const refused: [string, () => string, string, RegExp][] = [
    ["a file that is not there", () => at("none"), "there is no such file", /^ssh-keygen -t/],
    ["an empty file", () => changed("empty", () => " \n"), "the file is empty", /^ssh-keygen -t/],
    ["junk", () => changed("junk", () => "junk\n"), "without passphrase", /^ssh-keygen -p/],
    ["a file others may read", () => changed("open", String, 0o644), "mode 644", /^chmod 600/],
    [
      "line ends of Windows",
      () => changed("crlf", (text) => text.replaceAll("\n", "\r\n")),
      "on Windows",
      /^sed/,
    ],
    [
      "no end of the last line",
      () => changed("cut", (text) => text.trimEnd()),
      "has no newline at its end",
      /^echo >>/,
    ],
    [
      "a key cut short",
      () => changed("short", (text) => text.replace(/^.*\n.*\n-----END/m, "-----END")),
      "without passphrase",
      /^ssh-keygen -p/,
    ],
    [
      "a passphrase",
      () => generate("locked", "-N", "secret"),
      "it has a passphrase",
      /^ssh-keygen -p/,
    ],
    [
      "a passphrase on a PEM key",
      () => generate("pem", "-t", "rsa", "-m", "PEM", "-N", "secret"),
      "it has a passphrase",
      /^ssh-keygen -p/,
    ],
    [
      "the public half",
      () => {
        const file = `${generate("pair")}.pub`;
        chmodSync(file, 0o600);
        return file;
      },
      "the file holds the public half",
      /pair$/,
    ],
    [
      "PuTTY's format",
      () => changed("putty", () => "PuTTY-User-Key-File-3: ssh-ed25519\nPRIVATE KEY\n"),
      "without passphrase",
      /^ssh-keygen -p/,
    ],
  ];

  test.each(refused)("is told from what it is: %s", (_, make, found, fix) => {
    const problem = readPrivateKey(make());
    expect(problem).toMatchObject({
      found: expect.stringContaining(found) as string,
      fix: expect.stringMatching(fix) as string,
      allowed: expect.stringMatching(/^a|^the private/) as string,
    });
  });

  test.each(refused.filter(([name]) => /Windows|last line|others|passphrase$/.test(name)))(
    "OpenSSH refuses it as well: %s",
    (name, make) => {
      const file = name === "a passphrase" ? at("locked") : make();
      expect(spawnSync("ssh-keygen", ["-y", "-P", "", "-f", file]).status).not.toBe(0);
    },
  );

  test("the commands mend it", () => {
    const broken = (name: string): string => {
      copyFileSync(at(name), at(`mended-${name}`));
      return at(`mended-${name}`);
    };
    for (const name of ["crlf", "cut"]) {
      const file = broken(name);
      const problem = readPrivateKey(file);
      execFileSync("bash", ["-c", "fix" in problem ? problem.fix : ""]);
      expect(readPrivateKey(file)).toMatchObject({ publicKey: expect.any(String) as string });
    }
  });
});

describe("the program", () => {
  const other = keyPair("other").publicKey;

  async function run(ssh: object): Promise<number> {
    const raw = prodWith({});
    const recorder = await startPulumi({
      config: {
        "docker-node:proxmox": JSON.stringify(raw.proxmox),
        "docker-node:nodes": JSON.stringify({ node: merge(raw.defaults, { ssh }) }),
        "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
        "docker-node:agentSecret": "a-secret-of-some-length",
      },
    });
    try {
      await runStack();
    } finally {
      await settle(recorder);
      run.resources = recorder.resources.length;
    }
    return recorder.resources.length;
  }
  run.resources = 0;

  test("refuses to take the key out of authorized_keys that it uses, before it registers anything", async () => {
    await expect(run({ privateKeyFile: key.file, publicKeys: [other] })).rejects.toThrow(
      /nodes\.node\.ssh\.privateKeyFile: ".*"; allowed: the private half of one of ssh\.publicKeys, .*add to ssh\.publicKeys: ssh-ed25519 /,
    );
    expect(run.resources).toBe(0);
  });

  test("goes along with a rotation in two steps", async () => {
    writeFileSync(at("next"), keyPair("next").text, { mode: 0o600 });
    const [old, next] = [key.ssh.publicKeys[0] ?? "", keyPair("next").publicKey];
    expect(await run({ privateKeyFile: key.file, publicKeys: [old, next] })).toBeGreaterThan(10);
    expect(await run({ privateKeyFile: at("next"), publicKeys: [next] })).toBeGreaterThan(10);
  });

  test("names every node at once", () => {
    const node = prodNode({ ssh: { ...key.ssh, publicKeys: [other] } });
    const locked = prodNode({ ssh: { ...key.ssh, privateKeyFile: at("locked") } });
    expect(() =>
      readPrivateKeys({ nodes: { one: node, two: locked, three: prodNode({ ssh: key.ssh }) } }),
    ).toThrow(
      /^2 problems in the configuration; nothing was changed:\n {2}nodes\.one\.ssh.*\n {2}nodes\.two\.ssh.*it has a passphrase/,
    );
  });

  test("one file of a hundred nodes is one problem", () => {
    const node = prodNode({ ssh: { ...key.ssh, privateKeyFile: changed("open", String, 0o644) } });
    const names = Array.from({ length: 100 }, (_, index) => `node-${index}`);
    expect(() =>
      readPrivateKeys({ nodes: Object.fromEntries(names.map((name) => [name, node])) }),
    ).toThrow(
      /^1 problem in the configuration; nothing was changed:\n {2}nodes\.node-0\.ssh\.privateKeyFile: ".*" \(also in node-1, node-2, node-3, node-4, and 95 more\); allowed: .*mode 644/,
    );
  });
});
