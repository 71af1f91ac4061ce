import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  changes,
  done,
  fake,
  fixtures,
  has,
  home,
  lib,
  node,
  read,
  refused,
  script,
  useNode,
  write,
} from "../support/node";
import { readFileSync } from "node:fs";

/** What the node scripts do with apt: its locks, and sources that an earlier hand has left. */

useNode();

const sources = (name: string): string => node(`apt/sources.list.d/${name}`);
const official = { PACKAGE_SOURCE: "official", VERSION: "29.10.0" };
const DOCKER = "https://download.docker.com/linux/ubuntu";

/** A program of the node in place of its fake. */
function program(name: string, text: string): void {
  const path = join(home, "bin", name);
  rmSync(path, { force: true });
  writeFileSync(path, `#!/bin/bash\n${text}\n`);
  chmodSync(path, 0o755);
}

describe("another apt at work", () => {
  const LOCKED =
    "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)\n" +
    "E: Unable to lock directory /var/lib/apt/lists/";
  const locked = (message: string) => {
    program(
      "apt-get",
      `[[ ! -e $FAKE/locked ]] || { rm "$FAKE"/locked; echo '${message}'; exit 100; }`,
    );
    // Gone after that many tries.
    program(
      "sleep",
      `n=$(($(<"$FAKE/tries") - 1)); echo $n >"$FAKE/tries"; ((n == 0)) || : >"$FAKE/locked"`,
    );
    fake("locked");
  };

  test.each([
    ["lists", LOCKED, "process 4711 (apt-get)"],
    [
      "dpkg",
      "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)",
      "process 812 (unattended-upgr)",
    ],
    [
      "dpkg, by its own word",
      "dpkg: error: dpkg frontend lock was locked by another process with pid 9\nE: x is locked by another process",
      "a process apt does not name",
    ],
  ])("is waited for longer than three tries, and named once (%s)", (_, message, holder) => {
    locked(message);
    fake("tries", "9");
    const result = lib("SCRIPT=install; apt_get update; echo done");
    expect(result).toMatchObject({ status: 0, stdout: "done\n" });
    expect(result.stderr).toMatch(/^docker-node: install: waiting for another apt: .*\n$/);
    expect(result.stderr).toContain(`waiting for another apt: ${holder}, for at most`);
  });

  test("is waited for until nine tenths of the step's limit, then named as the reason", () => {
    program("apt-get", `echo '${LOCKED}'; exit 100`);
    refused(
      lib("apt_get update", { LIMIT: "3", APT_PAUSE: "0.1" }),
      /apt-get update: another apt had not ended after [23] s\nE: Could not get lock/,
    );
  });

  describe("when Docker's packages are to be held", () => {
    const hold = "PACKAGE_SOURCE=official VERSION=29 DATA_ROOT=/x\nhold docker-ce; echo done";
    const packages = readFileSync(join(__dirname, "../../node/packages.sh"), "utf8");
    beforeEach(() => {
      fake("packages", "docker-ce 5:29.10.0-1\n");
      fake("dpkg-locked");
    });

    test("is waited for: dpkg itself does not", () => {
      program("sleep", 'rm "$FAKE/dpkg-locked"');
      const result = lib(`SCRIPT=install\n${packages}\n${hold}`);
      expect(result).toMatchObject({ status: 0, stdout: "done\n" });
      expect(result.stderr).toMatch(/^docker-node: install: waiting for another apt: .*\n$/);
      expect(changes()).toEqual(["apt-mark hold docker-ce"]);
    });

    test("is named as the reason where it does not end", () => {
      refused(
        lib(`${packages}\n${hold}`, { LIMIT: "2", APT_PAUSE: "0.1" }),
        /apt-mark hold: another apt had not ended after [12] s\ndpkg: error: dpkg frontend lock was locked/,
      );
    });
  });

  test("what a killed run left of dpkg is finished", () => {
    program("dpkg", 'echo "dpkg $*" >>"$FAKE/changes"');
    program(
      "apt-get",
      `[[ -e $FAKE/changes ]] || { echo "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."; exit 100; }`,
    );
    expect(lib("apt_get install x")).toMatchObject({ status: 0, stderr: "" });
    expect(changes()).toEqual(["dpkg --force-confold --configure -a"]);
  });
});

describe("Docker's repository that somebody else has declared", () => {
  beforeEach(() => {
    write(node("os-release"), 'ID=ubuntu\nVERSION_CODENAME=noble\nNAME="Ubuntu"\n');
    fake("madison.docker-ce", readFileSync(join(fixtures, "madison-docker-ce-noble.txt"), "utf8"));
    fake("key", "pub:-:4096\nfpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:\n");
  });

  const stock = "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu/\nSuites: noble\n";
  test.each([
    [
      "a list by Ansible's name",
      "download_docker_com_linux_ubuntu.list",
      `deb [arch=amd64 signed-by=/etc/apt/keyrings/other.gpg] ${DOCKER} noble stable\n`,
      undefined,
    ],
    [
      "a commented list with a source package line",
      "extra.list",
      `# Docker\ndeb ${DOCKER}/ noble stable\ndeb-src ${DOCKER} noble stable\n`,
      undefined,
    ],
    [
      "a list with another repository",
      "third-party.list",
      `deb http://192.0.2.1/tools noble main\ndeb [signed-by=/x y=z] ${DOCKER} noble stable\n`,
      "deb http://192.0.2.1/tools noble main\n",
    ],
    [
      "a deb822 file",
      "archive_uri-docker.sources",
      `X-Repolib-Name: Docker\nTypes: deb\nURIs: ${DOCKER}\nSuites: noble\nComponents: stable\n`,
      undefined,
    ],
    [
      "one of several stanzas",
      "all.sources",
      `${stock}\nTypes: deb\nURIs: ${DOCKER}/\nSuites: noble\nComponents: stable\n\n${stock}`,
      `${stock}\n\n\n${stock}`,
    ],
    [
      "one of several addresses",
      "both.sources",
      `Types: deb\nURIs: http://192.0.2.1/tools\n ${DOCKER}\nSuites: noble\n`,
      "Types: deb\nURIs: http://192.0.2.1/tools\nSuites: noble\n",
    ],
    [
      "a public mirror",
      "other-mirror.list",
      "deb https://mirrors.example.org/docker-ce/linux/ubuntu noble stable\n",
      undefined,
    ],
    [
      "docker.list with another vendor's line, and a mirror of before",
      "docker.list",
      "deb https://vendor.example.org/apt stable main\ndeb http://192.0.2.1/old noble stable\n",
      "deb https://vendor.example.org/apt stable main\n",
    ],
  ])("%s gives way, with a copy kept, and apt reads its sources anew", (_, name, text, left) => {
    write(sources(name), text);
    const result = script("install", official);
    done(result);
    expect(has(sources(name)) ? read(sources(name)) : undefined).toBe(left);
    expect(read(`root/var/lib/docker-node/apt/${name}`)).toBe(text);
    expect(result.stderr).toContain(`took Docker's repository out of ${join(home, sources(name))}`);
    expect(has(sources("docker.sources"))).toBe(true);
  });

  test("others are left as they are", () => {
    const text = `# deb ${DOCKER} noble stable\ndeb http://192.0.2.1/docker noble main\n`;
    write(node("apt/sources.list"), text);
    write(sources("ubuntu.sources"), stock);
    write("root/dev/virtio-ports/org.qemu.guest_agent.0", "");
    expect(script("install", official).stderr).toBe("");
    expect(read(node("apt/sources.list"))).toBe(text);
    expect(read(sources("ubuntu.sources"))).toBe(stock);
  });

  describe("on a node that has docker already", () => {
    beforeEach(() => {
      const names = ["docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin"];
      const all = [...names, "docker-compose-plugin"];
      fake("packages", all.map((name) => `${name} 5:29.10.0-1~ubuntu.24.04~noble\n`).join(""));
      write(sources("ansible.list"), `deb [signed-by=/k] ${DOCKER} noble stable\n`);
    });
    const updates = () => read("fake/calls").match(/^apt-get .*update$/gm) ?? [];

    test("apt-get update has to succeed, and is asked once", () => {
      done(script("install", official));
      expect(updates()).toHaveLength(1);
      done(script("install", official));
      expect(updates()).toHaveLength(1);
    });

    test("an update that failed is tried again by the next run", () => {
      fake("apt-broken");
      refused(script("install", official), "apt-get update failed");
      refused(script("install", official), "apt-get update failed");
      rmSync(join(home, "fake/apt-broken"));
      done(script("install", official));
    });

    test("the distribution's package takes it away as well", () => {
      fake("packages", "docker.io 28.5\n");
      fake("madison.docker.io", " docker.io | 28.5 | x\n");
      done(script("install", { PACKAGE_SOURCE: "distribution", VERSION: "28.5" }));
      expect(readdirSync(join(home, node("apt/sources.list.d")))).toEqual([]);
    });
  });
});

/** The machine's own apt, on the scratch folder alone. */
const apt = spawnSync("bash", ["-c", "type -P apt-get"], { encoding: "utf8" }).stdout.trim();
(apt ? describe : describe.skip)("with a real apt", () => {
  beforeEach(() => {
    write(node("os-release"), "ID=ubuntu\nVERSION_CODENAME=noble\n");
    for (const folder of ["lists/partial", "cache/archives/partial"])
      mkdirSync(join(home, folder), { recursive: true });
    write("status", "");
    const etc = join(home, node("apt"));
    const options = [
      ["Dir::Etc", etc],
      ["Dir::State::Lists", join(home, "lists")],
      ["Dir::Cache", join(home, "cache")],
      ["Dir::State::status", join(home, "status")],
      ["Dir::Etc::Trusted", join(home, "trusted")],
      ["APT::Sandbox::User", "root"],
    ].map(([name, value]) => `-o ${name}=${value}`);
    program("apt-get", `exec ${apt} ${options.join(" ")} "$@"`);
  });

  test("a second file for Docker's repository keeps it from reading any, and no longer does", () => {
    const other = "download_docker_com_linux_ubuntu.list";
    write(sources(other), `deb [signed-by=/etc/other.gpg] ${DOCKER} noble stable\n`);
    write(
      sources("docker.sources"),
      `Types: deb\nURIs: ${DOCKER}\nSuites: noble\nComponents: stable\nSigned-By: /etc/docker.asc\n`,
    );
    const reads = () => lib("apt-get indextargets >/dev/null");
    expect(reads().stderr).toContain("Conflicting values set for option Signed-By");
    const ours = join(home, sources("docker.sources"));
    const text = readFileSync(join(__dirname, "../../node/docker-repository.sh"), "utf8");
    expect(lib(`${text}\nset_aside ${DOCKER} ${ours}`).status).toBe(0);
    expect(reads()).toMatchObject({ status: 0, stderr: "" });
  });

  test("a second file for the distribution's archive keeps it from reading any, and no longer does", () => {
    const mirror = "http://192.0.2.9/ubuntu";
    const other = "deb http://192.0.2.1/tools noble main\n";
    write(sources("mirror.list"), `deb ${mirror}/ noble main\n${other}`);
    write(
      sources("docker-node-distribution.sources"),
      `Types: deb\nURIs: ${mirror}\nSuites: noble\nComponents: main\nSigned-By: /usr/share/keyrings/ubuntu.gpg\n`,
    );
    const reads = () => lib("apt-get indextargets >/dev/null");
    expect(reads().stderr).toContain("Conflicting values set for option Signed-By");
    const use = `SCRIPT=install\nuse_distribution_mirror ${mirror}/`;
    const { status, stderr } = lib(use);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `docker-node: install: took the distribution's archive out of ${join(home, sources("mirror.list"))}; a copy is in /var/lib/docker-node/apt\n`,
    });
    expect(read(sources("mirror.list"))).toBe(other);
    expect(reads()).toMatchObject({ status: 0, stderr: "" });
    const unread = "root/var/lib/docker-node/apt-sources-unread";
    expect(has(unread)).toBe(true);
    rmSync(join(home, unread));
    expect(lib(use)).toMatchObject({ status: 0, stderr: "" });
    expect(has(unread)).toBe(false);
    expect(lib("use_distribution_mirror ''").status).toBe(0);
    expect(has(unread)).toBe(true);
  });

  test("its lists lock, held by another, is waited for", async () => {
    write(node("apt/sources.list"), "");
    const lock = join(home, "lists/lock");
    const hold = `import fcntl, time; f = open(${JSON.stringify(lock)}, "w"); fcntl.lockf(f, fcntl.LOCK_EX); print("held", flush=True); time.sleep(4)`;
    const holder = spawn(join(home, "bin/python3"), ["-c", hold]);
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    const result = lib("apt_get update; echo updated", { APT_PAUSE: "0.3" });
    expect(result).toMatchObject({ status: 0, stdout: "updated\n" });
    expect(result.stderr).toMatch(/waiting for another apt: process \d+ \(python3[^)]*\)/);
    expect(existsSync(lock)).toBe(true);
  });
});
