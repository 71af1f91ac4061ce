import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DOCKER0_KEYS, reloadableKeys } from "../../config/daemon";
import { CHECKED_STEPS, checkableSteps, type CheckedStep } from "../../node/checkable";
import { parseChecks, renderChecks } from "../../node/checks";
import { assignVariables } from "../../node/scripts";
import {
  changes,
  fake,
  fixtures,
  forget,
  home,
  node,
  OWNER,
  read,
  run,
  script,
  useNode,
  write,
} from "../support/node";
import { prodNode } from "../support/settings";

/** Check mode of the scripts that change a node: applied and then checked there is nothing to say, and each edit by hand is named. */

useNode();

const daemonJson = {
  "live-restore": true,
  "log-driver": "json-file",
  "log-opts": { "max-file": "3", "max-size": "100m" },
  "insecure-registries": ["registry.example.org"],
};
const KEY = "ssh-ed25519 AAAAdeclared me@example.org";
const DISK = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi1";
const VERSION = "5:29.10.0-1~ubuntu.24.04~noble";

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";

const VARIABLES: Readonly<Record<CheckedStep, Record<string, string>>> = {
  nics: { ADDRESSES: "10.25.30.24" },
  storage: { DOCKER_DISK: DISK },
  install: { PACKAGE_SOURCE: "official", VERSION: "29" },
  daemon: {
    DAEMON_JSON: JSON.stringify(daemonJson),
    RELOADABLE: reloadableKeys(daemonJson).join(" "),
    DOCKER0_KEYS: DOCKER0_KEYS.join(" "),
  },
  registries: { CERTIFICATES: `registry.example.org\n${CERTIFICATE}` },
  access: {
    NODE_USER: "ubuntu",
    DOCKER_GROUP_MEMBERS: "ubuntu",
    AUTHORIZED_KEYS: KEY,
  },
  // What its units say: node-hardening.test.ts.
  hardening: { NODE_USER: "ubuntu" },
  firewall: {
    RULES: "table inet docker_node {\n  tcp dport 22 accept\n}",
    ID: "0123456789abcdef",
    SSH_SOURCES: "10.25.10.0/24",
    ADDRESS: "10.25.20.24",
  },
};

/** Everything on the node: path, mode and content. */
function digest(): string {
  const hash = createHash("sha256");
  const root = join(home, "root");
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" }).sort()) {
    const status = statSync(join(root, path));
    hash.update(`${path} ${status.mode} ${status.mtimeMs}`);
    if (status.isFile()) hash.update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}

interface Found {
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Checks by the bundle that a session runs; whatever it writes or changes fails the test. */
function check(
  steps: readonly CheckedStep[] = CHECKED_STEPS,
  more: Record<string, string> = {},
): Found & ReturnType<typeof parseChecks> {
  forget();
  const before = digest();
  const each = steps.map((step) => ({
    ...{ step, script: step },
    variables: assignVariables({ ...VARIABLES[step], ...more }).join("\n"),
  }));
  const { status, stdout, stderr } = run(renderChecks(each));
  expect({ status, changes: changes(), digest: digest() }).toEqual({
    status: 0,
    changes: [],
    digest: before,
  });
  const checked = parseChecks(stdout);
  const lines = checked.differences.map(
    ({ step, file, key, found, declared, left }) =>
      `${step} | ${file} | ${key} | ${found} | ${declared}${left ? ` | ${left}` : ""}`,
  );
  return { lines, stderr, ...checked };
}

const edit = (path: string, from: string | RegExp, to: string): void => {
  const before = read(path);
  write(path, before.replace(from, to));
  expect(read(path)).not.toBe(before);
};

let applied: string | undefined;
const copy = (from: string, to: string): void => {
  for (const folder of ["root", "fake"])
    cpSync(join(from, folder), join(to, folder), { recursive: true });
};

beforeEach(() => {
  write(node("os-release"), 'ID=ubuntu\nVERSION_CODENAME=noble\nNAME="Ubuntu"\n');
  write("root/dev/virtio-ports/org.qemu.guest_agent.0", "");
  write("root/home/ubuntu/.ssh/authorized_keys", "ssh-rsa AAAAother someone@example.org\n");
  write(node("fstab"), "# static\nLABEL=root / ext4 defaults 0 1\n");
  write(node("cloud/cloud.cfg.d/90_dpkg.cfg"), "");
  mkdirSync(join(home, "root/var/lib/docker"), { recursive: true });
  fake("madison.docker-ce", readFileSync(join(fixtures, "madison-docker-ce-noble.txt"), "utf8"));
  fake("key", "pub:-:4096\nfpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:\n");
  fake("units", "qemu-guest-agent.service inactive\n");
  fake("disks", `vda disk -\nvda1 part vda\nsdb disk - ${DISK}\n`);
  fake("mounts", "/ /dev/vda1 ext4 rw,relatime 99999999-2222-3333-4444-555555555555\n");
  fake("nics", "10.25.30.24 eth1\n");
  fake("mount-options", "prjquota");
  fake("ftype", "1");
  fake("full");
  fake("service", "inactive");
  fake("group", "docker:x:998:\n");
  fake("passwd", `ubuntu:x:${OWNER}::/home/ubuntu:/bin/bash\n`);
  // Applied once: every other test gets a copy of that node.
  if (!applied) {
    for (const step of CHECKED_STEPS) {
      const { status, stderr } = script(step, VARIABLES[step]);
      expect({ step, status, stderr }).toEqual({ step, status: 0, stderr: "" });
    }
    expect(script("firewall/confirm", VARIABLES.firewall).stderr).toBe("");
    applied = mkdtempSync(join(tmpdir(), "docker-node-applied-"));
    copy(home, applied);
  }
  copy(applied, home);
});

afterAll(() => {
  if (applied) rmSync(applied, { recursive: true });
});

test("as applied there is nothing to say", () => {
  expect(check()).toMatchObject({ lines: [], failed: [], stderr: "" });
});

test("a dockerd that answers late is as declared", () => {
  fake("busy", "1");
  const found = check(["daemon"], { HEALTH_TIMEOUT: "60" });
  expect(found).toMatchObject({ lines: [], failed: [], stderr: "" });
  expect(read("fake/busy")).toBe("0\n");
});

const FSTAB =
  "UUID=11111111-2222-3333-4444-555555555555 /var/lib/docker xfs defaults,prjquota,nofail,x-systemd.device-timeout=5min 0 0";
const SSHD = "/etc/ssh/sshd_config.d/10-docker-node.conf";
const PIN = "/etc/apt/preferences.d/docker-node";
const DROP_IN = "/etc/systemd/system/docker.service.d/10-docker-node-data-root.conf";
const FIREWALL = "/etc/docker-node/firewall.nft";
const TRUSTED = "/etc/docker/certs.d/registry.example.org/docker-node.crt";
const NIC = "/etc/systemd/network/10-netplan-eth1.network.d/docker-node.conf";
const inFile = (path: string, from: string | RegExp, to: string) => (): void => {
  edit(`root${path}`, from, to);
};
const without = (path: string) => (): void => {
  rmSync(join(home, path));
};

test.each<[string, () => void, ...string[]]>([
  [
    "a value in daemon.json",
    inFile("/etc/docker/daemon.json", '"max-file":"3"', '"max-file":"9"'),
    'daemon | /etc/docker/daemon.json | log-opts.max-file | "9" | "3"',
  ],
  [
    "a key more and a key less",
    inFile("/etc/docker/daemon.json", '"live-restore":true', '"debug":true'),
    "daemon | /etc/docker/daemon.json | debug | true | ",
    "daemon | /etc/docker/daemon.json | live-restore |  | true",
  ],
  [
    "daemon.json gone",
    without("root/etc/docker/daemon.json"),
    'daemon | /etc/docker/daemon.json | insecure-registries |  | ["registry.example.org"]',
    "daemon | /etc/docker/daemon.json | live-restore |  | true",
    'daemon | /etc/docker/daemon.json | log-driver |  | "json-file"',
    'daemon | /etc/docker/daemon.json | log-opts |  | {"max-file": "3", "max-size": "100m"}',
  ],
  [
    "a daemon.json that is none",
    () => {
      write(node("docker/daemon.json"), "{,");
    },
    "daemon | /etc/docker/daemon.json |  | not JSON | JSON | until it is mended or removed",
  ],
  [
    "a daemon that runs with something else",
    () => {
      edit("fake/loaded", '"log-driver":"json-file"', '"log-driver":"local"');
    },
    'daemon | dockerd | log-driver | "local" | "json-file" | until dockerd starts again',
  ],
  [
    "keys that are in no file, and that a reload has left in force",
    () => {
      const left =
        '{"labels":["a=b"],"debug":true,"registry-mirrors":["https://mirror.example.org"],';
      edit("fake/loaded", "{", left);
    },
    "daemon | dockerd | debug | true | false | until dockerd starts again",
    'daemon | dockerd | labels | ["a=b"] | [] | until dockerd starts again',
    'daemon | dockerd | registry-mirrors | ["https://mirror.example.org/"] | [] | until dockerd starts again',
  ],
  [
    "a file that was edited and taken over, once",
    () => {
      edit("root/etc/docker/daemon.json", "registry.example.org", "evil.example.org");
      edit("fake/loaded", "registry.example.org", "evil.example.org");
    },
    'daemon | /etc/docker/daemon.json | insecure-registries | ["evil.example.org"] | ["registry.example.org"]',
  ],
  [
    "a daemon that is down",
    () => {
      fake("service", "failed");
    },
    "daemon | systemd | docker.service | stopped | started",
  ],
  [
    "a dockerd that never answers",
    () => {
      fake("busy", "1000000");
    },
    "daemon | dockerd |  | no answer | an answer",
  ],
  [
    "what a further NIC takes from routers",
    inFile(NIC, "IPv6AcceptRA=no", "IPv6AcceptRA=yes"),
    `nics | ${NIC} | IPv6AcceptRA | yes | no`,
  ],
  [
    "a name server that a further NIC got by hand",
    () => {
      fake("dns.eth1", "10.25.20.2");
    },
    "nics | eth1 |  | 10.25.20.2 | ",
  ],
  [
    "the address of a further NIC",
    () => {
      fake("nics");
    },
    "nics | 10.25.30.24 |  | on no NIC | on a NIC | until the VM boots",
    `nics | ${NIC} |  | present | `,
  ],
  [
    "a hold",
    inFile("/../fake/held", "docker-ce\n", ""),
    "install | packages | docker-ce | not held | held",
  ],
  ["a pin", inFile(PIN, "1001", "100"), `install | ${PIN} | Pin-Priority | 100 | 1001`],
  ["the pin's file", without(`root${PIN}`), `install | ${PIN} |  | absent | present`],
  [
    "a package",
    inFile("/../fake/packages", /^docker-compose-plugin.*\n/m, ""),
    "install | packages | docker-compose-plugin |  | installed",
  ],
  [
    "an older Docker",
    inFile("/../fake/packages", /^docker-ce 5:29.10.0.*$/m, "docker-ce 5:28.5.1-1~noble"),
    "install | packages | docker-ce | 5:28.5.1-1~noble | 29",
    `install | packages | docker-ce-cli | ${VERSION} | 5:28.5.1-1~noble`,
  ],
  [
    "the repository",
    inFile("/etc/apt/sources.list.d/docker.sources", "stable", "test"),
    "install | /etc/apt/sources.list.d/docker.sources | Components | test | stable",
  ],
  [
    "a second file with the repository",
    () => {
      write(
        node("apt/sources.list.d/mine.list"),
        "deb https://download.docker.com/linux/ubuntu noble test\n",
      );
    },
    "install | /etc/apt/sources.list.d/mine.list | Docker's repository | present | absent",
  ],
  [
    "the repository's key",
    inFile("/etc/apt/keyrings/docker.asc", "9DC8", "AAAA"),
    "install | /etc/apt/keyrings/docker.asc | key |  | 9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
  ],
  [
    "the guest agent, stopped",
    inFile("/../fake/units", /^.*service active$/m, ""),
    "install | systemd | qemu-guest-agent.service | stopped | started",
  ],
  [
    "the first start's condition",
    inFile(
      "/etc/systemd/system/docker.service.d/00-docker-node-first-start.conf",
      "/etc/docker",
      "/nowhere",
    ),
    "install | /etc/systemd/system/docker.service.d/00-docker-node-first-start.conf | ConditionPathExists | /nowhere/daemon.json | /etc/docker/daemon.json",
  ],
  [
    "fstab",
    inFile("/etc/fstab", "nofail,", ""),
    `storage | /etc/fstab | /var/lib/docker | ${FSTAB.replace("nofail,", "")} | ${FSTAB}`,
  ],
  [
    "a line of fstab",
    inFile("/etc/fstab", `${FSTAB}\n`, ""),
    `storage | /etc/fstab | /var/lib/docker |  | ${FSTAB}`,
  ],
  [
    "a unit's drop-in",
    inFile(DROP_IN, /^Assert.*$/m, ""),
    `storage | ${DROP_IN} | AssertPathIsMountPoint |  | /var/lib/docker`,
  ],
  [
    "a mount",
    inFile("/../fake/mounts", /^\/var\/lib\/docker .*\n/m, ""),
    "storage | /proc/mounts | /var/lib/docker |  | /dev/sdb",
  ],
  [
    "a mount without quota",
    inFile("/../fake/mounts", "prjquota", "noquota"),
    "storage | /proc/mounts | /var/lib/docker | rw,relatime,noquota | prjquota | until it is mounted anew",
  ],
  [
    "an authority of a registry",
    inFile(TRUSTED, "AAAA", "BBBB"),
    `registries | ${TRUSTED} | AAAA |  | AAAA`,
    `registries | ${TRUSTED} | BBBB | BBBB | `,
  ],
  ["an authority gone", without(`root${TRUSTED}`), `registries | ${TRUSTED} |  | absent | present`],
  [
    "an authority for a registry that is not declared",
    () => {
      write(node("docker/certs.d/evil.example.org/docker-node.crt"), CERTIFICATE);
    },
    "registries | /etc/docker/certs.d/evil.example.org/docker-node.crt |  | present | ",
  ],
  [
    "one more in the group",
    inFile("/../fake/group", "ubuntu", "ubuntu,eve"),
    "access | /etc/group | docker | eve | ",
  ],
  [
    "one less in the group",
    inFile("/../fake/group", "ubuntu", ""),
    "access | /etc/group | docker |  | ubuntu",
  ],
  ["the group gone", without("fake/group"), "access | /etc/group | docker |  | ubuntu"],
  [
    "a declared key",
    inFile("/home/ubuntu/.ssh/authorized_keys", `${KEY}\n`, ""),
    "access | /home/ubuntu/.ssh/authorized_keys | ssh-ed25519 |  | AAAAdeclared me@example.org",
  ],
  [
    "who may read the keys",
    () => {
      chmodSync(join(home, "root/home/ubuntu/.ssh/authorized_keys"), 0o644);
    },
    "access | /home/ubuntu/.ssh/authorized_keys | mode | 0644 | 0600",
  ],
  [
    "whose the keys are",
    inFile("/../fake/passwd", OWNER, "4711:4712"),
    `access | /home/ubuntu/.ssh | owner | ${OWNER} | 4711:4712`,
    `access | /home/ubuntu/.ssh/authorized_keys | owner | ${OWNER} | 4711:4712`,
  ],
  [
    "sshd's limits",
    inFile(SSHD, "100:30:200", "10:30:100"),
    `access | ${SSHD} | MaxStartups | 10:30:100 | 100:30:200`,
  ],
  ["sshd's drop-in", without(`root${SSHD}`), `access | ${SSHD} |  | absent | present`],
  [
    "cloud-init's",
    inFile("/etc/cloud/cloud.cfg.d/99-docker-node.cfg", "false", "true"),
    "access | /etc/cloud/cloud.cfg.d/99-docker-node.cfg | ssh_deletekeys | true | false",
  ],
  [
    "the firewall, flushed",
    without("fake/table"),
    "firewall | nft | table inet docker_node | changed | as declared",
  ],
  [
    "the firewall, in memory",
    inFile("/../fake/table", "22", "23"),
    "firewall | nft | table inet docker_node | changed | as declared",
  ],
  [
    "the firewall's file",
    inFile(FIREWALL, "22", "23"),
    `firewall | ${FIREWALL} | tcp | dport 23 accept | dport 22 accept`,
    "firewall | nft | table inet docker_node | changed | as declared",
  ],
  [
    "what looks after the firewall",
    inFile("/../fake/units", /^docker-node-firewall-heal.*$/m, ""),
    "firewall | systemd | docker-node-firewall-heal.timer | stopped | started",
  ],
  [
    "how often it looks",
    inFile("/etc/systemd/system/docker-node-firewall-heal.timer", "Inactive", ""),
    "firewall | /etc/systemd/system/docker-node-firewall-heal.timer | OnUnitInactiveSec |  | 30s",
    "firewall | /etc/systemd/system/docker-node-firewall-heal.timer | OnUnitSec | 30s | ",
  ],
  [
    "a service",
    inFile("/../fake/enabled", "docker.socket\n", "\n"),
    "access | systemd | docker.socket | disabled | enabled",
  ],
])("%s is named", (_, byHand, ...expected) => {
  byHand();
  const { lines, failed } = check([expected[0]?.split(" ")[0] as CheckedStep]);
  expect({ lines, failed }).toEqual({ lines: expected, failed: [] });
});

test("monitoring and the secrets of backups are checked where they are declared", () => {
  const parts = ["monitoring-node", "backups-secrets"];
  const steps = (override: object): string[] =>
    checkableSteps(prodNode(override)).map(({ step }) => step);
  expect(steps({})).toEqual(expect.arrayContaining(parts));
  const none = steps({ monitoring: null, backups: null });
  expect(none.filter((step) => parts.includes(step))).toEqual([]);
  expect(none).toContain("daemon");
});

test("a key of somebody else's is none of our business", () => {
  edit("root/home/ubuntu/.ssh/authorized_keys", /$/, "\nssh-ed25519 AAAAtheirs them@example.org\n");
  expect(check().lines).toEqual([]);
});

test("what is found is put right by the same script, and gone then", () => {
  edit("root/etc/docker/daemon.json", '"max-file":"3"', '"max-file":"9"');
  edit("fake/held", "docker-ce\n", "");
  edit(`root${PIN}`, "1001", "100");
  rmSync(join(home, `root${SSHD}`));
  expect(check().lines).toHaveLength(4);
  for (const step of CHECKED_STEPS) script(step, VARIABLES[step]);
  expect(check().lines).toEqual([]);
});

test("no secret is among the values", () => {
  edit("root/etc/docker/daemon.json", '"max-file":"3"', '"splunk-token":"5e1f"');
  write(
    node("apt/sources.list.d/docker.sources"),
    read(node("apt/sources.list.d/docker.sources")).replace("https://", "https://user:secret@"),
  );
  const { lines } = check(["install", "daemon"]);
  expect(lines.join("\n")).not.toMatch(/user:|secret@d|5e1f/);
  expect(lines).toContain("daemon | /etc/docker/daemon.json | log-opts.splunk-token | [secret] | ");
});

test("a step that cannot be checked says why, and the others are checked", () => {
  fake("passwd");
  edit(`root${PIN}`, "1001", "100");
  const { lines, failed, stderr } = check();
  expect(failed).toEqual(["access"]);
  expect(stderr).toBe("docker-node: access: DOCKER_GROUP_MEMBERS: there is no user ubuntu\n");
  expect(lines).toHaveLength(1);
});

test("another run on the node is not waited for", () => {
  mkdirSync(join(home, "root/run/docker-node"), { recursive: true });
  write("root/run/docker-node/lock", "");
  const holder = `exec 9<>"$ROOT_DIR/run/docker-node/lock"; flock 9\n`;
  const each = [
    {
      ...{ step: "access", script: "access" as const },
      variables: assignVariables(VARIABLES.access).join("\n"),
    },
  ];
  const begun = Date.now();
  expect(run(`${holder}${renderChecks(each)}`)).toMatchObject({ status: 0, stdout: "" });
  expect(Date.now() - begun).toBeLessThan(20_000);
});
