import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DOCKER0_KEYS, reloadableKeys } from "../../config/daemon";
import { installStep } from "../../node/steps";
import {
  changes,
  done,
  fake,
  fixtures,
  forget,
  has,
  home,
  lib,
  node,
  OWNER,
  quote,
  read,
  refused,
  script,
  scripts,
  sh,
  useNode,
  write,
} from "../support/node";
import { prodNode } from "../support/settings";

useNode();

describe("every script", () => {
  const files = readdirSync(scripts).filter((file) => file.endsWith(".sh"));
  const libraries = [
    "apt-sources.sh",
    "apt.sh",
    "check.sh",
    "container-seal.sh",
    "docker-repository.sh",
    "lib.sh",
    "packages.sh",
    "sockets.sh",
  ];

  test.each(files)("%s is short, defines functions and ends in main", (file) => {
    const lines = readFileSync(join(scripts, file), "utf8").trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(160);
    expect(lines[0]).toBe("# shellcheck shell=bash");
    if (!libraries.includes(file)) expect(lines.at(-1)).toBe('main "$@" </dev/null');
    const lengths = lines.flatMap((line, start) =>
      /^\w+\(\) \{/.test(line) ? [lines.indexOf("}", start) - start - 1] : [],
    );
    expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(25);
  });

  test("shellcheck finds nothing", () => {
    if (!sh("type -P shellcheck")) return;
    const all = [...files.map((file) => join(scripts, file)), join(fixtures, "commands.sh")];
    expect(spawnSync("shellcheck", ["-x", ...all], { encoding: "utf8" }).stdout).toBe("");
  });

  test("a missing variable is named", () => {
    refused(script("daemon"), "docker-node: daemon: DAEMON_JSON is not set");
    refused(script("install"), "docker-node: install: PACKAGE_SOURCE is not set");
  });
});

describe("lib.sh", () => {
  test("write_if_changed writes once, keeps the inode when nothing differs, replaces the file whole", () => {
    const path = join(home, "root/etc/thing.conf");
    const put = (text: string, mode = "0640") =>
      lib(`write_if_changed ${path} ${mode} <<<${quote(text)}; echo $CHANGED`).stdout.trim();
    expect(put("one")).toBe("yes");
    const first = statSync(path);
    expect(first.mode & 0o777).toBe(0o640);
    expect(put("one")).toBe("no");
    expect(statSync(path)).toMatchObject({ ino: first.ino, mtimeMs: first.mtimeMs });
    expect(put("two\n\n")).toBe("yes");
    expect(read("root/etc/thing.conf")).toBe("two\n\n\n");
    expect(statSync(path).ino).not.toBe(first.ino);
    expect(put("two\n\n", "0600")).toBe("yes");
    expect(readdirSync(join(home, "root/etc"))).toEqual(["thing.conf"]);
  });

  test("write_if_changed killed before the rename leaves the old file", () => {
    write(node("thing.conf"), "old\n");
    rmSync(join(home, "bin/mv"));
    writeFileSync(join(home, "bin/mv"), '#!/bin/bash\nkill -9 "$(<"$FAKE/pid")"\n');
    chmodSync(join(home, "bin/mv"), 0o755);
    expect(lib(`write_if_changed ${join(home, "root/etc/thing.conf")} 0644 <<<new`).signal).toBe(
      "SIGKILL",
    );
    expect(read(node("thing.conf"))).toBe("old\n");
  });

  test("json_object keeps order and quotes", () => {
    const { stdout } = lib(`json_object "b=it's \\"x\\"" 'a:=[1,true]'`);
    expect(stdout).toBe('{"b":"it\'s \\"x\\"","a":[1,true]}\n');
  });

  test("the environment's DOCKER_HOST is not used", () => {
    fake("service", "active");
    fake("loaded", "{}");
    expect(lib('docker_cli info --format "{{.Driver}}"; echo "${DOCKER_HOST-none}"').stdout).toBe(
      "overlay2\nnone\n",
    );
  });

  test("apt_get tries again, then reports what apt said", () => {
    fake("apt-broken");
    refused(lib("apt_get update"), /^docker-node: lib: apt-get update failed\nE: Unable to fetch/);
    expect(read("fake/calls").match(/^apt-get /gm)).toHaveLength(3);
  });

  test("a mirror of the distribution replaces its sources, and gives them back", () => {
    write(node("os-release"), 'ID=debian\nVERSION_CODENAME=trixie\nVERSION_ID="13"\n');
    write(node("apt/sources.list.d/debian.sources"), "stock");
    const ours = node("apt/sources.list.d/docker-node-distribution.sources");
    lib("use_distribution_mirror http://192.0.2.9/debian/");
    expect(read(ours)).toContain(
      "URIs: http://192.0.2.9/debian\nSuites: trixie trixie-updates\nComponents: main\n",
    );
    expect(read(ours)).toContain(
      "\n\nTypes: deb\nURIs: http://192.0.2.9/debian-security\nSuites: trixie-security\n",
    );
    expect(read(node("apt/sources.list.d/debian.sources.disabled"))).toBe("stock");
    lib("use_distribution_mirror ''");
    expect(readdirSync(join(home, node("apt/sources.list.d")))).toEqual(["debian.sources"]);
  });
});

describe("ready.sh", () => {
  beforeEach(() => {
    write(node("ssh/ssh_host_ed25519_key.pub"), "ssh-ed25519 AAAAC3Nza root@proj-docker02\n");
  });

  test.each([
    [0, ""],
    [2, "recovered from errors"],
  ])("exit status %d of cloud-init is accepted", (status, warning) => {
    fake("cloud-init", String(status));
    const result = script("ready");
    expect(result).toMatchObject({ status: 0, stdout: "ssh-ed25519 AAAAC3Nza\n" });
    expect(result.stderr).toMatch(warning);
  });

  test("exit status 1 is a failure with cloud-init's own account", () => {
    fake("cloud-init", "1");
    refused(
      script("ready"),
      /^docker-node: ready: cloud-init failed \(exit status 1\)\n[^]*scripts-user failed/,
    );
  });

  describe("an archive out of reach at the first boot", () => {
    const complaint = "E: Failed to fetch http://archive.example/dists/noble  Could not connect";
    const failed = (...modules: string[]): void => {
      const errors = modules.map(
        (name) => `('${name}', ProcessExecutionError("Command: ['apt-get']\nExit code: 100"))`,
      );
      const result = { v1: { datasource: "DataSourceNoCloud", errors } };
      write("root/run/cloud-init/result.json", JSON.stringify(result, undefined, 1));
    };
    beforeEach(() => {
      fake("cloud-init", "1");
      write("root/var/log/cloud-init-output.log", `Get:1 noble\n${complaint}\nfinished\n`);
    });

    test.each(["package_update_upgrade_install", "package-update-upgrade-install"])(
      "does not end every up, and apt's own reason is told: %s",
      (name) => {
        failed(name);
        const result = script("ready");
        expect(result).toMatchObject({ status: 0, stdout: "ssh-ed25519 AAAAC3Nza\n" });
        expect(result.stderr).toBe(
          `docker-node: ready: the package upgrade of the first boot failed; the next steps ask the archive themselves: ${complaint}\n`,
        );
      },
    );

    test("beside another failure is told with it", () => {
      failed("package_update_upgrade_install", "scripts_user");
      refused(script("ready"), /cloud-init failed \(exit status 1\)\n[^]*E: Failed to fetch http/);
    });

    test("is told where cloud-init does not end", () => {
      fake("cloud-init", "124");
      refused(script("ready"), /cloud-init was still running[^]*E: Failed to fetch http/);
    });
  });

  test("a machine without cloud-init is ready", () => {
    rmSync(join(home, "bin/cloud-init"));
    expect(script("ready")).toMatchObject({ status: 0, stderr: "" });
  });

  test("no host key is a failure", () => {
    fake("cloud-init", "0");
    rmSync(join(home, node("ssh/ssh_host_ed25519_key.pub")));
    refused(script("ready"), "no ed25519 host key");
  });
});

describe("storage.sh", () => {
  const link = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi1";
  const disk = { DOCKER_DISK: link };
  beforeEach(() => {
    fake("disks", `vda disk -\nvda1 part vda\nsdb disk - ${link}\n`);
    fake("mounts", "/ /dev/vda1 ext4 rw,relatime 99999999-2222-3333-4444-555555555555\n");
    fake("mount-options", "prjquota");
    fake("ftype", "1");
    write(node("fstab"), "# static\nLABEL=root / ext4 defaults 0 1\n");
    write("root/sys/class/block/vda1/partition", "1\n");
  });

  test("root disk: grown, then nothing", () => {
    const expected = {
      filesystem: "ext4",
      pquota: false,
      ftype: 1,
      device: "/dev/disk/by-uuid/99999999-2222-3333-4444-555555555555",
    };
    expect(done(script("storage"))).toEqual(expected);
    expect(changes()).toEqual(["growpart /dev/vda 1", "resize2fs /dev/vda1"]);
    forget();
    fake("full");
    expect(done(script("storage"))).toEqual(expected);
    expect(changes()).toEqual([]);
  });

  test("a blank disk is formatted, declared, mounted; a second run changes nothing", () => {
    fake("full");
    const expected = {
      filesystem: "xfs",
      pquota: true,
      ftype: 1,
      device: "/dev/disk/by-uuid/11111111-2222-3333-4444-555555555555",
    };
    expect(done(script("storage", disk))).toEqual(expected);
    expect(changes()).toEqual([
      "mkfs.xfs -q -n ftype=1 -L docker-data /dev/sdb",
      "systemctl daemon-reload",
      "mount /var/lib/docker",
    ]);
    const fstab = read(node("fstab"));
    expect(fstab).toBe(
      "# static\nLABEL=root / ext4 defaults 0 1\nUUID=11111111-2222-3333-4444-555555555555 /var/lib/docker xfs defaults,prjquota,nofail,x-systemd.device-timeout=5min 0 0\n",
    );
    expect(read(node("systemd/system/docker.service.d/10-docker-node-data-root.conf"))).toBe(
      "[Unit]\nRequiresMountsFor=/var/lib/docker\nAssertPathIsMountPoint=/var/lib/docker\n",
    );
    forget();
    expect(done(script("storage", disk))).toEqual(expected);
    expect(changes()).toEqual([]);
    expect(read(node("fstab"))).toBe(fstab);
  });

  test("our own disk is mounted, not formatted, and grown", () => {
    fake("signatures.sdb", "xfs  docker-data\n");
    done(script("storage", disk));
    expect(changes()).toEqual(
      expect.arrayContaining(["mount /var/lib/docker", "xfs_growfs -d /var/lib/docker"]),
    );
    expect(changes().join()).not.toContain("mkfs");
  });

  test.each([
    ["another filesystem", "ext4 data\n", "ext4 data"],
    ["another XFS", "xfs  photos\n", "xfs photos"],
    ["LVM", "LVM2_member\n", "LVM2_member"],
    ["a partition table", "gpt\nPMBR\n", "gpt, PMBR"],
  ])("%s is refused by name and left alone", (_, signatures, named) => {
    fake("signatures.sdb", signatures);
    fake("full");
    refused(
      script("storage", disk),
      `docker-node: storage: refused: ${link} is not blank, it holds: ${named}`,
    );
    expect(changes()).toEqual([]);
    expect(read(node("fstab"))).not.toContain("docker");
  });

  test("partitions without a signature are contents too", () => {
    fake("disks", `vda disk -\nvda1 part vda\nsdb disk - ${link}\nsdb1 part sdb\n`);
    refused(script("storage", disk), "it holds: part sdb1");
  });

  test.each([
    ["the root disk", { DOCKER_DISK: "/dev/vda" }, "is the disk of the root filesystem"],
    ["a partition", { DOCKER_DISK: "/dev/vda1" }, "is a part, not a whole disk"],
    ["a disk that is not there", { DOCKER_DISK: "/dev/sdz" }, "there is no disk /dev/sdz"],
    [
      "a path that fstab could not hold",
      { DATA_ROOT: "/srv/my docker" },
      "not a plain absolute path",
    ],
  ])("%s is refused", (_, variables, reason) => {
    refused(script("storage", variables), reason);
  });

  test("data on the root disk is not hidden under the mount", () => {
    write("root/var/lib/docker/engine-id", "x");
    refused(script("storage", disk), "already has data on the root disk");
    expect(changes().join()).not.toContain("mkfs");
  });

  test("another device at the mount point is refused", () => {
    fake("mounts", `${read("fake/mounts")}/var/lib/docker /dev/sdc ext4 rw 1\n`);
    refused(script("storage", disk), "is mounted from /dev/sdc");
  });

  test("mounted without quota, or made without ftype, is refused", () => {
    fake("mount-options", "noquota");
    refused(script("storage", disk), "mounted without prjquota");
    fake("mounts", read("fake/mounts").replace("noquota", "prjquota"));
    fake("ftype", "0");
    refused(script("storage", disk), "ftype=0");
  });
});

describe("install.sh", () => {
  const official = { PACKAGE_SOURCE: "official" };
  beforeEach(() => {
    write(node("os-release"), 'ID=ubuntu\nVERSION_CODENAME=noble\nNAME="Ubuntu"\n');
    fake("madison.docker-ce", readFileSync(join(fixtures, "madison-docker-ce-noble.txt"), "utf8"));
    fake(
      "key",
      "pub:-:4096\nfpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:\nsub:-\nfpr:::::::::D3306A018370199E527AE7997EA0A9C3F273FCD8:\n",
    );
  });

  test.each([
    ["29.10.0", "5:29.10.0-1~ubuntu.24.04~noble", "29.10.0"],
    ["29", "5:29.10.0-1~ubuntu.24.04~noble", "29.10.0"],
    ["29.1", "5:29.1.5-1~ubuntu.24.04~noble", "29.1.5"],
    ["28.5", "5:28.5.2-1~ubuntu.24.04~noble", "28.5.2"],
    ["5:28.5.1-1~ubuntu.24.04~noble", "5:28.5.1-1~ubuntu.24.04~noble", "28.5.1"],
    ["29.0.0~rc.1", "5:29.0.0~rc.1-1~ubuntu.24.04~noble", "29.0.0~rc.1"],
    ["", "5:29.10.0-1~ubuntu.24.04~noble", "29.10.0"],
  ])("VERSION %p is %s", (VERSION, full, version) => {
    expect(done(script("install", { ...official, VERSION }))).toEqual({
      source: "official",
      version,
      package: full,
    });
    expect(changes()).toContain(
      `apt-get install docker-ce=${full} docker-ce-cli=${full} containerd.io docker-buildx-plugin docker-compose-plugin apparmor ca-certificates`,
    );
    expect(read(node("apt/preferences.d/docker-node"))).toBe(
      `Package: docker-ce docker-ce-cli\nPin: version ${full}\nPin-Priority: 1001\n`,
    );
  });

  test.each(["2", "29.0", "30", "29.1.50"])(
    "VERSION %p is not to be had, and nothing is installed",
    (VERSION) => {
      refused(
        script("install", { ...official, VERSION }),
        `no version of docker-ce satisfies '${VERSION}'\navailable: 5:29.10.0-1~`,
      );
      expect(changes().join()).not.toContain("install");
    },
  );

  test("the first start waits for daemon.json; the packages are held; a second run changes nothing, a newer release included", () => {
    const first = script("install", { ...official, VERSION: "29.1" });
    done(first);
    expect(read(node("systemd/system/docker.service.d/00-docker-node-first-start.conf"))).toBe(
      "[Unit]\nConditionPathExists=/etc/docker/daemon.json\n",
    );
    expect(read(node("apt/sources.list.d/docker.sources"))).toBe(
      "Types: deb\nURIs: https://download.docker.com/linux/ubuntu\nSuites: noble\nComponents: stable\nSigned-By: /etc/apt/keyrings/docker.asc\nArchitectures: amd64\n",
    );
    expect(changes().at(-1)).toBe(
      "apt-mark hold containerd.io docker-buildx-plugin docker-ce docker-ce-cli docker-compose-plugin",
    );
    forget();
    fake("calls");
    fake(
      "madison.docker-ce",
      ` docker-ce | 5:29.1.9-1~ubuntu.24.04~noble | x\n${read("fake/madison.docker-ce")}`,
    );
    expect(script("install", { ...official, VERSION: "29.1" })).toEqual(first);
    expect(changes()).toEqual([]);
    expect(read("fake/calls")).not.toContain("apt-get");
  });

  test("another version is installed over a running Docker without the gate", () => {
    fake("packages", "docker-ce 5:28.5.1-1~ubuntu.24.04~noble\n");
    write(node("docker/daemon.json"), "{}");
    done(script("install", { ...official, VERSION: "29" }));
    expect(changes()).toContainEqual(expect.stringContaining("docker-ce=5:29."));
    expect(has(node("systemd/system/docker.service.d/00-docker-node-first-start.conf"))).toBe(
      false,
    );
  });

  test("what the program runs with an earlier socket of Docker starts again; others are named", () => {
    const own = { ...official, VERSION: "29", SOCKET_USERS: "portainer_agent docker_node_backup" };
    done(script("install", own));
    fake("service", "active\n");
    fake("loaded", "{}");
    fake("containers", "41 /portainer_agent\n42 /docker_node_backup\n43 /proxy\n44 /web\n");
    const socket = (state: string): string =>
      `75 49 0:25 /docker.sock${state} /run/docker.sock rw - tmpfs tmpfs rw\n`;
    const states = { 41: "//deleted", 42: "", 43: "//deleted" };
    for (const [pid, state] of Object.entries(states))
      write(`root/proc/${pid}/mountinfo`, socket(state));
    forget();
    const { stderr } = script("install", own);
    expect(changes()).toEqual(["docker restart portainer_agent"]);
    expect(stderr).toContain("until you start them again: proxy");
    forget();
    const checked = script("install", { ...own, MODE: "check" });
    expect(checked.stdout).toContain('"container portainer_agent"');
    expect(checked.stdout).not.toContain("docker_node_backup");
    expect(changes()).toEqual([]);
  });

  test("a mirror is used, a stale docker.list goes", () => {
    write(node("apt/sources.list.d/docker.list"), "deb http://192.0.2.1/old noble stable\n");
    done(script("install", { ...official, DOCKER_MIRROR: "http://192.0.2.9/docker/" }));
    expect(changes()[0]).toBe("curl download http://192.0.2.9/docker/gpg");
    expect(readdirSync(join(home, node("apt/sources.list.d")))).toEqual(["docker.sources"]);
  });

  test.each([
    [
      "https's",
      "Acquire::https::Proxy http://p:1/\nAcquire::http::Proxy http://p:2/",
      "http://p:1/",
    ],
    ["http's, where https has none", "Acquire::http::Proxy http://p:2/", "http://p:2/"],
    [
      "the host's own",
      "Acquire::https::Proxy::download.docker.com http://p:3/\nAcquire::https::Proxy http://p:1/",
      "http://p:3/",
    ],
    [
      "none for the host",
      "Acquire::http::Proxy::download.docker.com DIRECT\nAcquire::https::Proxy http://p:1/",
      "",
    ],
    ["none", "Acquire::https::Proxy::example.org http://p:1/", ""],
  ])("the key comes through apt's proxy: %s", (_, settings, proxy) => {
    fake("apt-config", `${settings}\n`);
    done(script("install", official));
    const url = "https://download.docker.com/linux/ubuntu/gpg";
    expect(changes()[0]).toBe(`curl download ${url}${proxy && ` through ${proxy}`}`);
    expect(read("fake/calls").match(/^curl .*$/m)?.[0]).not.toContain("http://p");
  });

  test("a mirror that signs by itself has a key of its own, and Docker's is not enough then", () => {
    const DOCKER_MIRROR = "http://192.0.2.9/docker/";
    const own = { ...official, DOCKER_MIRROR, REPOSITORY_KEY_FINGERPRINT: "B".repeat(40) };
    refused(script("install", own), `is not exactly the key ${"B".repeat(40)}`);
    fake("key", `pub:\nfpr:::::::::${"B".repeat(40)}:\n`);
    done(script("install", own));
    expect(has(node("apt/keyrings/docker.asc"))).toBe(true);
  });

  test.each([
    ["a wrong key", "pub:\nfpr:::::::::AAAA:\n"],
    [
      "a second key beside the right one",
      "pub:\nfpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:\npub:\nfpr:::::::::AAAA:\n",
    ],
    ["no key", ""],
  ])("%s is not trusted", (_, key) => {
    fake("key", key);
    refused(script("install", official), "is not exactly the key 9DC8");
    expect(has(node("apt/keyrings/docker.asc"))).toBe(false);
    expect(has(node("apt/sources.list.d/docker.sources"))).toBe(false);
  });

  test("the distribution's package, with its client where that is a package of its own", () => {
    for (const name of ["docker.io", "docker-cli"])
      fake(`madison.${name}`, readFileSync(join(fixtures, `madison-${name}-trixie.txt`), "utf8"));
    const result = done(script("install", { PACKAGE_SOURCE: "distribution", VERSION: "26.1.5" }));
    expect(result).toEqual({
      source: "distribution",
      version: "26.1.5",
      package: "26.1.5+dfsg1-9+deb13u1+b1",
    });
    expect(changes()).toContain(
      "apt-get install docker.io=26.1.5+dfsg1-9+deb13u1+b1 docker-cli apparmor ca-certificates",
    );
    expect(has(node("apt/sources.list.d/docker.sources"))).toBe(false);
  });

  describe("with data", () => {
    const DATA = "1 containers, 0 images, 1 volumes";
    const STORE = "root/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs";
    const distribution = { PACKAGE_SOURCE: "distribution", VERSION: "28.5" };
    const BEFORE_29 = "docker-ce 5:29.1.0-1~ubuntu.24.04~noble\n";

    beforeEach(() => {
      write("root/var/lib/docker/231072.231072/containers/abc/config.v2.json", "{}");
      write("root/var/lib/docker/231072.231072/volumes/data/_data/x", "");
    });

    test("the distribution's goes for Docker's own, in one transaction, and with all that is its", () => {
      fake("packages", "docker.io 26.1.5+dfsg1-9+b4\ncontainerd 1.7.24\nrunc 1.1.15\n");
      refused(script("install", { ...official, VERSION: "99" }), "no version");
      expect(changes().join()).not.toContain("install");
      done(script("install", official));
      expect(changes()).toContainEqual(
        expect.stringMatching(
          /^apt-get install docker-ce=\S+ docker-ce-cli=\S+ containerd\.io .*docker\.io- containerd- runc- apparmor/,
        ),
      );
    });

    test("a purge of what is left of the distribution's finds nothing to delete it with", () => {
      const purge = "root/var/lib/docker/nuke-graph-directory.sh";
      fake("packages", "docker.io 26.1.5+dfsg1-9+b4\n");
      write(purge, "rm -rf");
      done(script("install", { PACKAGE_SOURCE: "distribution", VERSION: "26.1.5" }));
      expect(has(purge)).toBe(true);
      done(script("install", official));
      expect(has(purge)).toBe(false);
    });

    test.each([
      ["an older one of Docker's own", "docker.io 30.0.1\n", { ...official, VERSION: "29.1" }],
      ["the distribution's, for Docker's own", "docker-ce 5:28.5.1\n", distribution],
    ])("%s is refused", (_, packages, variables) => {
      fake("packages", packages);
      fake("madison.docker.io", " docker.io | 28.5 | x\n");
      refused(script("install", variables), new RegExp(`is installed and has ${DATA}, which`));
      expect(changes()).toEqual([]);
      rmSync(join(home, "root/var"), { recursive: true });
      script("install", variables);
      expect(changes().join()).toMatch(/apt-get install docker\S+=/);
    });

    test.each([
      ["where it is declared", { DATA_ROOT: "/srv/docker" }, ""],
      ["where it is still, when another place is declared", {}, '{"data-root": "/srv/docker"}'],
      ["in the default place, when another one is declared", { DATA_ROOT: "/srv/new" }, ""],
    ])("the distribution's is refused for data %s", (where, variables, daemonJson) => {
      fake("packages", "docker-ce 5:28.5.1\n");
      fake("madison.docker.io", " docker.io | 28.5 | x\n");
      if (!where.includes("default")) {
        rmSync(join(home, "root/var"), { recursive: true });
        write("root/srv/docker/231072.231072/containers/abc/config.v2.json", "{}");
        write("root/srv/docker/231072.231072/volumes/data/_data/x", "");
      }
      if (daemonJson) write(node("docker/daemon.json"), daemonJson);
      refused(script("install", { ...distribution, ...variables }), `installed and has ${DATA},`);
      expect(changes()).toEqual([]);
    });

    test("the step is told of a place that is not the default one, and of no other", () => {
      const told = (root: string | null): unknown =>
        installStep(
          prodNode({
            machine: { disk: { sizeGiB: 132 }, dockerDisk: null },
            engine: { daemon: { "data-root": root, "storage-opts": null } },
          }),
        ).variables.DATA_ROOT;
      expect([told(null), told("/var/lib/docker"), told("/srv/docker")]).toEqual([
        undefined,
        undefined,
        "/srv/docker",
      ]);
    });

    test("a release before 29 is refused what it would not see", () => {
      fake("packages", BEFORE_29);
      write(STORE, "");
      refused(
        script("install", { ...official, VERSION: "28" }),
        /Docker 28 would not see what is in containerd's image store/,
      );
      expect(changes()).toEqual([]);
      write(node("docker/daemon.json"), '{"features": {"containerd-snapshotter": true}}');
      done(script("install", { ...official, VERSION: "28" }));
    });

    test("and has what lies in Docker's own store", () => {
      fake("packages", BEFORE_29);
      done(script("install", { ...official, VERSION: "28" }));
      expect(changes()).toContainEqual(expect.stringContaining("docker-ce=5:28."));
    });
  });

  test("an unknown source is refused", () => {
    refused(
      script("install", { PACKAGE_SOURCE: "snap" }),
      "neither official nor distribution: snap",
    );
  });
});

describe("access.sh", () => {
  beforeEach(() => {
    fake("group", "docker:x:998:mallory\n");
    fake("passwd", "ubuntu:x:1000:\nmallory:x:1001:\n");
    fake("units", "ssh.service active\n");
  });

  test("declared members only, ssh limits, services enabled; a second run changes nothing", () => {
    const first = script("access", { DOCKER_GROUP_MEMBERS: "ubuntu" });
    expect(done(first)).toEqual({
      dockerGroup: ["ubuntu"],
      maxStartups: "100:30:200",
      maxSessions: 50,
    });
    expect(changes().slice(0, 3)).toEqual([
      "gpasswd -a ubuntu docker",
      "gpasswd -d mallory docker",
      "systemctl reload ssh.service",
    ]);
    expect(read(node("ssh/sshd_config.d/10-docker-node.conf"))).toBe(
      "MaxStartups 100:30:200\nMaxSessions 50\n",
    );
    forget();
    expect(script("access", { DOCKER_GROUP_MEMBERS: "ubuntu" })).toEqual(first);
    expect(changes()).toEqual([]);
  });

  test("sshd starts anew where a socket gives it its port; the next one reads it where none runs", () => {
    const told = (units: string): string[] => {
      fake("units", units);
      rmSync(node("ssh/sshd_config.d/10-docker-node.conf"), { force: true });
      forget();
      done(script("access", { DOCKER_GROUP_MEMBERS: "ubuntu" }));
      return changes().filter((line) => line.includes("ssh.service"));
    };
    expect(told("ssh.service active\nssh.socket active\n")).toEqual([
      "systemctl restart ssh.service",
    ]);
    expect(told("ssh.socket active\n")).toEqual([]);
  });

  const file = "root/home/ubuntu/.ssh/authorized_keys";
  const called = (): string[] =>
    (read("fake/calls").match(/^chown .*$/gm) ?? []).map((line) => line.replace(`${home}/`, ""));

  test("keys are the user's before they are there, or sshd could not read them", () => {
    fake("passwd", "ubuntu:x:4711:4712::/home/ubuntu:/bin/bash\n");
    write(file, "ssh-ed25519 FIRST pulumi\n");
    rmSync(join(home, "bin/mv"));
    writeFileSync(join(home, "bin/mv"), '#!/bin/bash\nkill -9 "$(<"$FAKE/pid")"\n');
    chmodSync(join(home, "bin/mv"), 0o755);
    const { signal } = script("access", { NODE_USER: "ubuntu", AUTHORIZED_KEYS: "ssh-ed25519 A" });
    expect(signal).toBe("SIGKILL");
    expect(read(file)).toBe("ssh-ed25519 FIRST pulumi\n");
    expect(called()).toEqual([
      "chown 4711:4712 root/home/ubuntu/.ssh",
      "chown 4711:4712 root/home/ubuntu/.ssh/.authorized_keys.new",
    ]);
  });

  test("the same keys of another owner become the user's", () => {
    const AUTHORIZED_KEYS = "ssh-ed25519 A";
    fake("passwd", "ubuntu:x:4711:4712::/home/ubuntu:/bin/bash\n");
    write(file, `${AUTHORIZED_KEYS}\n`);
    chmodSync(join(home, file), 0o600);
    done(script("access", { NODE_USER: "ubuntu", AUTHORIZED_KEYS }));
    expect(called()).toContain("chown 4711:4712 root/home/ubuntu/.ssh/.authorized_keys.new");
  });

  test("declared keys come, those of an earlier declaration go, an operator's own stay", () => {
    fake("passwd", `ubuntu:x:${OWNER}::/home/ubuntu:/bin/bash\n`);
    write(file, "ssh-ed25519 FIRST pulumi\nssh-ed25519 OPERATOR hand\n");
    const keys = (AUTHORIZED_KEYS: string) => {
      done(script("access", { NODE_USER: "ubuntu", AUTHORIZED_KEYS }));
      return read(file).trim().split("\n");
    };
    expect(keys("ssh-ed25519 FIRST pulumi")).toEqual([
      "ssh-ed25519 FIRST pulumi",
      "ssh-ed25519 OPERATOR hand",
    ]);
    forget();
    expect(keys("ssh-ed25519 SECOND pulumi")).toEqual([
      "ssh-ed25519 OPERATOR hand",
      "ssh-ed25519 SECOND pulumi",
    ]);
    expect(changes()).toEqual([`chown ${OWNER}`]);
    forget();
    keys("ssh-ed25519 SECOND pulumi");
    expect(changes()).toEqual([]);
    expect(statSync(join(home, file)).mode & 0o777).toBe(0o600);
  });

  test("keys are never all taken away, nor given to nobody", () => {
    refused(script("access", { NODE_USER: "ubuntu" }), "AUTHORIZED_KEYS is not set");
    refused(
      script("access", { NODE_USER: "ghost", AUTHORIZED_KEYS: "ssh-ed25519 A" }),
      "there is no user ghost",
    );
  });

  test("host keys outlive a new cloud-init instance", () => {
    write("root/etc/cloud/cloud.cfg.d/90-image.cfg", "");
    done(script("access"));
    expect(read("root/etc/cloud/cloud.cfg.d/99-docker-node.cfg")).toBe("ssh_deletekeys: false\n");
  });

  test("nobody may be declared", () => {
    expect(done(script("access"))).toMatchObject({ dockerGroup: [] });
    expect(read("fake/group")).toBe("docker:x:998:\n");
  });

  test("an unknown user is named before anything changes", () => {
    refused(script("access", { DOCKER_GROUP_MEMBERS: "ubuntu nobody2" }), "no user nobody2");
    expect(changes()).toEqual([]);
  });

  test.each([undefined, "MaxSessions 10\n"])("what sshd refuses is taken back to %p", (before) => {
    const path = node("ssh/sshd_config.d/10-docker-node.conf");
    if (before) write(path, before);
    fake("sshd-refuses");
    refused(
      script("access", { DOCKER_GROUP_MEMBERS: "ubuntu" }),
      /sshd does not accept its configuration[^]*Bad configuration option/,
    );
    expect(has(path) && read(path)).toBe(before ?? false);
  });
});

describe("daemon.sh", () => {
  const file = node("docker/daemon.json");
  const base = { "live-restore": true, "log-driver": "json-file" };
  const daemon = (json: unknown, variables: Record<string, string> = {}) =>
    script("daemon", {
      DAEMON_JSON: typeof json === "string" ? json : JSON.stringify(json, null, 2),
      RELOADABLE: reloadableKeys({}).join(" "),
      DOCKER0_KEYS: DOCKER0_KEYS.join(" "),
      ...variables,
    });
  const running = (json: unknown = base) => {
    write(file, JSON.stringify(json));
    fake("loaded", JSON.stringify(json).replaceAll('":', '": '));
    fake("service", "active");
    fake("containers", "c1 /web 100 2026-01-01T00:00:00Z\n");
  };
  const leftovers = () =>
    readdirSync(join(home, node("docker"))).filter((name) => name.startsWith("."));

  beforeEach(() => {
    fake("service", "inactive");
    fake("mounts", "/ /dev/vda1 ext4 rw 1\n");
    fake("passwd");
    fake("group", "docker:x:998:\n");
  });
  afterEach(() => {
    expect(has(node("docker")) ? leftovers() : []).toEqual([]);
  });

  test("first write starts the daemon; again, in another order, is a no-op with the same output", () => {
    const first = daemon(base);
    expect(done(first)).toEqual({
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      dockerRootDir: "/var/lib/docker",
      dockerGroup: "998",
      storageDriver: "overlay2",
      serverVersion: "29.10.0",
      apiVersion: "1.54",
    });
    expect(changes()).toEqual(["systemctl restart docker"]);
    expect(has(node("docker/daemon.json.previous"))).toBe(false);
    forget();
    expect(daemon('{"log-driver":"json-file","live-restore":true}')).toEqual(first);
    expect(changes()).toEqual([]);
  });

  test.each([
    ["max-concurrent-downloads", 6],
    ["labels", ["a=b"]],
    ["registry-mirrors", ["https://192.0.2.9"]],
    ["features", { cdi: true }],
  ])("%s is reloaded", (key, value) => {
    running();
    done(daemon({ ...base, [key]: value }));
    expect(changes()).toEqual(["systemctl reload docker"]);
    expect(JSON.parse(read(node("docker/daemon.json.previous")))).toEqual(base);
  });

  test.each([
    ["no-new-privileges", true],
    ["default-ulimits", {}],
    ["features", { "containerd-snapshotter": false }],
  ])("%s is restarted for, and containers stay", (key, value) => {
    running();
    const result = daemon({ ...base, labels: ["a=b"], [key]: value });
    done(result);
    expect(changes()).toEqual(["systemctl restart docker"]);
    expect(result.stderr).toBe("");
  });

  test("a removed key counts, and docker0 under running containers is known to stay as it was", () => {
    running({ ...base, bip: "172.18.0.1/24" });
    const result = daemon(base);
    done(result);
    expect(changes()).toEqual(["systemctl restart docker"]);
    expect(result.stderr).toMatch("docker0 changes when no container runs at a start");
  });

  test("live-restore is on before the restart that first brings it", () => {
    running({ "log-driver": "local" });
    const result = daemon(base);
    done(result);
    expect(changes()).toEqual(["systemctl reload docker", "systemctl restart docker"]);
    expect(result.stderr).toBe("");
    expect(JSON.parse(read(node("docker/daemon.json.previous")))).toEqual({
      "log-driver": "local",
    });
  });

  test("containers that a restart took are reported", () => {
    running({});
    const result = daemon({ "log-driver": "local" });
    done(result);
    expect(result.stderr).toBe("docker-node: daemon: containers that did not keep running: /web\n");
  });

  test.each([
    [
      "what dockerd does not accept",
      { "no-such-key": 1 },
      /does not accept this daemon.json\nthe following directives don't match/,
    ],
    ["hosts", { hosts: ["tcp://0.0.0.0:2375"] }, "refused: hosts: "],
    [
      "overlay2.size on ext4",
      { "storage-opts": ["overlay2.size=50G"] },
      "needs XFS mounted with pquota; /var/lib is on ext4",
    ],
    [
      "remap with the containerd store",
      { "userns-remap": "default", features: { "containerd-snapshotter": true } },
      "works neither with",
    ],
    [
      "overlay2 with the containerd store",
      { "storage-driver": "overlay2", features: { "containerd-snapshotter": true } },
      "works neither with",
    ],
    ["remap to nobody known", { "userns-remap": "ghost" }, "there is no user ghost"],
    ["an array", "[]", "not a JSON object"],
    ["broken JSON", '{"a":', "not a JSON object"],
  ])("%s is refused before the swap", (_, json, reason) => {
    running();
    mkdirSync(join(home, "root/var/lib"), { recursive: true });
    const before = statSync(join(home, file));
    refused(daemon(json), reason);
    expect(read(file)).toBe(JSON.stringify(base));
    expect(statSync(join(home, file))).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
    expect(changes()).toEqual([]);
  });

  test("dockerd validates with the unit's flags; one too old for that is not asked", () => {
    running();
    daemon({ ...base, bip: "172.18.0.1/24" });
    expect(read("fake/calls")).toMatch(
      /^dockerd --validate --config-file \S+candidate -H fd:\/\/ --containerd=\/run\/c.sock$/m,
    );
    fake("calls");
    fake("old-dockerd");
    done(daemon({ ...base, "no-such-key": 1 }));
    expect(read("fake/calls")).not.toContain("--config-file");
  });

  test("overlay2.size is accepted on XFS with pquota", () => {
    fake("mounts", "/ /dev/vda1 ext4 rw 1\n/var/lib/docker /dev/sdb xfs rw,prjquota 2\n");
    mkdirSync(join(home, "root/var/lib/docker"), { recursive: true });
    done(daemon({ "storage-opts": ["overlay2.size=50G"] }));
  });

  test("a user without ranges is refused, one with them is not; dockremap may be dockerd's to make", () => {
    const remap = { "userns-remap": "default" };
    done(daemon(remap));
    fake("passwd", "dockremap:x:999:\n");
    for (const name of ["subuid", "subgid"]) write(node(name), "ubuntu:100000:65536\n");
    refused(daemon({ ...remap, debug: true }), "user dockremap has no range in /etc/subuid");
    for (const name of ["subuid", "subgid"]) write(node(name), "dockremap:231072:65536\n");
    done(daemon({ ...remap, debug: true }));
  });

  test("a daemon that does not come back gets its old file back", () => {
    running();
    const before = read(file);
    const result = daemon({ ...base, bip: "breaks-start" });
    refused(
      result,
      /^docker-node: daemon: rolled back: the daemon did not come up with the new configuration\nfailed to start daemon/,
    );
    expect(read(file)).toBe(before);
    expect(read("fake/service")).toBe("active\n");
    expect(changes()).toEqual(["systemctl restart docker", "systemctl restart docker"]);
    forget();
    done(daemon(base));
    expect(changes()).toEqual([]);
  });

  test("without a file before, it goes back to none: started again if it ran, stopped if it did not", () => {
    refused(daemon({ bip: "breaks-start" }), "rolled back: ");
    expect(has(file)).toBe(false);
    expect(changes()).toEqual(["systemctl restart docker", "systemctl stop docker"]);
    running();
    rmSync(join(home, file));
    refused(daemon({ bip: "breaks-start" }), "rolled back: ");
    expect(has(file)).toBe(false);
    expect(read("fake/service")).toBe("active\n");
  });

  test("remapping that is not in effect is rolled back", () => {
    fake("no-remap");
    refused(
      daemon({ "userns-remap": "default" }),
      "rolled back: userns-remap is set but not in effect",
    );
  });

  test("nothing to change and the daemon down: started, or reported with its journal", () => {
    running();
    fake("service", "failed");
    done(daemon(base));
    expect(changes()).toEqual(["systemctl restart docker"]);
    running({ bip: "breaks-start" });
    fake("service", "failed");
    refused(
      daemon({ bip: "breaks-start" }),
      /the daemon is down, its configuration unchanged\nfailed to start/,
    );
  });

  test.each(["restart", "started", "reload"])(
    "killed at %s, the next run goes back first and then forward",
    (moment) => {
      running();
      const wanted = {
        ...base,
        ...(moment === "reload" ? { debug: true } : { bip: "172.18.0.1/24" }),
      };
      fake(`kill-on-${moment}`);
      expect(daemon(wanted).signal).toBe("SIGKILL");
      expect(JSON.parse(read(file))).toEqual(wanted);
      expect(leftovers()).toEqual([".daemon.json.applying"]);
      const next = daemon(wanted);
      done(next);
      expect(next.stderr).toMatch(/an earlier run was interrupted/);
      expect(JSON.parse(read(file))).toEqual(wanted);
      forget();
      done(daemon(wanted));
      expect(changes()).toEqual([]);
    },
  );

  test("killed with a bad file on a machine that had none, the next run starts clean", () => {
    fake("kill-on-restart");
    expect(daemon({ bip: "breaks-start" }).signal).toBe("SIGKILL");
    const next = daemon(base);
    done(next);
    expect(changes().slice(1)).toEqual(["systemctl stop docker", "systemctl restart docker"]);
  });

  describe("with data that a change would hide", () => {
    const remap = { ...base, "userns-remap": "default" };
    const confirmed = { DATA_LOSS_CONFIRMED: "hide-existing" };
    beforeEach(() => {
      running();
      write("root/var/lib/docker/containers/c1/config.v2.json", "{}");
      write("root/var/lib/docker/image/overlay2/imagedb/content/sha256/abc", "{}");
      write("root/var/lib/docker/volumes/data/_data/x", "");
    });

    test.each([
      ["userns-remap", { "userns-remap": "default" }],
      ["storage-driver", { "storage-driver": "fuse-overlayfs" }],
      ["data-root", { "data-root": "/srv/docker" }],
      ["the image store", { features: { "containerd-snapshotter": true } }],
    ])("%s is refused with counts", (_, change) => {
      refused(
        daemon({ ...base, ...change }),
        "refused: this would hide 1 containers, 1 images, 1 volumes\nnow: data-root /var/lib/docker",
      );
      expect(changes()).toEqual([]);
    });

    test("writing down what docker does anyway hides nothing", () => {
      done(daemon({ ...base, "storage-driver": "overlay2", "data-root": "/var/lib/docker" }));
    });

    test("the same remapping by its other name hides nothing", () => {
      running(remap);
      done(daemon({ ...base, "userns-remap": "dockremap" }));
    });

    test("data of another layout, hidden already, is not counted while docker answers", () => {
      running(remap);
      done(daemon(base));
    });

    test("of a docker that is down every root counts, the containerd image store too", () => {
      write("root/var/lib/docker/231072.231072/containers/c2/config.v2.json", "{}");
      write("root/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs/x", "");
      fake("service", "failed");
      refused(daemon(remap), "would hide 2 containers, 2 images, 1 volumes");
    });

    test("confirmed: what runs is stopped first", () => {
      done(daemon(remap, confirmed));
      expect(changes()).toEqual(["docker stop c1", "systemctl restart docker"]);
    });

    test("confirmed but failing: file and containers come back, also after a kill", () => {
      refused(daemon({ ...remap, bip: "breaks-start" }, confirmed), "rolled back");
      expect(changes()).toEqual([
        "docker stop c1",
        "systemctl restart docker",
        "systemctl restart docker",
        "docker start c1",
      ]);
      forget();
      fake("kill-on-restart");
      daemon({ ...remap, bip: "breaks-start" }, confirmed);
      done(daemon(base));
      expect(changes()).toEqual([
        "docker stop c1",
        "systemctl restart docker",
        "systemctl restart docker",
        "docker start c1",
      ]);
    });
  });
});
