import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  changes,
  done,
  fake,
  fixtures,
  forget,
  home,
  node,
  read,
  script,
  useNode,
  write,
} from "../support/node";

/** What the product has to see to in the guest, whatever image it came from: the guest agent, and cloud-init afterwards. */

useNode();

describe("guest agent", () => {
  const channel = "root/dev/virtio-ports/org.qemu.guest_agent.0";
  const agent = () => changes().filter((change) => change.includes("guest-agent"));
  const install = (variables: Record<string, string> = {}) =>
    script("install", { PACKAGE_SOURCE: "official", VERSION: "29.10.0", ...variables });

  beforeEach(() => {
    write(node("os-release"), "ID=ubuntu\nVERSION_CODENAME=noble\n");
    fake("madison.docker-ce", readFileSync(join(fixtures, "madison-docker-ce-noble.txt"), "utf8"));
    fake("madison.docker.io", " docker.io | 28.5 | x\n");
    fake("key", "pub:-:4096\nfpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:\n");
    write(channel, "");
    write("fake/units", "qemu-guest-agent.service inactive\n");
  });

  test.each([
    ["Docker's packages", {}],
    ["the distribution's", { PACKAGE_SOURCE: "distribution", VERSION: "28.5" }],
  ])("is installed, enabled and running with %s; a second run changes nothing", (_, variables) => {
    done(install(variables));
    expect(agent()).toEqual([
      "apt-get install qemu-guest-agent",
      "systemctl enable --quiet qemu-guest-agent.service",
      "systemctl start qemu-guest-agent.service",
    ]);
    forget();
    done(install(variables));
    expect(changes()).toEqual([]);
  });

  test("comes to a node that has docker already, with fresh lists", () => {
    done(install());
    fake("packages", read("fake/packages").replace(/^qemu-guest-agent.*\n/m, ""));
    forget();
    fake("calls");
    done(install());
    expect(agent()).toEqual(["apt-get install qemu-guest-agent"]);
    expect(read("fake/calls").match(/^apt-get .*$/gm)).toEqual([
      expect.stringMatching(/update$/),
      expect.stringMatching(/install .*qemu-guest-agent$/),
    ]);
  });

  test("waits installed for a machine that has no channel for it yet", () => {
    rmSync(join(home, channel));
    const result = install();
    done(result);
    expect(agent()).toEqual(["apt-get install qemu-guest-agent"]);
    expect(result.stderr).toContain(
      "has no channel for the guest agent: stop and start it in Proxmox",
    );
  });
});

describe("cloud-init, once it has made the machine", () => {
  const file = "root/etc/cloud/cloud.cfg.d/99-docker-node.cfg";
  beforeEach(() => {
    fake("group", "docker:x:998:\n");
    write("root/etc/cloud/cloud.cfg.d/90-image.cfg", "");
  });

  test.each([
    ["Ubuntu's", "  - ", (name: string) => name.replaceAll("-", "_")],
    ["Debian's", " - ", (name: string) => name],
    ["without indentation", "- ", (name: string) => name],
  ])(
    "neither replaces host keys, nor brings back SSH keys, nor upgrades (%s list)",
    (_, dash, named) => {
      const list = (section: string, ...names: string[]) =>
        `cloud_${section}_modules:\n${names.map((name) => `${dash}${named(name)}\n`).join("")}`;
      const image = [
        "# The top level settings are used as module and base configuration.\nusers:\n  - default\ndisable_root: true\n",
        list("init", "migrator", "users-groups", "growpart", "ssh", "set-passwords"),
        "\n# The modules that run in the 'config' stage\n",
        list("config", "ssh-import-id", "[package-update-upgrade-install, always]", "ntp"),
        list(
          "final",
          "package-update-upgrade-install",
          "ssh-authkey-fingerprints",
          "power-state-change",
        ),
        "system_info:\n   distro: ubuntu\n",
      ];
      write("root/etc/cloud/cloud.cfg", image.join("\n"));
      done(script("access"));
      expect(read(file)).toBe(
        [
          "ssh_deletekeys: false\n",
          list("init", "migrator", "growpart", "set-passwords"),
          list("config", "ssh-import-id", "ntp"),
          list("final", "ssh-authkey-fingerprints", "power-state-change"),
        ].join(""),
      );
      forget();
      done(script("access"));
      expect(changes()).toEqual([]);
    },
  );
});
