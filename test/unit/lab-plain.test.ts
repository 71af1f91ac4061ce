import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lab } from "../../lab/lib/services";
import { typePlain } from "../lab/plain";

/** Which language host plain `pulumi` finds in a lab. `pulumi` is a script that looks for it as Pulumi does: on the PATH. */

const HOST = "pulumi-language-nodejs";
const path = process.env.PATH;
let folder: string;

const program = (dir: string, name: string, text = ""): string => {
  mkdirSync(join(folder, dir), { recursive: true });
  writeFileSync(join(folder, dir, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return join(folder, dir, name);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-plain-"));
  process.env.PATH = `${join(folder, "bin")}:/usr/bin:/bin`;
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

/** The host it finds. The lab's `pulumi` is a link to the one that is installed, as in a lab. */
async function find(): Promise<string> {
  const installed = program("pulumi", "pulumi", `command -v ${HOST}`);
  mkdirSync(join(folder, "home/bin"), { recursive: true });
  const cli = join(folder, "home/bin/pulumi");
  symlinkSync(installed, cli);
  const pulumi = { cli, home: join(folder, "home") };
  const lab = { pulumi, instance: { stateDir: folder }, credentials: { passphrase: "x" } };
  return (await typePlain(lab as unknown as Lab, ["up"])).said.trim();
}

test("the one on the PATH comes first", async () => {
  program("pulumi", HOST);
  const found = program("bin", HOST);
  expect(await find()).toBe(found);
});

test("then the one that came with pulumi", async () => {
  const found = program("pulumi", HOST);
  expect(await find()).toBe(found);
});

test("without either, the stand-in", async () => {
  expect(await find()).toMatch(/\/lab\/plugins\/language\/pulumi-language-nodejs$/);
});
