/** What the benchmark runs on a node: the scripts run here, with small programs in place of docker, systemctl and auditctl. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { renderScript, type ScriptName, type ShellVariables } from "../../node/scripts";

let home: string;
let root: string;
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), "docker-node-benchmark-"));
  root = join(home, "root");
  fs.mkdirSync(join(home, "bin"));
});
afterEach(() => {
  fs.rmSync(home, { recursive: true, force: true });
});

const put = (path: string, text = "", mode = 0o644): void => {
  const file = join(root, path);
  fs.mkdirSync(join(file, ".."), { recursive: true });
  fs.writeFileSync(file, text);
  fs.chmodSync(file, mode);
};

/** A program that answers by its arguments, `*` for any. */
const fake = (name: string, answers: Readonly<Record<string, string>>): void => {
  const cases = Object.entries(answers).map(([args, text]) => {
    const file = join(home, `answer-${String(fs.readdirSync(home).length)}`);
    fs.writeFileSync(file, text);
    return `${args.replaceAll(" ", String.raw`\ `)}) cat '${file}' ;;`;
  });
  const text = `#!/bin/bash\ncase "$*" in\n${cases.join("\n")}\nesac\n`;
  fs.writeFileSync(join(home, "bin", name), text, { mode: 0o755 });
};

function run(name: ScriptName, variables: ShellVariables = {}) {
  const env = {
    PATH: [join(home, "bin"), process.env["PATH"] ?? ""].join(delimiter),
    ROOT_DIR: root,
  };
  const input = renderScript(name, { LIMIT: 60, ...variables });
  const { status, stdout, stderr } = spawnSync("bash", ["-s"], { input, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("facts", () => {
  beforeEach(() => {
    fake("systemctl", {
      "show --property=MainPID*": "42\n",
      "show --property=FragmentPath*": "/usr/lib/systemd/system/docker.service\n\n",
    });
    fake("auditctl", {
      "-l": "-w /etc/docker/ -p wa -k docker\n-a always,exit -S all -F path=/usr/sbin/runc -F perm=wa -F key=docker\n",
    });
    fake("findmnt", { "*": "/\n/var/lib/docker\n" });
    fake("getent", { "group docker": "docker:x:999:ubuntu,astronomer\n" });
    put("proc/42/cmdline", "/usr/sbin/dockerd\0-H\0fd://\0");
    put("etc/docker/daemon.json", '{"icc": false, "tlskey": "/etc/docker/key.pem"}', 0o600);
    put("etc/docker/key.pem", "", 0o400);
    put("etc/docker/certs.d/registry/ca.crt", "", 0o444);
    put("usr/sbin/dockerd", "", 0o755);
    put("usr/lib/systemd/system/docker.service");
    put("etc/environment", "DOCKER_CONTENT_TRUST=1\n");
  });
  const docker = (containers: string, volumes: { Name: string; Options: unknown }[] = []): void => {
    fake("docker", {
      "*info*": '{"Driver":"overlay2"}\n',
      "*network bridge": '[{"Name":"bridge"}]\n',
      "*ps*": containers,
      "*--type container c1": '[{"Name":"/web"}]\n',
      "*volume ls*": volumes.map(({ Name }) => `${Name}\n`).join(""),
      "*--type volume *": JSON.stringify(volumes),
      "*image ls*": "i1\ni1\n",
      "*--type image i1": '[{"Id":"i1"}]\n',
    });
  };

  test("are what the node's own programs and files say", () => {
    docker("c1\n", [
      { Name: "own", Options: null },
      { Name: "root", Options: { type: "none", o: "ro,bind", device: "/" } },
      { Name: "nas", Options: { type: "cifs", o: "password=bind", device: "//nas/share" } },
    ]);
    const { status, stdout, stderr } = run("benchmark/facts");
    expect([status, stderr]).toEqual([0, ""]);
    const { files, ...facts } = JSON.parse(stdout) as { files: { path: string; mode: number }[] };
    expect(facts).toEqual({
      command: ["/usr/sbin/dockerd", "-H", "fd://"],
      config: { icc: false, tlskey: "/etc/docker/key.pem" },
      info: { Driver: "overlay2" },
      bridge: [{ Name: "bridge" }],
      audited: ["/etc/docker", "/usr/sbin/runc"],
      mounts: ["/", "/var/lib/docker"],
      group: ["ubuntu", "astronomer"],
      contentTrust: true,
      containers: [{ Name: "/web" }],
      images: [{ Id: "i1" }],
      volumes: [{ name: "root", device: "/" }],
    });
    expect(files.map(({ path, mode }) => `${path} ${mode.toString(8)}`)).toEqual([
      "/etc/docker 755",
      "/etc/docker/certs.d/registry/ca.crt 444",
      "/etc/docker/daemon.json 600",
      "/etc/docker/key.pem 400",
      "/usr/lib/systemd/system/docker.service 644",
      "/usr/sbin/dockerd 755",
    ]);
    const { username: owner } = userInfo();
    expect(files[0]).toMatchObject({ type: "directory", owner, real: "/etc/docker" });
  });

  test.each([
    ["-a never,exit -S all -F dir=/etc/docker -F key=docker", false],
    ["-a never,exit -F path=/usr/sbin/runc -F perm=wa", false],
    ["-w /etc/docker -p r -k docker", false],
    ["-w /etc/docker -p rx", false],
    ["-a always,exit -S all -F dir=/etc/docker -F perm=w -F key=docker", false],
    ["-a always,exit -F path=/usr/sbin/runc -F perm=xa", false],
    ["-a always,exit -S unlink,rename -F dir=/etc/docker -F key=docker", false],
    ["-a always,exit -S all -F dir=/etc/docker -F perm=wa -F uid=4242", false],
    ["-a always,exit -F arch=b32 -S all -F dir=/etc/docker", false],
    ["-w /etc/docker/ -p rwxa", true],
    ["-w /etc/docker -p wa -k docker", true],
    ["-a always,exit -S all -F dir=/etc/docker -F key=docker", true],
    ["-a always,exit -F arch=b64 -S all -F dir=/etc/docker -F perm=wa -F key=docker", true],
    ["-a always,exit -F perm=rwa -F dir=/etc/docker -F key=a -F key=b", true],
  ])("the audit rule %s counts: %s", (rule, counts) => {
    docker("");
    fake("auditctl", { "-l": `${rule}\n` });
    const { audited } = JSON.parse(run("benchmark/facts").stdout) as { audited: string[] };
    expect(audited).toEqual(counts ? ["/etc/docker"] : []);
  });

  test("are complete on a node without containers and configuration", () => {
    docker("");
    fs.rmSync(join(root, "etc"), { recursive: true });
    const facts = JSON.parse(run("benchmark/facts").stdout) as object;
    expect(facts).toMatchObject({ containers: [], config: {}, contentTrust: false });
  });

  test("a docker that does not answer, or that systemd does not run, is told", () => {
    fs.writeFileSync(join(home, "bin/docker"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    expect(run("benchmark/facts").stderr).toContain("benchmark: Docker does not answer");
    docker("");
    fake("systemctl", { "*": "0\n" });
    const { status, stderr } = run("benchmark/facts");
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("dockerd does not run as docker"),
    ]);
  });
});

describe("the official script", () => {
  const FILE = "docker-bench-security.sh";
  const prepare = (text: string): string => {
    fs.mkdirSync(join(root, "var/tmp"), { recursive: true });
    const folder = run("benchmark/official", { ACTION: "prepare" })
      .stdout.trim()
      .slice(root.length);
    put(join(folder, FILE), text);
    return folder;
  };

  test("runs in its folder, gives its results, and is gone", () => {
    const folder = prepare(
      '[ "$1 $2" = "-b -l" ] && echo "{}" >"$3.json"; ls "./${0##*/}" >/dev/null',
    );
    const { status, stdout } = run("benchmark/official", { ACTION: "run", FOLDER: folder, FILE });
    expect([status, stdout]).toEqual([0, "{}\n"]);
    expect(fs.existsSync(join(root, folder))).toBe(false);
  });

  test("is reported if it fails or prints nothing, and is removed as well", () => {
    const folder = prepare("echo no such thing; exit 3");
    const { status, stderr } = run("benchmark/official", { ACTION: "run", FOLDER: folder, FILE });
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("ended with status 3\nno such thing"),
    ]);
    expect(fs.existsSync(join(root, folder))).toBe(false);
    const mute = { ACTION: "run", FOLDER: prepare("true"), FILE };
    expect(run("benchmark/official", mute).stderr).toContain("wrote no results");
  });

  test.each(["/etc", "/var/tmp/docker-node-benchmark.x/../../etc"])(
    "never removes %s",
    (FOLDER) => {
      put("etc/passwd");
      put("var/tmp/docker-node-benchmark.x/y");
      const { status, stderr } = run("benchmark/official", { ACTION: "run", FOLDER, FILE });
      expect([status, stderr]).toEqual([1, expect.stringContaining("refused: FOLDER")]);
      expect(fs.existsSync(join(root, "etc/passwd"))).toBe(true);
    },
  );
});
