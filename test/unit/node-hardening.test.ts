import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describeDifference, parseChecks, renderChecks } from "../../node/checks";
import { assignVariables } from "../../node/scripts";
import { hardeningStep } from "../../node/steps";
import {
  changes,
  done,
  fake,
  fixtures,
  forget,
  has,
  home,
  node,
  read,
  refused,
  run,
  script,
  sh,
  useNode,
  write,
  type Result,
} from "../support/node";
import { prodNode } from "../support/settings";

/** `node/hardening.sh` in real bash, on a node whose programs answer from files (test/fixtures/node/hardening.sh). */

useNode();

const PROGRAMS =
  "apt-config apt-get auditctl augenrules findmnt journalctl modprobe rmmod ss ssh sshd sudo systemctl systemd-analyze timedatectl unattended-upgrade visudo";
const EVERY =
  "ssh sudo sysctl modules coredumps journal updates time resolved services modes apparmor audit";
const ALGORITHMS =
  "chacha20-poly1305@openssh.com aes256-gcm@openssh.com aes128-cbc 3des-cbc curve25519-sha256 diffie-hellman-group1-sha1 hmac-sha2-256-etm@openssh.com hmac-md5 ssh-ed25519 rsa-sha2-512 ssh-rsa";
const SSH_FILE = "ssh/sshd_config.d/05-docker-node-hardening.conf";
const proc = (path: string): string => `root/proc/sys/${path}`;

/** Kernel settings as a machine comes, and what each becomes. */
const SYSCTLS: Record<string, [string, string]> = {
  "kernel/kptr_restrict": ["0", "2"],
  "kernel/dmesg_restrict": ["0", "1"],
  "kernel/yama/ptrace_scope": ["0", "1"],
  "fs/protected_symlinks": ["0", "1"],
  // As strict as ours: stays.
  "kernel/unprivileged_bpf_disabled": ["1", "1"],
  "fs/suid_dumpable": ["2", "0"],
  "net/ipv4/ip_forward": ["1", "1"],
  "net/ipv4/conf/all/rp_filter": ["1", "2"],
  "net/ipv4/conf/docker0/rp_filter": ["0", "0"],
  "net/ipv4/conf/all/send_redirects": ["1", "0"],
  "net/ipv4/conf/docker0/send_redirects": ["1", "0"],
  "net/ipv4/conf/eth0.30/send_redirects": ["1", "0"],
  "net/ipv6/conf/eth0/accept_redirects": ["1", "0"],
  "net/ipv4/conf/all/accept_source_route": ["1", "0"],
  "net/ipv4/conf/eth0/secure_redirects": ["1", "0"],
  "net/ipv4/conf/all/log_martians": ["0", "1"],
  "net/ipv4/tcp_syncookies": ["0", "1"],
  "net/ipv6/conf/all/accept_source_route": ["1", "0"],
  "kernel/core_pattern": ["|/usr/share/apport/apport -p%p -s%s -c%c", "|/bin/false"],
};

/** Modes as they are found: too open, as it should be, stricter. */
const MODES = { shadow: 0o644, crontab: 0o644, gshadow: 0o600 };

beforeEach(() => {
  for (const name of PROGRAMS.split(" ")) {
    rmSync(join(home, "bin", name), { force: true });
    symlinkSync(join(fixtures, "hardening.sh"), join(home, "bin", name));
  }
  for (const tool of ["install", "readlink"])
    symlinkSync(sh(`type -P ${tool}`), join(home, "bin", tool));
  write(node("os-release"), 'ID=ubuntu\nVERSION_CODENAME="noble"\n');
  write(node("ssh/sshd_config"), "Include /etc/ssh/sshd_config.d/*.conf\n");
  chmodSync(join(home, node("ssh/sshd_config")), 0o600);
  write(node("ssh/sshd_config.d/50-cloud-init.conf"), "PermitRootLogin yes\nX11Forwarding yes\n");
  for (const [path, [before]] of Object.entries(SYSCTLS)) write(proc(path), `${before}\n`);
  for (const folder of ["docker", "audit/rules.d", "ssh", "default"])
    mkdirSync(join(home, node(folder)), { recursive: true });
  write("root/usr/sbin/dockerd", "");
  write("root/usr/sbin/runc", "");
  write("root/usr/sbin/tini-static", "");
  for (const link of ["docker-init", "docker-proxy"])
    symlinkSync("tini-static", join(home, "root/usr/sbin", link));
  mkdirSync(join(home, "root/run/containerd"), { recursive: true });
  mkdirSync(join(home, "root/var/lib/docker/231072.231072/overlay2"), { recursive: true });
  write("root/proc/modules", "overlay 1 0\ndccp 1 0\n");
  write("root/sys/module/apparmor/parameters/enabled", "Y\n");
  write("root/sys/kernel/security/apparmor/profiles", "docker-default (enforce)\n");
  for (const [path, mode] of Object.entries(MODES)) {
    write(node(path), "");
    chmodSync(join(home, node(path)), mode);
  }
  fake("algorithms", ALGORITHMS);
  fake(
    "services",
    [
      "ssh.service enabled active",
      "auditd.service enabled active",
      "apport.service enabled active",
      "systemd-resolved.service enabled active",
      "systemd-journald.service static active",
      "chrony.service disabled inactive",
      "rpcbind.socket enabled active",
      "apt-daily.timer masked inactive",
      "apt-daily-upgrade.timer enabled active",
      "",
    ].join("\n"),
  );
});

const harden = (units = EVERY, variables: Record<string, string> = {}): Result =>
  script("hardening", { UNITS: units, NODE_USER: "ubuntu", ...variables });

/** All of the node but what the script notes for itself, and the states of its services. */
function state(): Record<string, string> {
  const files = readdirSync(join(home, "root"), { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(home, "root", path)).isFile())
    .filter(
      (path) =>
        !/^(run\/docker-node\/|proc\/modules$|var\/lib\/docker-node\/|var\/log\/journal\/)/.test(
          path,
        ),
    );
  const mode = (path: string): string => statSync(join(home, "root", path)).mode.toString(8);
  const found = Object.fromEntries(
    files.sort().map((path) => [path, `${mode(path)} ${read(`root/${path}`)}`]),
  );
  return { ...found, services: read("fake/services") };
}

test("every unit takes effect; a second run changes nothing", () => {
  expect(done(harden())).toEqual({ units: EVERY.split(" ") });
  for (const [path, [, after]] of Object.entries(SYSCTLS))
    expect([path, read(proc(path)).trim()]).toEqual([path, after]);
  expect(read("fake/services")).toContain("apt-daily.timer enabled active");
  expect(read("fake/services")).toContain("apport.service masked inactive");
  const before = state();
  forget();
  expect(done(harden())).toEqual({ units: EVERY.split(" ") });
  expect(changes()).toEqual([]);
  expect(state()).toEqual(before);
});

// AppArmor is only looked at.
test.each(EVERY.replace(" apparmor", "").split(" "))(
  "%s off gives back what was there, and on again is the same",
  (unit) => {
    const untouched = state();
    done(harden(unit));
    const hardened = state();
    expect(hardened).not.toEqual(untouched);
    done(harden(""));
    expect(state()).toEqual(untouched);
    done(harden(unit));
    expect(state()).toEqual(hardened);
  },
);

describe("check mode", () => {
  /** Differences as lines; whatever the check writes or changes fails the test. */
  function check(units = EVERY): string[] {
    forget();
    const before = state();
    const variables = assignVariables({ UNITS: units, NODE_USER: "ubuntu" }).join("\n");
    const { status, stdout, stderr } = run(
      renderChecks([{ step: "hardening", script: "hardening", variables }]),
    );
    const { differences, failed } = parseChecks(stdout);
    expect({ status, failed, stderr, changes: changes() }).toEqual({
      ...{ status: 0, failed: [], stderr: "", changes: [] },
    });
    expect(state()).toEqual(before);
    return differences.map(
      ({ file, key, found, declared }) => `${file} | ${key} | ${found} | ${declared}`,
    );
  }

  test("names all that is missing before the first run, and nothing after it", () => {
    const missing = check();
    for (const line of [
      "/etc/ssh/sshd_config.d/05-docker-node-hardening.conf |  | absent | present",
      "/proc/sys/kernel/kptr_restrict |  | 0 | 2",
      "systemd | apt-daily.timer | masked | enabled",
      "systemd | apport.service | active | inactive",
      "/etc/shadow | mode | 0644 | 0640",
    ])
      expect(missing).toContain(line);
    expect(has("root/var/lib/docker-node/hardening")).toBe(false);
    done(harden());
    expect(check()).toEqual([]);
  });

  // What import asks about an adopted node, which may not have auditd yet.
  test.each(["has", "lacks"])(
    "names before the first run all that it changes, on a node that %s auditd",
    (auditd) => {
      if (auditd === "lacks") {
        rmSync(join(home, "bin/auditctl"));
        fake("services", read("fake/services").replace(/auditd.*\n/, ""));
      }
      const before = state();
      const named = check().map((line) => line.split(" | "));
      done(harden());
      const after = state();
      const differing = Object.keys(after).filter((path) => after[path] !== before[path]);
      const lines = (text = ""): string[] => text.split("\n");
      const services = lines(after.services).filter((one) => !lines(before.services).includes(one));
      const changed = [
        ...differing.filter((path) => path !== "services").map((path) => `/${path}`),
        ...services.map((line) => line.split(" ")[0] ?? ""),
        "dccp",
      ];
      expect(changed).toContain("/etc/audit/rules.d/50-docker-node.rules");
      expect(changed).toContain("rpcbind.socket");
      expect(changed.filter((one) => !named.some((words) => words.includes(one)))).toEqual([]);
    },
  );

  test.each([
    [
      "a line of a file",
      () => {
        write(node(SSH_FILE), read(node(SSH_FILE)).replace("MaxAuthTries 4", "MaxAuthTries 9"));
      },
      ["/etc/ssh/sshd_config.d/05-docker-node-hardening.conf | MaxAuthTries | 9 | 4"],
    ],
    [
      "a file that comes before ours",
      () => {
        write(node("ssh/sshd_config.d/00-first.conf"), "StrictModes no\n");
      },
      [
        "hardening.ssh |  | sshd has other settings\nStrictModes is not yes: strictmodes no | in effect",
      ],
    ],
    [
      "a setting of the kernel",
      () => {
        write(proc("kernel/dmesg_restrict"), "0\n");
      },
      ["/proc/sys/kernel/dmesg_restrict |  | 0 | 1"],
    ],
    [
      "a service that runs again",
      () => {
        fake(
          "services",
          read("fake/services").replace(
            "rpcbind.socket masked inactive",
            "rpcbind.socket enabled active",
          ),
        );
      },
      [
        "systemd | rpcbind.socket | active | inactive",
        "systemd | rpcbind.socket | enabled | masked",
      ],
    ],
    [
      "a module that is loaded",
      () => {
        write("root/proc/modules", "dccp 1 0\n");
      },
      ["/proc/modules | dccp | loaded | "],
    ],
    [
      "a mode",
      () => {
        chmodSync(join(home, node("shadow")), 0o644);
      },
      ["/etc/shadow | mode | 0644 | 0640"],
    ],
    [
      "a mount that needs rpcbind",
      () => {
        write(node("fstab"), "nas:/x /mnt nfs rw 0 0\n");
      },
      ["systemd | rpcbind.socket | masked | enabled"],
    ],
    [
      "rules that the kernel has lost",
      () => {
        fake("rules");
      },
      [expect.stringMatching(/^hardening\.audit \| {2}\| audit rules are not loaded\nno rule for/)],
    ],
  ])("names %s, and the next run puts it right", (_, change, expected) => {
    done(harden());
    change();
    expect(check()).toEqual(expected);
    if (has(node("ssh/sshd_config.d/00-first.conf")))
      rmSync(join(home, node("ssh/sshd_config.d/00-first.conf")));
    done(harden());
    expect(check()).toEqual([]);
  });

  test("names a module that is in use, which a reboot takes", () => {
    done(harden("modules"));
    write("root/proc/modules", "dccp 1 2\n");
    const variables = assignVariables({ UNITS: "modules", NODE_USER: "ubuntu" }).join("\n");
    const { stdout } = run(renderChecks([{ step: "hardening", script: "hardening", variables }]));
    expect(parseChecks(stdout).differences.map(describeDifference)).toEqual([
      "/proc/modules dccp: loaded on the node, absent as declared; up leaves it until a reboot",
    ]);
  });

  test.each(["before", "after"])("names whom else sshd lets in %s the first run", (when) => {
    if (when === "after") done(harden("ssh"));
    const nothing = check("ssh");
    const text = "AllowUsers bob\nMatch User carl\nAllowUsers carl\n";
    write(node("ssh/sshd_config.d/60-more.conf"), text);
    expect(check("ssh")).toEqual([
      ...nothing,
      "/etc/ssh/sshd_config.d/60-more.conf | line 1 | AllowUsers bob | ",
      "/etc/ssh/sshd_config.d/60-more.conf | line 3 | AllowUsers carl (Match User carl) | ",
    ]);
  });

  test("names a unit that is on and should be off, and a package that is missing", () => {
    done(harden("modules"));
    expect(check("")).toEqual(["hardening.modules |  | on | off"]);
    rmSync(join(home, "bin/auditctl"));
    expect(check("modules audit")[0]).toBe("packages | auditd | absent | installed");
  });
});

test("everything off changes nothing on a node that was never hardened, or is so no longer", () => {
  done(harden(""));
  expect(changes()).toEqual([]);
  done(harden());
  done(harden(""));
  forget();
  done(harden(""));
  expect(changes()).toEqual([]);
});

describe("ssh", () => {
  test("offers only what is modern and known to this OpenSSH, to the named users", () => {
    done(harden("ssh", { SSH_USERS: "jane ubuntu" }));
    const text = read(node(SSH_FILE)).split("\n");
    expect(text).toEqual(
      expect.arrayContaining([
        "PermitRootLogin no",
        "AllowTcpForwarding no",
        "Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com",
        "KexAlgorithms curve25519-sha256",
        "MACs hmac-sha2-256-etm@openssh.com",
        "PubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-512",
      ]),
    );
    expect(text.filter((line) => line.startsWith("AllowUsers"))).toEqual([
      "AllowUsers ubuntu",
      "AllowUsers jane",
    ]);
    expect(changes()).toEqual(["systemctl reload ssh.service"]);
  });

  test("forwards when that is declared", () => {
    done(harden("ssh", { FORWARDING: "true" }));
    expect(read(node(SSH_FILE))).toContain("AllowTcpForwarding yes\nAllowAgentForwarding yes\n");
  });

  test("what sshd refuses is taken back before it is reloaded", () => {
    done(harden("ssh"));
    const before = state();
    forget();
    fake("sshd-refuses");
    refused(harden("ssh", { SSH_USERS: "jane" }), "sshd does not accept its configuration");
    expect(state()).toEqual(before);
    expect(changes()).toEqual([]);
  });

  test("a file that comes before ours is named, and nothing is reloaded", () => {
    write(node("ssh/sshd_config.d/00-first.conf"), "StrictModes no\n");
    refused(harden("ssh"), /StrictModes is not yes: strictmodes no/);
    expect(has(node(SSH_FILE))).toBe(false);
    expect(changes()).toEqual([]);
  });

  const refusal = (detail: string): RegExp =>
    new RegExp(`sshd does not accept its configuration; nothing was changed\n${detail}`);

  test.each([
    ["bob carl ubuntu", "bob carl"],
    ["*", "*"],
    ["*@10.0.0.1", "*@10.0.0.1"],
  ])("whom else another file lets in (%s) is named with its line", (names, foreign) => {
    done(harden("ssh"));
    const before = state();
    write(node("ssh/sshd_config.d/60-more.conf"), `# more\nAllowUsers ${names}\n`);
    const line = `/etc/ssh/sshd_config.d/60-more.conf:2: AllowUsers ${foreign}: take it away`;
    refused(harden("ssh"), line);
    rmSync(join(home, node("ssh/sshd_config.d/60-more.conf")));
    expect(state()).toEqual(before);
  });

  test.each(["all", "User bob", "Address 10.0.0.0/8"])(
    "whom a Match (%s) lets in is named with its line",
    (criteria) => {
      const text = `Match ${criteria}\n  AllowUsers bob\n`;
      write(node("ssh/sshd_config"), `${read(node("ssh/sshd_config"))}${text}`);
      refused(
        harden("ssh"),
        refusal(`/etc/ssh/sshd_config:3: AllowUsers bob \\(Match ${criteria}\\): take it away`),
      );
      expect(has(node(SSH_FILE))).toBe(false);
    },
  );

  test("whom else sshd lets in is told, wherever it has that from", () => {
    const more = "Match Address 192.0.2.1\nAllowUsers ubuntu\nAllowUsers root@10.0.0.1\n";
    write(node("ssh/sshd_config.d/60-more.conf"), more);
    refused(harden("ssh"), /\nAllowUsers has root@10\.0\.0\.1 too, for root from 192\.0\.2\.1\n?/);
  });

  test.each(["User deploy", "User root", "Address 192.0.2.1", "all"])(
    "neither an earlier file nor a Match (%s) of a later one changes anything for anybody",
    (criteria) => {
      write(node("ssh/sshd_config.d/00-first.conf"), "X11Forwarding yes\n");
      const text = `Match ${criteria}\nPasswordAuthentication yes\nPermitRootLogin yes\n`;
      write(node("ssh/sshd_config.d/60-more.conf"), text);
      write(node("ssh/sshd_config"), `${read(node("ssh/sshd_config"))}${text}`);
      done(harden("ssh", { SSH_USERS: "deploy" }));
      for (const user of ["root", "deploy", "bob"]) {
        const said = sh(
          `FAKE=${home}/fake ROOT_DIR=${home}/root ${home}/bin/sshd -T -C user=${user},host=a,addr=192.0.2.1`,
        );
        expect(said).toContain("passwordauthentication no");
        expect(said).toContain("x11forwarding no");
        expect(said).toContain("permitrootlogin no");
      }
    },
  );

  test("a Match that comes before ours is named with its line, whomever it is about", () => {
    const text = "Match Address 10.0.0.0/8\nPasswordAuthentication yes\nPermitTTY no\n";
    write(node("ssh/sshd_config.d/00-first.conf"), text);
    refused(
      harden("ssh"),
      refusal(
        "/etc/ssh/sshd_config.d/00-first.conf:2: passwordauthentication yes \\(Match Address 10.0.0.0/8\\): take",
      ),
    );
    expect(has(node(SSH_FILE))).toBe(false);
    write(node("ssh/sshd_config.d/00-first.conf"), text.replace("10.0.0.0/8", "192.0.2.1"));
    refused(
      harden("ssh"),
      "\nPasswordAuthentication is not no: passwordauthentication yes, for root from 192.0.2.1",
    );
  });

  test("whoever is connected is never locked out", () => {
    refused(harden("ssh", { SUDO_USER: "admin" }), /refused: admin, who is connected now/);
    refused(harden("ssh", { NODE_USER: "root" }), /refused: ssh.user is root/);
    expect(has(node(SSH_FILE))).toBe(false);
  });

  test("no sshd runs where a socket starts it: the next one reads the file", () => {
    fake(
      "services",
      read("fake/services").replace("ssh.service enabled active", "ssh.service disabled inactive"),
    );
    done(harden("ssh"));
    expect(changes()).toEqual([]);
  });
});

describe("audit", () => {
  test("watches Docker's paths where they are, and not what containers write", () => {
    done(harden("audit"));
    const rules = read(node("audit/rules.d/50-docker-node.rules"));
    expect(rules).toMatch(/^-i\n/);
    for (const rule of [
      "-a never,exit -F dir=/var/lib/docker/231072.231072/overlay2",
      "-a always,exit -F path=/usr/sbin/dockerd -F perm=wa -F key=docker",
      "-a always,exit -F path=/usr/sbin/runc -F perm=wa -F key=docker",
      "-a always,exit -F dir=/etc/docker -F perm=wa -F key=docker",
      // Not there yet, and its folder is.
      "-a always,exit -F path=/etc/docker/daemon.json -F perm=wa -F key=docker",
      "-a always,exit -F dir=/run/containerd -F perm=wa -F key=docker",
      "-a always,exit -F path=/etc/shadow -F perm=wa -F key=identity",
      "-a always,exit -F path=/etc/sudoers.d -F perm=wa -F key=access",
      "-a always,exit -F path=/etc/ssh/sshd_config -F perm=wa -F key=access",
      "-a always,exit -F dir=/etc/ssh/sshd_config.d -F perm=wa -F key=access",
    ])
      expect(rules.split("\n")).toContain(rule);
    expect(rules).not.toMatch(/usr\/bin|sysconfig/);
    // docker-init is a link, and the kernel takes no rule twice.
    expect(rules.match(/tini-static/g)).toHaveLength(1);
  });

  test("no boot waits for the data disk: the rules are read again before dockerd, and auditd no longer waits", () => {
    const earlier = ["auditd", "audit-rules"].map((unit) =>
      node(`systemd/system/${unit}.service.d/10-docker-node.conf`),
    );
    for (const path of earlier) write(path, "[Unit]\nAfter=var-lib-docker.mount\n");
    done(harden("audit"));
    for (const path of earlier) expect(has(path)).toBe(false);
    expect(read(node("systemd/system/docker.service.d/40-docker-node-audit.conf"))).toBe(
      "[Service]\nExecStartPre=-/usr/sbin/augenrules --load\n",
    );
    forget();
    done(harden("audit"));
    expect(changes()).toEqual([]);
  });

  test("a rule that the kernel does not hold fails the run, and the next one loads it", () => {
    fake("no-rule", "/usr/sbin/dockerd");
    refused(harden("audit"), /audit rules are not loaded\nno rule for \/usr\/sbin\/dockerd/);
    rmSync(join(home, "fake/no-rule"));
    done(harden("audit"));
    fake("rules");
    done(harden("audit"));
    expect(read("fake/rules")).toContain("/usr/sbin/dockerd");
  });

  test.each([
    ["never", "s/^-w \\(.*dockerd\\) -p wa -k/-a never,exit -S all -F path=\\1 -F key=/"],
    ["reads alone", "s/\\(dockerd -p \\)wa/\\1rx/"],
    ["writes alone", "s/\\(dockerd -p \\)wa/\\1w/"],
    ["one user", "s/^-w \\(.*dockerd\\) -p wa/-a always,exit -F path=\\1 -F perm=wa -F uid=7/"],
  ])("a rule that audits %s is none", (_, told) => {
    fake("audit-told", told);
    refused(harden("audit"), /audit rules are not loaded\nno rule for \/usr\/sbin\/dockerd$/m);
  });

  test("a rule without permissions audits all that is done", () => {
    fake("audit-told", "s/^-w \\(.*\\) -p wa -k /-a always,exit -S all -F path=\\1 -F key=/");
    done(harden("audit"));
  });

  test("rules that are locked until a boot are told", () => {
    fake("audit-enabled", "2");
    refused(harden("audit"), /locked until the next boot/);
  });

  test("the package is installed once; its service goes with the unit", () => {
    fake("services", read("fake/services").replace("auditd.service enabled active\n", ""));
    rmSync(join(home, "bin/auditctl"));
    done(harden("audit"));
    expect(changes().slice(0, 2)).toEqual([
      "apt-get update",
      "apt-get install --no-install-recommends auditd",
    ]);
    expect(read("fake/services")).toContain("auditd.service enabled active");
    done(harden(""));
    expect(read("fake/services")).toContain("auditd.service disabled inactive");
  });
});

test("updates: security only, a reboot is told and not made", () => {
  write("root/run/reboot-required", "");
  write("root/run/reboot-required.pkgs", "linux-base\nlinux-image\nlinux-base\n");
  const { status, stderr } = harden("updates");
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: "docker-node: hardening: the node needs a reboot: linux-base linux-image\n",
  });
  const text = read(node("apt/apt.conf.d/99-docker-node-updates"));
  expect(text).toContain("#clear Unattended-Upgrade::Allowed-Origins;");
  expect(text).toContain('"${distro_id}:${distro_codename}-security"');
  expect(text).not.toMatch(/-updates|Automatic-Reboot "true"/);
});

test.each([
  ["ubuntu", '"${distro_id}:${distro_codename}"; "${distro_id}:${distro_codename}-security"'],
  ["debian", '"origin=Debian,codename=${distro_codename},label=Debian";'],
])(
  "updates: a new package that a security update of %s needs may come from the release",
  (id, origin) => {
    write(node("os-release"), `ID=${id}\nVERSION_CODENAME="noble"\n`);
    done(harden("updates"));
    expect(read(node("apt/apt.conf.d/99-docker-node-updates"))).toContain(origin);
  },
);

test("updates: what a person excludes stays excluded", () => {
  write(
    node("apt/apt.conf.d/50unattended-upgrades"),
    'Unattended-Upgrade::Package-Blacklist { "linux-"; };\n',
  );
  done(harden("updates"));
  const dump = sh(`FAKE=${home}/fake ROOT_DIR=${home}/root ${home}/bin/apt-config dump`);
  for (const name of ["linux-", "docker"])
    expect(dump).toContain(`Unattended-Upgrade::Package-Blacklist:: "${name}";`);
});

test("updates: what another file of apt undoes is told", () => {
  write(node("apt/apt.conf.d/99z"), 'APT::Periodic::Unattended-Upgrade "0";\n');
  refused(harden("updates"), /apt has another setting than APT::Periodic::Unattended-Upgrade "1"/);
});

test("updates: an origin that a later file of apt adds is told; one of an earlier file is cleared", () => {
  const more = (origin: string): string =>
    `Unattended-Upgrade::Allowed-Origins { "${origin}"; };\n`;
  write(node("apt/apt.conf.d/50unattended-upgrades"), more("${distro_id}:${distro_codename}"));
  done(harden("updates"));
  write(node("apt/apt.conf.d/99z"), more("Docker:noble"));
  refused(
    harden("updates"),
    /other origins than the distribution's security updates.*Docker:noble/s,
  );
});

test("journal: a limit that another file undoes is told", () => {
  write(node("systemd/journald.conf.d/zz.conf"), "[Journal]\nSystemMaxUse=9G\n");
  refused(harden("journal"), /journald.conf: SystemMaxUse is 9G, not 1G/);
});

test("modules: one that is loaded goes, or is told when it is in use", () => {
  fake("in-use");
  expect(harden("modules").stderr).toContain("the module dccp is in use");
  rmSync(join(home, "fake/in-use"));
  done(harden("modules"));
  expect(changes()).toEqual(["rmmod dccp"]);
  expect(read(node("modprobe.d/docker-node-hardening.conf"))).not.toMatch(
    /overlay|br_netfilter|nf_|squashfs/,
  );
});

test("modules: one that went comes back when the unit is off", () => {
  done(harden("modules"));
  done(harden(""));
  expect(changes()).toEqual(["rmmod dccp", "modprobe dccp"]);
  expect(read("root/proc/modules")).toContain("dccp ");
});

test("resolved: an open port fails the run", () => {
  fake(
    "sockets",
    'udp UNCONN 0 0 0.0.0.0:5355 0.0.0.0:* users:(("systemd-resolve",pid=1,fd=2))\nudp UNCONN 0 0 0.0.0.0:5353 0.0.0.0:* users:(("homeassistant",pid=9,fd=2))\n',
  );
  refused(
    harden("resolved"),
    /systemd-resolved listens to the segment\nudp UNCONN 0 0 0.0.0.0:5355/,
  );
  fake("sockets", 'udp UNCONN 0 0 0.0.0.0:5353 0.0.0.0:* users:(("homeassistant",pid=9,fd=2))\n');
  done(harden("resolved"));
});

test("sudo: what visudo refuses is taken back", () => {
  fake("visudo-refuses");
  refused(
    harden("sudo"),
    /sudo does not accept its configuration; nothing was changed\nsyntax error/,
  );
  expect(has(node("sudoers.d/docker-node-hardening"))).toBe(false);
  expect(has(node("logrotate.d/docker-node-sudo"))).toBe(false);
  expect(has("root/var/lib/docker-node/hardening/sudo.pending")).toBe(false);
});

test("time: what is there already is used, else timesyncd is installed", () => {
  done(harden("time"));
  expect(changes()).toEqual(["systemctl enable chrony.service", "systemctl start chrony.service"]);
  done(harden(""));
  forget();
  fake("services", read("fake/services").replace(/chrony.*\n/, ""));
  done(harden("time"));
  expect(changes()).toEqual([
    "apt-get update",
    "apt-get install --no-install-recommends systemd-timesyncd",
  ]);
});

test("time: a clock that is not synchronised is told, and the run goes on", () => {
  done(harden("time"));
  fake("clock-alone");
  const { status, stderr } = harden("time");
  expect([status, stderr]).toEqual([
    0,
    expect.stringContaining("the clock is not synchronised yet: look at chrony.service"),
  ]);
});

const OPTS = "root/var/lib/docker/231072.231072/volumes/share/opts.json";
const volumeOf = (type: string, options: string): string =>
  JSON.stringify({ MountType: type, MountOpts: options, MountDevice: ":/x", Quota: { Size: 0 } });

test.each<[string, string, string]>([
  ["a volume without a version", OPTS, volumeOf("nfs", "addr=10.25.20.1,rw")],
  ["a volume of version 3", OPTS, volumeOf("nfs", "addr=10.25.20.1,nfsvers=3")],
  ["a line of fstab", node("fstab"), "nas:/x /mnt nfs rw,vers=3 0 0\n"],
  ["an NFS server", "fake/services", ""],
])("services: rpcbind stays for %s, and comes back when it appears later", (_, path, text) => {
  const appear = (): void => {
    write(path, text || `${read("fake/services")}nfs-server.service enabled active\n`);
  };
  done(harden("services"));
  expect(read("fake/services")).toContain("rpcbind.socket masked inactive");
  appear();
  done(harden("services"));
  expect(read("fake/services")).toContain("rpcbind.socket enabled active");
  forget();
  done(harden("services"));
  expect(changes()).toEqual([]);
});

test.each<[string, string, string]>([
  ["a volume of version 4", OPTS, volumeOf("nfs", "addr=10.25.20.1,vers=4.2")],
  ["a volume of nfs4", OPTS, volumeOf("nfs4", "addr=10.25.20.1")],
  ["another volume", OPTS, volumeOf("tmpfs", "")],
  ["lines of fstab", node("fstab"), "#nas:/x /a nfs rw\nnas:/x /b nfs rw,nfsvers=4.1\n"],
])("services: rpcbind goes in spite of %s", (_, path, text) => {
  write(path, text);
  done(harden("services"));
  expect(read("fake/services")).toContain("rpcbind.socket masked inactive");
});

test("services: a unit that somebody has written is disabled, for systemd does not mask it, and comes back", () => {
  write(node("systemd/system/rpcbind.socket"), "[Socket]\n");
  done(harden("services"));
  expect(read("fake/services")).toContain("rpcbind.socket disabled inactive");
  forget();
  done(harden("services"));
  expect(changes()).toEqual([]);
  done(harden("ssh"));
  expect(read("fake/services")).toContain("rpcbind.socket enabled active");
});

test("services: rpcbind stays while an NFS of version 3 is mounted", () => {
  fake("nfs", "nfs\n");
  done(harden("services"));
  expect(changes()).toEqual([]);
  rmSync(join(home, "fake/nfs"));
  done(harden("services"));
  expect(changes()).toEqual(["systemctl stop rpcbind.socket", "systemctl mask rpcbind.socket"]);
});

test("apparmor: a profile that only complains fails the run, and so does a kernel without AppArmor", () => {
  write("root/sys/kernel/security/apparmor/profiles", "docker-default (complain)\n");
  refused(harden("apparmor"), /AppArmor does not enforce docker-default/);
  write("root/sys/module/apparmor/parameters/enabled", "N\n");
  refused(harden("apparmor"), /no AppArmor.*hardening\.apparmor: false.*hardening-apparmor-off/);
  rmSync(join(home, "root/sys/module/apparmor"), { recursive: true });
  refused(harden("apparmor"), /the kernel has no AppArmor/);
  done(harden(""));
});

test("modes: what is too open is closed, what is stricter stays", () => {
  done(harden("modes"));
  const mode = (path: string): number => statSync(join(home, node(path))).mode & 0o777;
  expect(Object.keys(MODES).map(mode)).toEqual([0o640, 0o600, 0o600]);
});

test("a unit that does not exist is refused before anything is touched", () => {
  refused(harden("ssh firewall"), "UNITS: there is no unit firewall");
  expect(has(node(SSH_FILE))).toBe(false);
});

test("the step is given the units that are on, and whom sshd lets in", () => {
  const hardening = { modules: false, sshUsers: ["jane"] };
  const given = hardeningStep(prodNode({ hardening, engine: { groupMembers: ["deploy"] } }));
  expect(given.variables).toMatchObject({
    UNITS: EVERY.replace(" modules", ""),
    NODE_USER: "ubuntu",
    SSH_USERS: "deploy jane",
    FORWARDING: "false",
    DATA_ROOT: "/var/lib/docker",
  });
});

test.each([
  ["another source", { source: "distribution" as const }, {}],
  ["another release", { version: "28.5" }, {}],
  ["no remap", {}, { "userns-remap": undefined }],
  ["another storage driver", {}, { "storage-driver": "zfs" as const }],
])("the step runs again with %s: auditd watches other paths then", (_, of, keys) => {
  const before = prodNode();
  const daemon = { ...before.engine.daemon, ...keys };
  const after = { ...before, engine: { ...before.engine, daemon, ...of } };
  expect(hardeningStep(after).variables).not.toEqual(hardeningStep(before).variables);
});
