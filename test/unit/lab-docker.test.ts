import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  controlFile,
  maintainerScript,
  packageFiles,
  packageVersion,
} from "../../lab/docker/packages";
import { DISTRIBUTIONS } from "../../lab/docker/packages";
import { MODULES, RELEASES, dockerPackages, pinnedVersion } from "../../lab/docker/releases";

const trixie = DISTRIBUTIONS["debian-13"];
const noble = DISTRIBUTIONS["ubuntu-24.04"];
const named = (name: string): ReturnType<typeof dockerPackages> =>
  dockerPackages().filter((each) => each.name === name);

describe("packages of Docker, as the lab names them", () => {
  test("are Docker's, with Docker's versions", () => {
    expect(dockerPackages().map((each) => `${each.name} ${packageVersion(each, trixie)}`)).toEqual([
      "docker-ce 5:28.5.2-1~debian.13~trixie",
      "docker-ce-cli 5:28.5.2-1~debian.13~trixie",
      "docker-ce 5:29.8.0-1~debian.13~trixie",
      "docker-ce-cli 5:29.8.0-1~debian.13~trixie",
      "docker-ce 5:29.8.1-1~debian.13~trixie",
      "docker-ce-cli 5:29.8.1-1~debian.13~trixie",
      "containerd.io 2.3.5-1~debian.13~trixie",
      "docker-buildx-plugin 0.37.0-1~debian.13~trixie",
      "docker-compose-plugin 5.5.1-1~debian.13~trixie",
    ]);
    const [first] = dockerPackages();
    expect(first && packageVersion(first, noble)).toBe("5:28.5.2-1~ubuntu.24.04~noble");
  });

  test("are the five that the product installs", () => {
    const install = readFileSync(join(__dirname, "../../node/packages.sh"), "utf8");
    const official = /^readonly OFFICIAL=\((.*)\)$/m.exec(install)?.[1]?.split(" ");
    expect([...new Set(dockerPackages().map(({ name }) => name))].sort()).toEqual(official?.sort());
  });

  test("keep the distribution's Docker out, and say how much they take", () => {
    const [docker] = named("docker-ce");
    const text = docker ? controlFile(docker, trixie, 1234) : "";
    expect(text).toMatch(/^Package: docker-ce\nVersion: 5:28\.5\.2-1~debian\.13~trixie\n/);
    expect(text).toMatch(/^Conflicts: docker\.io$/m);
    expect(text).toMatch(/^Depends: .*containerd\.io \(>= 2\.1\.5\), docker-ce-cli, iptables/m);
    expect(text).toMatch(/^Installed-Size: 1234$/m);
    // dpkg takes a line without a space before it for the next field.
    expect(
      text
        .trimEnd()
        .split("\n")
        .filter((line) => !/^( \S|[\w-]+: \S)/.test(line)),
    ).toEqual([]);
  });

  test("are pinned by a module each, which names what it builds", () => {
    const built = dockerPackages().flatMap((each) => each.built);
    expect(readdirSync(MODULES).sort()).toEqual(built.map(({ module }) => module).sort());
    for (const { module, programs } of built) {
      const text = readFileSync(join(MODULES, module, "go.mod"), "utf8");
      for (const pkg of Object.values(programs))
        expect(text).toMatch(new RegExp(`^tool ${pkg}$`, "m"));
    }
    for (const release of RELEASES)
      expect(pinnedVersion(`cli-${release}`, "github.com/docker/cli")).toBe(release);
  });
});

describe("what is installed beside the programs", () => {
  test("units where systemd reads them, a configuration that dpkg keeps, scripts that may be run", () => {
    expect(Object.keys(packageFiles("docker-ce")).sort()).toEqual([
      "DEBIAN/postinst",
      "DEBIAN/postrm",
      "DEBIAN/prerm",
      "usr/lib/systemd/system/docker.service",
      "usr/lib/systemd/system/docker.socket",
    ]);
    expect(packageFiles("containerd.io")).toMatchObject({
      "DEBIAN/conffiles": "/etc/containerd/config.toml\n",
      "etc/containerd/config.toml": 'disabled_plugins = ["cri"]\n',
    });
    expect(packageFiles("docker-buildx-plugin")).toEqual({});
  });

  describe("a maintainer script", () => {
    let home: string;
    beforeEach(() => {
      home = mkdtempSync(join(tmpdir(), "lab-docker-"));
      mkdirSync(join(home, "bin"));
      for (const name of ["deb-systemd-helper", "deb-systemd-invoke", "groupadd", "systemctl"])
        writeFileSync(join(home, "bin", name), `#!/bin/sh\necho ${name} "$@" >>${home}/calls\n`, {
          mode: 0o755,
        });
      writeFileSync(join(home, "bin/getent"), "#!/bin/sh\nexit 2\n", { mode: 0o755 });
    });
    afterEach(() => {
      rmSync(home, { recursive: true, force: true });
    });

    /** What it calls, with systemd running. */
    const calls = (script: string, ...args: string[]): string[] => {
      const text = maintainerScript("docker-ce", script, ["docker.service", "docker.socket"]);
      const running = text.replaceAll("-d /run/systemd/system", "-d /");
      const env = { PATH: `${home}/bin:/usr/bin:/bin` };
      writeFileSync(join(home, "calls"), "");
      const { status } = spawnSync("sh", ["-c", running, script, ...args], { env });
      expect(status).toBe(0);
      return readFileSync(join(home, "calls"), "utf8").trim().split("\n");
    };

    test("makes the group, enables and starts at an installation", () => {
      const made = calls("postinst", "configure", "");
      expect(made[0]).toBe("groupadd --system docker");
      expect(made).toContain("deb-systemd-helper enable docker.socket");
      expect(made.at(-1)).toBe("deb-systemd-invoke start docker.service docker.socket");
    });

    test("restarts at an upgrade, once the new program is in place", () => {
      expect(calls("prerm", "upgrade", "5:29.8.1")).toEqual([""]);
      expect(calls("postinst", "configure", "5:29.8.0").at(-1)).toBe(
        "deb-systemd-invoke restart docker.service docker.socket",
      );
    });

    test("stops at a removal", () => {
      expect(calls("prerm", "remove")).toEqual([
        "deb-systemd-invoke stop docker.service docker.socket",
      ]);
    });
  });
});
