import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { BACKUP_COMMANDS, BACKUP_CONFIG } from "../../lab/images/backup";
import { entriesBelow } from "../../lab/images/debian";
import { readLayout, writeLayout } from "../../lab/images/layout";
import { buildOnce, contentHash } from "../../lab/lib/cache";
import { startMirror } from "../../lab/lib/mirror";
import { getPort } from "../../lab/lib/ports";
import { runningService, startService, stopService } from "../../lab/lib/service";
import { route } from "../../lab/services/mirror/rules";
import { createMirror } from "../../lab/services/mirror/server";
import { findUpstreams } from "../../lab/services/mirror/sources";

const DEB = "/debian/pool/main/a/a_1_all.deb";
const INDEX = "/debian/dists/trixie/InRelease";
const DATE = "Mon, 03 Nov 2025 10:00:00 GMT";
const silent = (): void => undefined;

let scratch: string;
const closers: (() => void)[] = [];
beforeEach(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), "lab-services-"));
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

async function ask(port: number, target: string, o: http.RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: target, agent: false, ...o };
    const request = http.request(options, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    request.on("connect", ({ statusCode = 0, headers }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, headers, body: "" });
    });
    request.on("error", reject).end();
  });
}

async function listen(server: http.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** An upstream archive that keeps count, and a mirror in front of it. */
async function mirrored(handler: http.RequestListener): Promise<{
  get: (target: string, o?: http.RequestOptions) => Promise<Answer>;
  asked: string[];
  goOffline: () => void;
  lines: string[];
}> {
  const asked: string[] = [];
  const lines: string[] = [];
  const archive = http.createServer((request, response) => {
    asked.push(request.url ?? "");
    handler(request, response);
  });
  const base = `http://127.0.0.1:${await listen(archive)}/debian`;
  const files = path.join(scratch, "files");
  fs.mkdirSync(files);
  fs.writeFileSync(path.join(files, "disk.img"), "0123456789");
  const mirror = createMirror({
    upstreams: { debian: base, "debian-security": `${base}-security` },
    cache: path.join(scratch, "cache"),
    files,
    docker: path.join(scratch, "docker"),
    access: (line) => lines.push(line),
  });
  const port = await listen(mirror);
  const goOffline = (): void => {
    archive.close();
    archive.closeAllConnections();
  };
  return { get: (target, o) => ask(port, target, o), asked, goOffline, lines };
}

describe("mirror rules", () => {
  it.each([
    ["GET", "/debian/pool/main/l/linux/linux_6.1%2bdeb_amd64.deb", "archive"],
    ["GET", "/debian-security/dists/trixie-security/InRelease", "archive"],
    ["HEAD", `/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/${"a".repeat(64)}`, "archive"],
    ["GET", "/debian/dists/trixie/main/binary-amd64/Packages.xz", "archive"],
    ["GET", "/files/guest.qcow2", "file"],
    ["GET", "/docker/linux/debian/dists/trixie/InRelease", "docker"],
    ["GET", "/docker/linux/debian/../../../etc/passwd", 400],
    ["GET", "/docker/", 400],
    ["POST", DEB, 405],
    ["GET", "http://elsewhere.example/debian/pool/a.deb", 400],
    ["GET", "/debian/pool/../../etc/passwd", 400],
    ["GET", "/debian/pool/%2e%2e/a.deb", 400],
    ["GET", "/debian/pool/a%2f..%2fb.deb", 400],
    ["GET", "/debian/pool//a.deb", 400],
    ["GET", "/debian/pool/a.deb?x=1", 400],
    ["GET", "/debian/pool/%zz.deb", 400],
    ["GET", "/files/.hidden", 400],
    ["GET", "/files/a/b", 404],
    ["GET", "/debian/dists/trixie", 404],
    ["GET", "/ubuntu/pool/a.deb", 404],
  ])("%s %s: %s", (method, target, expected) => {
    const found = route(method, target);
    expect(found.kind === "refused" ? found.status : found.kind).toBe(expected);
  });

  it("takes the upstream from apt's configuration, in either format, or from the override", () => {
    const parts = path.join(scratch, "sources.list.d");
    fs.mkdirSync(parts);
    const list =
      "# deb http://no.example/debian x main\ndeb [arch=amd64] http://a.example/debian/ x main\n";
    fs.writeFileSync(path.join(scratch, "sources.list"), list);
    const off = "Enabled: no\nTypes: deb\nURIs: http://off.example/debian-security\n";
    const on = "Types: deb deb-src\nURIs:\n http://b.example/x/debian-security\nSuites: s\n";
    fs.writeFileSync(path.join(parts, "d.sources"), `${off}\n# comment\n${on}`);
    expect(findUpstreams("", scratch)).toEqual({
      debian: "http://a.example/debian",
      "debian-security": "http://b.example/x/debian-security",
    });
    expect(findUpstreams("http://c.example/debian/", scratch)).toEqual({
      debian: "http://c.example/debian",
      "debian-security": "http://c.example/debian-security",
    });
  });
});

describe("mirror", () => {
  it("fetches a package once for everyone who asks meanwhile, and never again", async () => {
    const { get, asked, goOffline, lines } = await mirrored((_request, response) => {
      response.writeHead(200, { "Content-Length": 6 }).write("abc");
      setTimeout(() => response.end("def"), 100);
    });
    const answers = await Promise.all([
      get(DEB),
      get(DEB),
      get(DEB, { headers: { range: "bytes=2-3" } }),
    ]);
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, "abcdef"],
      [200, "abcdef"],
      [206, "cd"],
    ]);
    goOffline();
    expect(await get(DEB)).toMatchObject({ body: "abcdef", headers: { "x-cache": "hit" } });
    expect(asked).toEqual([DEB]);
    await sleep(20);
    expect(lines.at(-1)).toMatch(/ GET "\/debian\/pool\/.*" 200 hit \d+ms$/);
  });

  it("revalidates indices, and serves the kept one when upstream is gone", async () => {
    let conditional: string | undefined;
    const { get, asked, goOffline } = await mirrored((request, response) => {
      conditional = request.headers["if-modified-since"];
      if (conditional) response.writeHead(304).end();
      else response.writeHead(200, { "Last-Modified": DATE }).end("one");
    });
    expect(await get(INDEX)).toMatchObject({ body: "one", headers: { "x-cache": "miss" } });
    expect(await get(INDEX)).toMatchObject({ body: "one", headers: { "x-cache": "revalidated" } });
    expect(conditional).toBe(DATE);
    expect((await get(INDEX, { headers: { "if-modified-since": DATE } })).status).toBe(304);
    expect(asked).toHaveLength(3);
    goOffline();
    expect(await get(INDEX)).toMatchObject({ body: "one", headers: { "x-cache": "stale" } });
    const lost = await get(DEB);
    expect(lost.status).toBe(502);
    expect(lost.body).toMatch(/could not get this.*ECONNREFUSED/);
  });

  it("replaces an index that changed, and keeps the date of one that did not", async () => {
    let content = "one";
    const { get } = await mirrored((_request, response) => response.end(content));
    const first = await get(INDEX);
    const age = new Date(Date.parse(first.headers["last-modified"] ?? "") - 60_000);
    const kept = fs.readdirSync(path.join(scratch, "cache")).find((name) => name !== "tmp") ?? "";
    fs.utimesSync(path.join(scratch, "cache", kept, "data", INDEX), age, age);
    expect((await get(INDEX)).headers["last-modified"]).toBe(age.toUTCString());
    content = "two";
    const changed = await get(INDEX);
    expect(changed.body).toBe("two");
    expect(changed.headers["last-modified"]).not.toBe(age.toUTCString());
  });

  it("follows redirects on the same host only and passes on what is missing", async () => {
    const { get } = await mirrored((request, response) => {
      const away = request.url?.includes("away") ? "http://elsewhere.example/a.deb" : "/moved.deb";
      if (request.url === "/moved.deb") response.end("moved");
      else if (request.url?.includes("gone")) response.writeHead(404).end();
      else response.writeHead(302, { Location: away }).end();
    });
    expect((await get(DEB)).body).toBe("moved");
    expect((await get("/debian/pool/gone.deb")).status).toBe(404);
    expect(await get("/debian/pool/away.deb")).toMatchObject({
      status: 502,
      body: expect.stringContaining("another host") as string,
    });
  });

  it("keeps nothing that is incomplete or not what its name promises", async () => {
    const hash = createHash("sha256").update("good").digest("hex");
    const promised = `/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/${hash}`;
    let body = "evil";
    const { get, asked } = await mirrored((request, response) => {
      if (request.url === promised) response.end(body);
      else {
        response.writeHead(200, { "Content-Length": 100 }).write("part");
        setTimeout(() => response.destroy(), 50);
      }
    });
    await expect(get(promised)).rejects.toThrow(/aborted|hang up/);
    await expect(get(DEB)).rejects.toThrow(/aborted|hang up/);
    await expect(get(DEB)).rejects.toThrow(/aborted|hang up/);
    body = "good";
    expect((await get(promised)).body).toBe("good");
    expect(asked).toHaveLength(4);
    expect(fs.readdirSync(path.join(scratch, "cache", "tmp"))).toEqual([]);
  });

  it("serves the lab's files, in parts too, and is no proxy", async () => {
    const { get, asked } = await mirrored((_request, response) => response.end());
    const range = (value: string): Promise<Answer> =>
      get("/files/disk.img", { headers: { range: value } });
    const head = await get("/files/disk.img", { method: "HEAD" });
    expect(head).toMatchObject({ status: 200, body: "", headers: { "content-length": "10" } });
    expect(await range("bytes=-3")).toMatchObject({ status: 206, body: "789" });
    expect(await range("bytes=8-99")).toMatchObject({
      body: "89",
      headers: { "content-range": "bytes 8-9/10" },
    });
    expect((await range("bytes=10-")).status).toBe(416);
    expect((await range("lines=1-2")).body).toBe("0123456789");
    const other = { range: "bytes=1-2", "if-range": '"other"' };
    expect((await get("/files/disk.img", { headers: other })).status).toBe(200);
    expect((await get("/files/none")).status).toBe(404);
    expect((await get("elsewhere.example:443", { method: "CONNECT" })).status).toBe(405);
    expect((await get("http://elsewhere.example/files/disk.img")).status).toBe(400);
    expect(asked).toEqual([]);
  });
});

describe("services", () => {
  const script = (text: string): { command: string; args: string[] } => ({
    command: process.execPath,
    args: ["-e", text],
  });
  const waiting = "setInterval(() => {}, 1000);";
  const ready = (): Promise<boolean> => Promise.resolve(true);
  const alive = (pid: number): boolean =>
    fs.existsSync(`/proc/${pid}`) && !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "utf8"));

  it("starts the mirror as a process of its own, finds it again and stops it", async () => {
    process.env["DOCKER_NODE_CACHE"] = path.join(scratch, "cache");
    closers.push(() => delete process.env["DOCKER_NODE_CACHE"]);
    const [files, docker] = [path.join(scratch, "files"), path.join(scratch, "docker")];
    const o = { stateDir: path.join(scratch, "state"), files, docker };
    const mirror = await startMirror(o, silent);
    fs.writeFileSync(path.join(o.files, "a"), "A");
    expect((await ask(mirror.port, "/files/a")).body).toBe("A");
    expect((await ask(mirror.port, "/docker/linux/debian/gpg")).status).toBe(404);
    fs.mkdirSync(path.join(scratch, "repository/linux/debian"), { recursive: true });
    fs.writeFileSync(path.join(scratch, "repository/linux/debian/gpg"), "key");
    fs.symlinkSync("repository", docker);
    expect((await ask(mirror.port, "/docker/linux/debian/gpg")).body).toBe("key");
    expect(await startMirror(o, silent)).toEqual(mirror);
    await stopService(o.stateDir, "mirror");
    expect(alive(mirror.pid)).toBe(false);
    expect(runningService(o.stateDir, "mirror")).toBeUndefined();
    expect(fs.readFileSync(path.join(o.stateDir, "mirror.log"), "utf8")).toMatch(
      /"\/files\/a" 200/,
    );
    expect(await getPort(o.stateDir, "mirror")).toBe(mirror.port);
  }, 30_000);

  it("gets a port that nobody else is given before it listens", async () => {
    const labs = path.join(scratch, ".lab");
    const range = fs.readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
    const ports: number[] = [];
    for (const lab of ["a", "b"])
      for (let vm = 0; vm < 50; vm++) ports.push(await getPort(path.join(labs, lab), `ssh-${vm}`));
    expect(new Set(ports).size).toBe(100);
    expect(Math.max(...ports)).toBeLessThan(Number(range.split(/\s/)[0]));
    expect(await getPort(path.join(labs, "a"), "ssh-0")).toBe(ports[0]);
  });

  it("stops what a service started, by force if it must", async () => {
    const children = path.join(scratch, "child");
    const stubborn = `process.on("SIGTERM", () => {}); ${waiting}`;
    const text = `const c = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(stubborn)}]);
      require("fs").writeFileSync(${JSON.stringify(children)}, String(c.pid)); ${waiting}`;
    const spec = { name: "x", ...script(text), stateDir: scratch };
    const started = (): Promise<boolean> => Promise.resolve(fs.existsSync(children));
    const { pid } = await startService({ ...spec, ready: started }, silent);
    await sleep(300); // the child must have its handler
    const child = Number(fs.readFileSync(children, "utf8"));
    await stopService(scratch, "x", 500);
    expect([alive(pid), alive(child)]).toEqual([false, false]);
  }, 30_000);

  it("leaves a process alone that only has the recorded number", async () => {
    const { pid } = await startService(
      { name: "x", ...script(waiting), stateDir: scratch, ready },
      silent,
    );
    const file = path.join(scratch, "x.pid");
    const record = JSON.parse(fs.readFileSync(file, "utf8")) as object;
    fs.writeFileSync(file, JSON.stringify({ ...record, startTime: "1" }));
    expect(runningService(scratch, "x")).toBeUndefined();
    await stopService(scratch, "x");
    expect(alive(pid)).toBe(true);
    fs.writeFileSync(file, JSON.stringify(record));
    await stopService(scratch, "x");
    expect(alive(pid)).toBe(false);
  });

  it("reports the log of a service that does not start", async () => {
    const spec = { stateDir: scratch, ready: () => Promise.resolve(false), timeoutMs: 3000 };
    const failing = script('console.error("no luck"); process.exit(3)');
    await expect(startService({ ...spec, name: "x", ...failing }, silent)).rejects.toThrow(
      /x: exited \(3\)\nno luck/,
    );
    const missing = { ...spec, name: "y", command: "/nonexistent", args: [] };
    await expect(startService(missing, silent)).rejects.toThrow(/y: .*ENOENT/);
    const slow = { ...spec, name: "z", ...script(waiting), timeoutMs: 300 };
    await expect(startService(slow, silent)).rejects.toThrow(/no answer within 0.3 s/);
    expect(runningService(scratch, "z")).toBeUndefined();
  });
});

describe("images and cache", () => {
  const files = [
    { path: "bin/tool", mode: 0o755, content: Buffer.from("tool") },
    { path: "tmp", mode: 0o1777 },
    { path: "bin/link", target: "/bin/tool" },
  ];

  it("writes images with the same digest each time, in whatever order their files come", async () => {
    const image = { repository: "lab/tool", tag: "1", files, config: { Cmd: ["tool"] } };
    const written = await writeLayout(scratch, image);
    expect(readLayout(scratch)).toEqual(written);
    expect(await writeLayout(scratch, { ...image, files: [...files].reverse() })).toEqual(written);
  });

  it("writes layers that tar unpacks: root's, without a time, long names too", async () => {
    const long = { path: `${"long/".repeat(30)}name`, content: Buffer.alloc(70_000, "lab") };
    await writeLayout(scratch, { repository: "a", tag: "1", files: [...files, long], config: {} });
    const blobs = path.join(scratch, "blobs/sha256");
    const layer = fs.readdirSync(blobs).find((name) => {
      const start = fs.readFileSync(path.join(blobs, name)).subarray(0, 2);
      return start.equals(Buffer.from([0x1f, 0x8b]));
    });
    const listing = ["--utc", "--numeric-owner", "-tvzf", path.join(blobs, layer ?? "")];
    const listed = spawnSync("tar", listing, {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });
    const lines = listed.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/ +/g, " "));
    expect(listed.stderr).toBe("");
    expect(lines.filter((line) => !line.includes("long"))).toEqual([
      "drwxr-xr-x 0/0 0 1970-01-01 00:00 bin/",
      "lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin/link -> /bin/tool",
      "-rwxr-xr-x 0/0 4 1970-01-01 00:00 bin/tool",
      "drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/",
    ]);
    expect(lines).toContain(`-rw-r--r-- 0/0 70000 1970-01-01 00:00 ${long.path}`);
  });

  it("takes a tree as entries: modes and links, whoever owns it", () => {
    fs.mkdirSync(path.join(scratch, "tree/usr/bin"), { recursive: true });
    fs.writeFileSync(path.join(scratch, "tree/usr/bin/tool"), "tool", { mode: 0o755 });
    fs.chmodSync(path.join(scratch, "tree/usr"), 0o1777);
    fs.symlinkSync("usr/bin", path.join(scratch, "tree/bin"));
    expect(entriesBelow(path.join(scratch, "tree"))).toEqual([
      { path: "bin", target: "usr/bin" },
      { path: "usr", mode: 0o1777 },
      { path: "usr/bin", mode: 0o755 },
      { path: "usr/bin/tool", mode: 0o755, content: Buffer.from("tool") },
    ]);
  });

  it("starts and checks the backup container as its Dockerfile does", () => {
    const file = path.join(__dirname, "../../node/backup/Dockerfile");
    const text = fs.readFileSync(file, "utf8");
    const { Healthcheck, Entrypoint } = BACKUP_CONFIG;
    const minutes = (nanoseconds = 0): number => nanoseconds / 60e9;
    expect(text).toContain(`ENTRYPOINT ${JSON.stringify(Entrypoint)}`);
    expect(text).toContain(
      `HEALTHCHECK --interval=${minutes(Healthcheck?.Interval)}m --timeout=30s ` +
        `--start-period=${minutes(Healthcheck?.StartPeriod)}m --retries=1 CMD ["healthcheck"]`,
    );
    expect(text).toContain(`for command in ${BACKUP_COMMANDS.join(" ")}; do`);
  });

  it("hashes contents, not places or times", () => {
    for (const name of ["one/src", "two/src"])
      fs.mkdirSync(path.join(scratch, name), { recursive: true });
    const [one, two] = ["one/src", "two/src"].map((name) => path.join(scratch, name)) as [
      string,
      string,
    ];
    for (const directory of [one, two]) fs.writeFileSync(path.join(directory, "a"), "A");
    fs.utimesSync(path.join(two, "a"), 1, 1);
    expect(contentHash([one])).toBe(contentHash([two]));
    expect(contentHash([one])).not.toBe(contentHash([one], "other flags"));
    fs.writeFileSync(path.join(one, "main_test.go"), "package main");
    expect(contentHash([one])).toBe(contentHash([two]));
    fs.chmodSync(path.join(two, "a"), 0o755);
    expect(contentHash([one])).not.toBe(contentHash([two]));
  });

  it("builds once, together or one after the other, and again after a failure", async () => {
    const dir = path.join(scratch, "built");
    await expect(buildOnce(dir, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    let builds = 0;
    const build = async (into: string): Promise<void> => {
      builds++;
      await sleep(50);
      fs.writeFileSync(path.join(into, "done"), "");
    };
    fs.writeFileSync(`${dir}.lock`, "4194305"); // no process can have this number
    await Promise.all([buildOnce(dir, build), buildOnce(dir, build)]);
    await buildOnce(dir, build);
    expect(builds).toBe(1);
    expect(fs.readdirSync(scratch)).toEqual(["built"]);
  });
});
