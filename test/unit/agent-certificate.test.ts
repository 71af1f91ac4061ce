import { execFile, execFileSync, spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { renderScript } from "../../node/scripts";

/** What scripts do for the agent: node/agent-certificate.sh against a real TLS server with a self-signed certificate, as the agent is one. */

let folder: string;
let certificate: Buffer;
let key: Buffer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-agent-"));
  const file = (name: string): string => join(folder, name);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const into = ["-keyout", file("key.pem"), "-out", file("cert.pem")];
  const subject = ["-subj", "/CN=agent", "-nodes", "-days", "1"];
  execFileSync("openssl", ["req", "-x509", ...curve, ...subject, ...into], { stdio: "ignore" });
  certificate = readFileSync(file("cert.pem"));
  key = readFileSync(file("key.pem"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

function run(port: number, seconds: number): Promise<Result> {
  const variables = { POLL_SECONDS: "0.05", ADDRESS: "127.0.0.1", PORT: port };
  const text = renderScript("agent-certificate", { ...variables, AGENT_TIMEOUT: seconds });
  return new Promise((resolve) => {
    const child = execFile("bash", ["-s"], (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
    child.stdin?.end(text);
  });
}

test("prints the fingerprint of the certificate that is served, the same each time", async () => {
  const server = createServer({ cert: certificate, key }, (socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const expected = `${new X509Certificate(certificate).fingerprint256}\n`;
    for (let time = 0; time < 2; time++)
      expect(await run(port, 20)).toEqual({ status: 0, stdout: expected, stderr: "" });
  } finally {
    server.close();
  }
});

test("waits for an agent that does not answer yet, then says what is wrong", async () => {
  const { status, stdout, stderr } = await run(1, 1);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(
    /^docker-node: agent-certificate: the agent does not answer on https:\/\/127\.0\.0\.1:1\n.*refused/,
  );
});

test("node/agent-authority.sh writes what the agent trusts for everybody to read, and leaves earlier ones", () => {
  const at = "/var/lib/docker-node/authorities";
  for (const name of ["first", "second"]) {
    const given = { ROOT_DIR: folder, AUTHORITY: `of the ${name}`, FILE: `${at}/${name}.pem` };
    const input = renderScript("agent-authority", given);
    const { status, stdout } = spawnSync("bash", ["-s"], { input, encoding: "utf8" });
    expect([status, JSON.parse(stdout)]).toEqual([0, { file: given.FILE }]);
    expect(readFileSync(join(folder, given.FILE), "utf8")).toBe(`of the ${name}\n`);
    expect(statSync(join(folder, given.FILE)).mode & 0o777).toBe(0o444);
  }
  expect(readdirSync(join(folder, at)).sort()).toEqual(["first.pem", "second.pem"]);
  expect(statSync(join(folder, at)).mode & 0o777).toBe(0o755);
});

test("its check mode tells another content, another mode and an absent file, and changes nothing", () => {
  const file = "/var/lib/docker-node/authorities/checked.pem";
  const given = { ROOT_DIR: folder, AUTHORITY: "the certificate", FILE: file };
  const run = (mode: string): string => {
    const input = renderScript("agent-authority", { ...given, MODE: mode });
    const { status, stdout, stderr } = spawnSync("bash", ["-s"], { input, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    return stdout;
  };
  const says = (key: string, found: string, declared: string): string =>
    `${JSON.stringify({ step: "agent-authority", file, key, found, declared })}\n`;
  expect(run("check")).toBe(says("", "", "present"));
  run("apply");
  expect(run("check")).toBe("");
  const path = join(folder, file);
  chmodSync(path, 0o644);
  expect(run("check")).toBe(says("mode", "0644", "0444"));
  writeFileSync(path, "of somebody else\n");
  chmodSync(path, 0o444);
  expect(run("check")).toBe(says("", "another content", "as written"));
  expect(readFileSync(path, "utf8")).toBe("of somebody else\n");
});
