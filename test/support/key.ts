import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A private key file for the tests of a file, as the configuration names one; gone after them. */
export function privateKey(): { readonly file: string } {
  const key = { file: "" };
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "docker-node-key-"));
    key.file = join(folder, "key");
    writeFileSync(key.file, "PRIVATE KEY");
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  return key;
}
