import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeScratch } from "./scratch";

/** A length and what has it, as SSH writes strings (RFC 4251 section 5). */
const string = (value: string | Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
};

/** An ed25519 key pair, always the same for a name: what is rendered from it can be compared. */
export function keyPair(name: string): { readonly text: string; readonly publicKey: string } {
  const seed = Buffer.from(createHash("sha256").update(name).digest("hex"), "hex");
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const raw = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
  const half = Buffer.concat([string("ssh-ed25519"), string(raw)]);
  const secret = Buffer.concat([seed, raw]);
  const fields = Buffer.concat([Buffer.alloc(8), half, string(secret), string(name)]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (fields.length % 8)) % 8));
  // No cipher, no key derivation and its options, one key (openssh-portable, PROTOCOL.key).
  const head = Buffer.concat([
    string("none"),
    string("none"),
    string(""),
    Buffer.from([0, 0, 0, 1]),
  ]);
  const body = Buffer.concat([head, string(half), string(Buffer.concat([fields, padding]))]);
  const lines = Buffer.concat([Buffer.from("openssh-key-v1\0"), body])
    .toString("base64")
    .match(/.{1,70}/g);
  const mark = (word: string): string => `-----${word} OPENSSH PRIVATE KEY-----`;
  return {
    text: [mark("BEGIN"), ...(lines ?? []), mark("END"), ""].join("\n"),
    publicKey: `ssh-ed25519 ${half.toString("base64")} ${name}`,
  };
}

/** A private key file for the tests of a file, and what the configuration says of it; gone after them. */
export function privateKey(): {
  readonly file: string;
  readonly ssh: { readonly privateKeyFile: string; readonly publicKeys: string[] };
} {
  const { text, publicKey } = keyPair("test");
  const key = {
    file: "",
    get ssh() {
      return { privateKeyFile: this.file, publicKeys: [publicKey] };
    },
  };
  let folder: string;
  beforeAll(() => {
    folder = makeScratch();
    key.file = join(folder, "key");
    writeFileSync(key.file, text, { mode: 0o600 });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  return key;
}
