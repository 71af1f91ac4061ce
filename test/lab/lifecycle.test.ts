import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineEvent, Stack } from "@pulumi/pulumi/automation";
import { isHostOf } from "../../config/cidr";
import { loadSettings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { labConfig } from "../../lab/lib/config";
import { openConsumer } from "../../lab/lib/consumer";
import { declare, openInstance } from "../../lab/lib/instance";
import { keepLab } from "../../lab/lib/kept";
import { readNodes } from "../../lab/lib/reach";
import { removeLab, startLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import type { NodeFacts } from "../../lab/lib/summary";
import { APPROVED, BLOCKED } from "../../commands/plan/ci/note";
import type { PlanJson } from "../../commands/plan/render";
import { ask } from "../../clients/process";
import { renderScript } from "../../node/scripts";
import { hardeningStep } from "../../node/steps";
import { canariesIn, foundBy, searchScript } from "../support/canaries";
import { commands, read } from "../support/documents";
import { compareTypes, renameTypes } from "../support/earlier";
import { canariesOf, searchDuring, undeclared } from "./canaries";
import { Forge } from "./forge";
import { FirstBootJob } from "./first-boot";
import { firewall, hardenedState, probes } from "./hardened";
import { Life } from "./life";
import { configFile, typePlain } from "./plain";
import { startMirror, startPrivateRegistry, type LabRegistry } from "./private-registry";
import {
  Proxmox,
  Shell,
  Steps,
  fingerprintOf,
  log,
  processesWith,
  stateFiles,
  statusOf,
  statusOfCommand,
  waitFor,
} from "./support";
import { onlyRows, validate } from "./validate";

/*
 * The life of a node, each step on top of the one before: the real Pulumi and providers, a real VM under
 * QEMU, real sshd, systemd and dockerd. What is asserted is what the node and Proxmox say, not the state.
 */

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("test");
const GIB = 1024 ** 3;
/** As Pulumi.lab.yaml pins it. */
const DOCKER = "29.8.1";
const TUTORIAL = "docs/tutorial/first-node.md";

let lab: Lab;
let stack: Stack;
let proxmox: Proxmox;
let job: FirstBootJob;
let shell: Shell;
let node: NodeFacts[string];
const life = new Life();
const { step } = life;

/** Types a line of a document; its exit status. */
const typed = (line: string): Promise<number> => {
  log(line);
  return statusOfCommand("bash", ["-c", line], { ...process.env, DOCKER_NODE_LAB: here.name });
};

const quiet = { onOutput: (): void => undefined };

async function up(override: Record<string, unknown> = {}): Promise<Steps> {
  stack = await openStack(lab, override);
  const steps = new Steps();
  await stack.up({ ...quiet, onEvent: steps.onEvent });
  return steps;
}

beforeAll(async () => {
  await removeLab(here);
  lab = await startLab(here, log);
  proxmox = new Proxmox(lab);
});

afterAll(() => life.end(here));

step("preview of an empty stack shows the whole graph and makes nothing", async () => {
  stack = await openStack(lab);
  const steps = new Steps();
  await stack.preview({ ...quiet, onEvent: steps.onEvent });
  expect(Object.values(steps.operations).every((op) => op === "create")).toBe(true);
  expect(
    Object.keys(steps.operations)
      .sort()
      .map((key) => key.replace(/debian-13-\w+/, "IMAGE")),
  ).toMatchSnapshot();
  expect(await proxmox.vmIds()).toEqual([]);
});

step("up brings the node to life", async () => {
  job = new FirstBootJob(lab, 2019);
  stack = await openStack(lab);
  await Promise.all([job.begin(), stack.up({ ...quiet, onEvent: job.onEvent })]);
  const outputs = await stack.outputs();
  node = (outputs.nodes?.value as NodeFacts)[NODE] as NodeFacts[string];
  shell = new Shell(lab, NODE, node.hostKey);
  expect(node).toMatchObject({
    vmId: 2019,
    address: "10.25.20.24",
    sshUser: "ubuntu",
    agentUrl: "https://10.25.20.24:9001",
    hostKey: expect.stringMatching(/^ssh-ed25519 [\w+/=]+$/) as unknown,
    agentFingerprint: await fingerprintOf(lab.forwards["2019"]?.agent ?? 0),
    engineVersion: DOCKER,
    volumes: ["research-data"],
  });
  expect(node.networks["development-secondary"]).toMatchObject({
    driver: "bridge",
    subnet: "172.19.0.0/24",
  });
});

step("its first boot was that of Ubuntu's cloud image, whose jobs up waited for", async () => {
  await job.end();
  expect(job.waited).toMatch(
    /^waiting for another apt: process \d+ \(python3\), for at most \d+ s/,
  );
  const jobs = "systemctl show --value --property ExecMainExitTimestampMonotonic";
  expect(await shell.root(`${jobs} apt-daily.service apt-daily-upgrade.service`)).toMatch(
    /^[1-9]\d*\n+[1-9]\d*$/,
  );
  expect(await shell.root("systemctl is-enabled ssh.socket ssh.service || true")).toBe(
    "enabled\ndisabled",
  );
  expect(await shell.root("netplan get ethernets.eth0.addresses")).toBe('- "10.25.20.24/24"');
  expect(await shell.root("readlink -f /etc/resolv.conf")).toBe(
    "/run/systemd/resolve/stub-resolv.conf",
  );
  expect(await shell.root("systemctl is-active multipathd; multipath -ll")).toBe("active");
  expect(await shell.root("command -v needrestart; command -v jq || true")).toBe(
    "/usr/sbin/needrestart",
  );
});

step("a second up changes nothing", async () => {
  const steps = new Steps();
  await stack.up({ ...quiet, onEvent: steps.onEvent }).finally(() => {
    steps.diffs.forEach(log);
  });
  expect(steps.diffs).toEqual([]);
  await stack.up({ ...quiet, expectNoChanges: true });
});

describe("plain pulumi, which starts a language host", () => {
  step("finds nothing to do, and does nothing", async () => {
    for (const args of [["preview"], ["up", "--yes", "--skip-preview"]]) {
      const { code, said } = await typePlain(lab, [...args, "--expect-no-changes"]);
      expect([code, said]).toEqual([0, expect.stringMatching(/pulumi-language-nodejs/)]);
      expect(said).toMatch(/^ +\d+ unchanged$/m);
    }
  });

  step("tells a mistake of the configuration by field and value alone", async () => {
    const file = join(here.stateDir, "Pulumi.mistaken.yaml");
    const text = readFileSync(configFile(lab), "utf8");
    writeFileSync(file, text.replace("172.19.0.0/24", "172.19.0.0/33"));
    const { code, said } = await typePlain(lab, ["up", "--yes"], file);
    expect(code).toBe(1);
    expect(said).toMatch(
      /\d problems? in the configuration; nothing was changed:\n.*172\.19\.0\.0\/33/,
    );
    expect(said).not.toMatch(/^ +at /m);
    await stack.preview({ ...quiet, expectNoChanges: true });
  });
});

step("the policies refuse nothing of it", async () => {
  const broken: string[] = [];
  const onEvent = ({ policyEvent }: EngineEvent): void => {
    if (policyEvent) broken.push(`${policyEvent.policyName}: ${policyEvent.message}`);
  };
  const policyPacks = [join(__dirname, "../../policies")];
  await stack.preview({ ...quiet, onEvent, policyPacks, expectNoChanges: true }).finally(() => {
    broken.forEach(log);
  });
  expect(broken).toEqual([]);
});

step("refresh finds nothing changed", async () => {
  const steps = new Steps();
  await stack.refresh({ ...quiet, onEvent: steps.onEvent, expectNoChanges: true }).finally(() => {
    steps.diffs.forEach(log);
  });
  await stack.preview({ ...quiet, expectNoChanges: true });
});

// No component has been renamed since the recording. If one is, its state of before is imported here, and an alias is missing
// unless the preview finds nothing to do. What the program gives each resource is in test/unit/existing-stack.test.ts.
step("with the types of before the layout, the state previews unchanged", async () => {
  const state = await stack.exportStack();
  const { resources } = state.deployment as { resources: { urn: string }[] };
  const { earlier, compared } = compareTypes(resources.map(({ urn }) => urn));
  expect(compared).toBeGreaterThan(15);
  await stack.importStack(renameTypes(state, earlier));
  try {
    await stack.preview({ ...quiet, expectNoChanges: true });
  } finally {
    await stack.importStack(state);
  }
});

step("is kept, for the suites after this one to begin with, and goes on", async () => {
  const running =
    "cat /proc/sys/kernel/random/boot_id; docker ps --quiet | xargs docker inspect -f '{{.State.StartedAt}}'";
  const before = await shell.root(running);
  lab = await keepLab(lab, log);
  expect(await shell.root(running)).toBe(before);
  await stack.preview({ ...quiet, expectNoChanges: true });
});

describe("the tutorial", () => {
  const lines = commands(TUTORIAL).map(({ line }) => line);
  /** Between two lines of it; both are typed elsewhere too. */
  const between = (from: string, to: string): string[] =>
    lines.slice(lines.indexOf(from) + 1, lines.indexOf(to));

  afterAll(() => {
    declare(here, {});
  });

  step("looks at the node, and asks for nothing", async () => {
    for (const line of between(
      "npm run lab",
      "npm run lab -- run npx docker-node plan --stack lab",
    ))
      expect([line, await typed(line)]).toEqual([line, 0]);
  });

  step("adds a network, loses it by hand, gets it back, and builds on the node", async () => {
    const network = { subnet: "172.19.2.0/24" };
    declare(here, { nodes: { [NODE]: { networks: { "observatory-secondary": network } } } });
    // A page is written, and says that there is no backup yet.
    const status = (line: string): number => (line.includes("docker-node report") ? 3 : 0);
    const [page = ""] = /\breports\/[\w.-]+\.html\b/.exec(read(TUTORIAL)) ?? [];
    rmSync(page, { force: true });
    for (const line of between("npm run lab -- preview", "npm run lab -- destroy"))
      expect([line, await typed(line)]).toEqual([line, status(line)]);
    expect(readFileSync(page, "utf8")).toContain(`<h1>Node ${NODE}</h1>`);
  });

  step("leaves the node as it was, with the change undone", async () => {
    declare(here, {});
    expect((await up()).diffs).toEqual([
      expect.stringMatching(/^delete .*-observatory-secondary/) as unknown,
    ]);
  });
});

step("secrets are in no state file in the clear", () => {
  const text = stateFiles(here.stateDir);
  expect(text).toContain("ciphertext");
  expect(text).not.toContain(lab.credentials.agentSecret);
  expect(text).not.toContain(lab.credentials.proxmoxTokenSecret);
  expect(text).not.toContain("PRIVATE KEY");
});

describe("the machine, as Proxmox has it", () => {
  step("has the declared size, network and start", async () => {
    const config = await proxmox.vm(2019);
    expect(config).toMatchObject({
      name: NODE,
      cores: 6,
      memory: "32768",
      onboot: 1,
      startup: "order=20,up=30,down=120",
      ciuser: "ubuntu",
      ipconfig0: expect.stringContaining("ip=10.25.20.24/24") as unknown,
      net0: expect.stringMatching(/bridge=vmbr0.*firewall=1.*tag=20/) as unknown,
      scsihw: "virtio-scsi-single",
      serial0: "socket",
      agent: expect.stringContaining("enabled=1") as unknown,
    });
    for (const [disk, size] of [
      ["scsi0", 32],
      ["scsi1", 100],
    ] as const) {
      expect(config[disk]).toMatch(/^nvme-pool:/);
      for (const option of ["discard=on", "iothread=1", "ssd=1", `size=${size}G`]) {
        expect(String(config[disk]).split(",")).toContain(option);
      }
    }
  });

  step("has its NIC firewall on, default drop, with the declared rules only", async () => {
    const options = await proxmox.get("/nodes/pve01/qemu/2019/firewall/options");
    expect(options).toMatchObject({ enable: 1, policy_in: "DROP" });
    const rules = await proxmox.get<Record<string, unknown>[]>(
      "/nodes/pve01/qemu/2019/firewall/rules",
    );
    expect(rules.map(({ type, action, source, dport }) => [type, action, source, dport])).toEqual([
      ["in", "ACCEPT", "10.25.20.1/32", "22"],
      ["in", "ACCEPT", "10.25.20.1", "9001"],
    ]);
  });
});

describe("the machine, as the guest has it", () => {
  step("has the lab's share of the declared processors, the disks and the address", async () => {
    expect(await shell.root("nproc")).toBe("2");
    expect(await shell.root("hostname")).toBe(NODE);
    const disks = JSON.parse(
      await shell.root("lsblk --bytes --json --nodeps -o NAME,SIZE,ROTA,DISC-MAX,TYPE"),
    ) as {
      blockdevices: { size: number; rota: boolean; "disc-max": number; type: string }[];
    };
    const found = disks.blockdevices.filter(({ type }) => type === "disk");
    // Names such as sda change places between boots; sizes do not.
    expect(found.map(({ size }) => size / GIB).sort((a, b) => a - b)).toEqual([32, 100]);
    expect(found.every(({ rota, "disc-max": discard }) => !rota && discard > 0)).toBe(true);
    expect(await shell.root("ip -4 -o addr show scope global | grep -c ' 10.25.20.24/24 '")).toBe(
      "1",
    );
    expect(
      Number(await shell.root("df --output=size -BG / | tail -1 | tr -dc 0-9")),
    ).toBeGreaterThan(28);
  });

  step("lets in keys only, and the guest agent runs", async () => {
    expect(
      await shell.root("sshd -T | grep -E '^(passwordauthentication|permitrootlogin)' | sort"),
    ).toMatch(
      /^passwordauthentication no\npermitrootlogin (no|without-password|prohibit-password)$/,
    );
    expect(await shell.root("systemctl is-active qemu-guest-agent")).toBe("active");
  });
});

describe("Docker", () => {
  step("is what daemon.json declares", async () => {
    const info = await shell.dockerInfo<Record<string, unknown>>();
    expect(info).toMatchObject({
      Driver: "overlay2",
      CgroupDriver: "systemd",
      LoggingDriver: "json-file",
      DefaultRuntime: "runc",
      LiveRestoreEnabled: true,
      DockerRootDir: expect.stringMatching(/^\/var\/lib\/docker\/\d+\.\d+$/) as unknown,
    });
    expect(info.SecurityOptions).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^name=apparmor/),
        "name=userns",
        "name=no-new-privileges",
        expect.stringMatching(/^name=seccomp,profile=builtin/),
      ]),
    );
    expect(info.DefaultAddressPools).toEqual([{ Base: "172.18.0.0/16", Size: 24 }]);
    const written = JSON.parse(await shell.root("cat /etc/docker/daemon.json")) as unknown;
    expect(written).toMatchObject({
      "storage-driver": "overlay2",
      "storage-opts": ["overlay2.size=50G"],
      "log-opts": { "max-size": "100m", "max-file": "3" },
      "max-concurrent-downloads": 6,
      "max-concurrent-uploads": 6,
      "default-ulimits": { nofile: { Name: "nofile", Soft: 65536, Hard: 65536 } },
      bip: "172.18.0.1/24",
      icc: false,
    });
    expect(await shell.root("ip -4 -o addr show docker0 | grep -o '172.18.0.1/24'")).toBe(
      "172.18.0.1/24",
    );
  });

  step("keeps containers on docker0 apart, and limits those of the program", async () => {
    const icc = '{{index .Options "com.docker.network.bridge.enable_icc"}}';
    expect(await shell.root(`docker network inspect --format '${icc}' bridge`)).toBe("false");
    const limits = "{{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}}";
    const both = "portainer_agent docker_node_backup";
    expect(await shell.root(`docker inspect --format '${limits}' ${both}`)).toBe(
      "512 1024\n256 1024",
    );
  });

  step("keeps its data on XFS with project quota", async () => {
    const mount = await shell.root("findmnt -no FSTYPE,OPTIONS /var/lib/docker");
    expect(mount).toMatch(/^xfs .*prjquota/);
    expect(await shell.root("xfs_info /var/lib/docker | grep -o ftype=1")).toBe("ftype=1");
  });

  step("is enabled, held, without a TCP listener, and open to the declared group", async () => {
    expect(await shell.root("systemctl is-enabled docker; systemctl is-active docker")).toBe(
      "enabled\nactive",
    );
    expect((await shell.root("apt-mark showhold")).split("\n")).toContain("docker-ce");
    expect(await shell.root("getent group docker | cut -d: -f4")).toBe("ubuntu");
    // It holds the ports of containers itself, without a proxy; they answer by rules.
    expect(await shell.root("ss -Hltnp | grep dockerd | awk '{ print $4 }'")).toBe(
      "10.25.20.24:9001",
    );
    expect(await shell.root("pgrep -c docker-proxy || true")).toBe("0");
  });

  step("gives containers the specified limits and confinement", async () => {
    const { busybox } = lab.images;
    const image = `10.25.20.5:5000/${busybox.repository}@${busybox.digest}`;
    await shell.root(`docker pull -q ${image} >/dev/null; docker tag ${image} busybox:lab`);
    const inside = await shell.root(
      "docker run --rm busybox:lab sh -c 'ulimit -n; cat /proc/self/uid_map; grep -E \"^(NoNewPrivs|Seccomp):\" /proc/self/status; cat /proc/self/attr/current; df -k / | tail -1'",
    );
    const [files, uids, ...rest] = inside.split("\n");
    expect(files).toBe("65536");
    expect(uids?.trim()).toMatch(/^0\s+\d{5,}\s+65536$/);
    expect(rest.join("\n")).toMatch(/NoNewPrivs:\s+1\nSeccomp:\s+2\ndocker-default \(enforce\)/);
    expect(rest.at(-1)).toMatch(new RegExp(`\\s${50 * 1024 * 1024}\\s`));
  });

  step(
    "leaves the agent and the backup container the capabilities they need, and none that it adds",
    async () => {
      const found = await shell.root(
        "docker inspect -f '{{.State.Pid}} {{.HostConfig.CapAdd}}' portainer_agent docker_node_backup | while read -r pid added; do grep CapEff /proc/$pid/status; echo $added; done",
      );
      // DAC_OVERRIDE and FOWNER; those with CHOWN, FSETID and SETFCAP.
      expect(found.split("\n")).toEqual([
        "CapEff:\t000000000000000a",
        "[]",
        "CapEff:\t000000008000001b",
        "[]",
      ]);
    },
  );

  step("hands out pool subnets beside docker0 and the declared networks", async () => {
    const subnet = await shell.root(
      "docker network create probe >/dev/null; docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' probe; docker network rm probe >/dev/null",
    );
    expect(subnet).toMatch(/^172\.18\.(?!0\.)\d+\.0\/24$/);
  });
});

describe("the platform", () => {
  step("has the declared networks", async () => {
    for (const [name, subnet] of [
      ["development-secondary", "172.19.0.0/24"],
      ["astronomy-compute-secondary", "172.19.1.0/24"],
    ] as const) {
      const network = await shell.inspect<Record<string, unknown>>(name);
      expect(network).toMatchObject({ Driver: "bridge", IPAM: { Config: [{ Subnet: subnet }] } });
    }
    const macvlan = await shell.inspect<Record<string, unknown>>("instruments");
    expect(macvlan).toMatchObject({
      Driver: "macvlan",
      Options: { parent: "eth0.30" },
      IPAM: {
        Config: [{ IPRange: "10.25.30.128/25", AuxiliaryAddresses: { router: "10.25.30.129" } }],
      },
    });
    expect(await shell.root("ip -d link show eth0.30 | grep -o 'id 30'")).toBe("id 30");
  });

  step("has the Portainer agent answering on the node's address", async () => {
    const forward = lab.forwards["2019"];
    expect(await statusOf(`https://127.0.0.1:${forward?.agent ?? 0}/ping`)).toBe(204);
    const agent = await shell.inspect<{
      HostConfig: Record<string, unknown>;
      Config: { Image: string };
    }>("portainer_agent");
    expect(agent.HostConfig).toMatchObject({
      UsernsMode: "host",
      NetworkMode: "bridge",
      RestartPolicy: { Name: "always" },
      PortBindings: { "9001/tcp": [{ HostIp: "10.25.20.24", HostPort: "9001" }] },
    });
    const root = await shell.dockerInfo<string>(".DockerRootDir");
    expect(agent.HostConfig.Binds).toEqual(
      expect.arrayContaining([
        expect.stringContaining("/var/run/docker.sock:"),
        expect.stringContaining(`${root}/volumes:/var/lib/docker/volumes`),
      ]),
    );
    expect(await shell.root("ss -Hltn 'sport = :9001'")).not.toMatch(
      /0\.0\.0\.0:9001|\[::\]:9001|\*:9001/,
    );
  });

  step("gives the agent its secret and the real volumes", async () => {
    const secret = lab.credentials.agentSecret;
    const volumes = await shell.root(
      `curl -sk -H 'X-Lab-Secret: ${secret}' https://10.25.20.24:9001/volumes`,
    );
    expect(volumes).toContain("research-data");
    expect(
      await shell.root("curl -sk -o /dev/null -w '%{http_code}' https://10.25.20.24:9001/volumes"),
    ).not.toBe("200");
  });
});

describe("hardened", () => {
  const UNITS =
    "ssh sudo sysctl modules coredumps journal updates time resolved services modes audit".split(
      " ",
    );
  const off = Object.fromEntries(UNITS.map((unit) => [unit, false]));

  step("sshd lets in named users by keys and modern algorithms, root never", async () => {
    const { root, user, old } = await probes.logins(shell);
    expect(root).toMatch(/Permission denied/);
    expect(user).toBe("ubuntu");
    expect(old).toMatch(/no matching key exchange method found/);
    const effective = await shell.root("sshd -T -C user=ubuntu,host=localhost,addr=127.0.0.1");
    for (const line of [
      "permitrootlogin no",
      "x11forwarding no",
      "allowagentforwarding yes",
      "allowusers ubuntu",
      "maxsessions 50",
      "maxstartups 100:30:200",
    ])
      expect(effective.split("\n")).toContain(line);
  });

  step("is asked in a session that outlives its sshd, as while openssh is updated", async () => {
    const variables = { MODE: "check", UNITS: UNITS.join(" "), NODE_USER: "ubuntu" };
    const check = renderScript("hardening", { ...variables, FORWARDING: "true" });
    const stop =
      "systemctl stop ssh.socket; systemctl start ssh.socket; systemctl is-active ssh.service || true";
    expect(await shell.root(stop)).toBe("inactive");
    expect(await shell.root("sshd -t 2>&1 || true")).toBe(
      "Missing privilege separation directory: /run/sshd",
    );
    expect(await shell.root(check)).toBe("");
  });

  step("a second run changes nothing on the node, and no service starts anew", async () => {
    const node = loadSettings(labConfig(lab) as never).nodes[NODE] as NodeConfig;
    const { script, variables } = hardeningStep(node);
    const services = "auditd systemd-journald systemd-resolved";
    const state = async (): Promise<string[]> => [
      await hardenedState(shell),
      await shell.root(`systemctl show --value --property=MainPID ${services}`),
    ];
    const before = await state();
    await shell.root("touch /run/before");
    await shell.root(renderScript(script, variables));
    const written = "find /etc /var/lib/docker-node/hardening -newer /run/before; rm /run/before";
    expect(await shell.root(written)).toBe("");
    expect(await state()).toEqual(before);
  });

  step("the kernel keeps its secrets, and forwards for containers alone", async () => {
    expect(await probes.kernel(shell)).toEqual("2 1 2 0 0 1 |/bin/false");
    expect(await probes.coreDump(shell)).toBe("none");
    expect(await probes.module(shell)).toMatch(/^install \/bin\/false/);
    expect(await firewall.past(shell)).toBe("dropped");
  });

  step("auditd hears of what is done to Docker's files and programs", async () => {
    for (const path of ["/etc/docker/probe", "/usr/bin/dockerd", "/usr/bin/runc"])
      expect([path, await probes.audited(shell, path)]).toEqual([path, "heard"]);
  });

  step("the segment hears nothing of it, its journal has a limit, its updates come", async () => {
    expect(await shell.root("ss -Hlnut | grep -E ':(5355|5353) ' || echo closed")).toBe("closed");
    expect(await shell.root("journalctl -u systemd-journald --no-pager")).toMatch(
      /System Journal \(\/var\/log\/journal\/.* max 1G/,
    );
    expect(await shell.root("systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer")).toBe(
      "enabled\nenabled",
    );
    expect(await shell.root("apt-config dump | grep Automatic-Reboot")).toContain('"false"');
  });

  step("units are off and on again: as before, and as declared", async () => {
    const hardened = await hardenedState(shell);
    const steps = await up({ nodes: { [NODE]: { hardening: off } } });
    expect(steps.with("update")).toEqual([`${NODE}-hardening`]);
    expect(await shell.root("auditctl -l; systemctl is-enabled auditd || true")).toBe(
      "No rules\ndisabled",
    );
    expect(
      await shell.root(
        "find /etc -name '*docker-node-hardening*' -o -name '99-docker-node*' -path '*systemd*'",
      ),
    ).toBe("");
    expect(await shell.root("ss -Hlnut | grep -c ':5355 '")).not.toBe("0");
    expect(await shell.root("ls /etc/apt/apt.conf.d | grep -c docker-node || true")).toBe("0");
    expect(await hardenedState(shell)).not.toBe(hardened);
    await up();
    expect(await hardenedState(shell)).toBe(hardened);
  });
});

describe("the node's own firewall", () => {
  const table = (): Promise<string> => firewall.table(shell);
  const neighbour = (port: number): Promise<string> => firewall.neighbour(shell, port);

  step("lets in the declared sources alone, to the node and to its containers", async () => {
    await shell.root(
      "docker run -d --rm --name published -p 10.25.20.24:8088:80 busybox:lab sh -c 'mkdir -p /www; exec httpd -f -p 80 -h /www' >/dev/null",
    );
    for (const port of [22, 9001, 8088])
      expect([port, await neighbour(port)]).toEqual([port, "closed"]);
    const rules = [{ port: "8088", comment: "a container's" }];
    const open = await up({ nodes: { [NODE]: { network: { firewall: { rules } } } } });
    expect(open.with("update")).toEqual(
      expect.arrayContaining([`${NODE}-firewall`, `${NODE}-firewall-confirm`]),
    );
    expect(await neighbour(8088)).toBe("open");
    expect(await neighbour(9001)).toBe("closed");
    await up();
    expect(await neighbour(8088)).toBe("closed");
    await shell.root("docker stop --time 1 published >/dev/null");
  });

  step("the node's own firewall outlives Docker, a flush and a reboot", async () => {
    const whole = await table();
    await shell.root("systemctl restart docker");
    expect(await table()).toBe(whole);
    await shell.root("nft flush ruleset");
    await waitFor(async () => (await table()) === whole, 60);
    expect(await firewall.past(shell)).toBe("dropped");
    const boot = "cat /proc/sys/kernel/random/boot_id";
    const before = await shell.root(boot);
    await shell.root("systemd-run --on-active=1 systemctl reboot 2>/dev/null");
    await waitFor(async () => (await shell.root(boot)) !== before);
    expect(await table()).toBe(whole);
    await shell.root("systemctl is-system-running --wait >/dev/null || true");
    expect(await shell.root("systemctl is-active docker docker-node-firewall-heal.timer")).toBe(
      "active\nactive",
    );
    // Docker's own rules, which the flush had taken, are back with its start.
    await waitFor(
      async () =>
        (await statusOf(`https://127.0.0.1:${lab.forwards["2019"]?.agent ?? 0}/ping`)) === 204,
    );
    expect(await neighbour(22)).toBe("closed");
    expect(await shell.root("iptables -S FORWARD | head -n 1")).toBe("-P FORWARD DROP");
    expect(await firewall.past(shell)).toBe("dropped");
  });
});

describe("secrets", () => {
  step("are on the node where they are declared to be, and nowhere else", async () => {
    const canaries = canariesOf(lab, NODE);
    const found = foundBy(await shell.root(searchScript(canaries)), canaries);
    expect(undeclared(found)).toEqual([]);
    const folder = "/var/lib/docker-node/secrets/backup";
    expect(found).toEqual(
      expect.arrayContaining([
        { canary: "backupToken", place: `${folder}/token` },
        { canary: "backupKey", place: `${folder}/key.json` },
        { canary: "agentSecret", place: "docker inspect portainer_agent" },
      ]),
    );
  });

  step("show nowhere while they are put on the node again", async () => {
    const canaries = canariesOf(lab, NODE);
    const { deployment } = (await stack.exportStack()) as { deployment: unknown };
    const { resources } = deployment as { resources: { urn: string }[] };
    const replace = resources.map(({ urn }) => urn).filter((urn) => urn.endsWith("-secrets"));
    expect(replace).not.toEqual([]);
    const again = (seen: object): Promise<unknown> => stack.up({ ...seen, replace });
    const found = await searchDuring(shell, canaries, again);
    expect(undeclared(found)).toEqual([]);
    expect(found).toContainEqual({ canary: "agentSecret", place: "environ of agent" });
    await stack.preview({ ...quiet, expectNoChanges: true });
  });

  step("are in nothing that commands print, and in no state", async () => {
    const canaries = canariesOf(lab, NODE);
    const plan = "npx docker-node plan --stack lab --format json";
    const inspecting = [
      ...[plan, "npx docker-node doctor --stack lab --json", "pulumi stack export"],
      ...["backups", "benchmark", "probe"].map(
        (name) => `npx docker-node ${name} --stack lab --json`,
      ),
    ];
    const env = cliEnv(lab);
    let printed = "";
    for (const line of [...inspecting, "pulumi stack output --json"]) {
      const { stdout, stderr } = await ask({ program: "bash", args: ["-c", line], env });
      // Each says something of its own, and not only that it cannot run.
      expect([line, stdout]).toEqual([line, expect.stringMatching(/^[[{]/)]);
      printed += stdout + stderr;
    }
    expect(printed).toContain("proj-docker02");
    expect(canariesIn(printed, canaries)).toEqual([]);
    expect(canariesIn(stateFiles(here.stateDir), canaries)).toEqual([]);
  });
});

describe("validation", () => {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-validate-"));
  const made = (what: string): string =>
    `docker ${what} --quiet --filter label=docker-node.validate`;

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const measured = expect.stringMatching(/held$/) as unknown;

  step("measures every row, or says why it cannot, and leaves nothing on the node", async () => {
    const { states } = await validate(lab, ["--junit", join(folder, "rows.xml")]);
    expect(states[NODE]).toEqual({
      ...{ docker: "held", container: "held", containers: "held" },
      ...{ networks: "held", volumes: "held", images: "not declared" },
      // Measured; whether a busy host is fast enough is not what is tested.
      ...{ cpu: measured, memory: "held", latency: measured, iops: measured, space: "held" },
      "latency-across": "not declared",
      ...{ ports: "held", agent: "held", portainer: "not measured" },
      ...{ primary: "not declared", discovery: "held", "discovery-across": "not declared" },
      benchmark: "held",
      // Before the first night there may be none yet.
      backups: measured,
      // An update may have come meanwhile.
      reboot: measured,
      // Nobody looks at the node in this file, but where it is about that.
      drift: "not measured",
    });
    expect(readFileSync(join(folder, "rows.xml"), "utf8")).toContain(`<testsuite name="${NODE}"`);
    const left = ["ps --all", "volume ls", "network ls", "image ls --all"].map(made).join("; ");
    expect(await shell.root(left)).toBe("");
  });

  step("holds with every measured row, and ends with status 3 when the agent is down", async () => {
    const rows = [...onlyRows(["agent", "ports", "portainer"]), "--allow-unmeasured"];
    expect((await validate(lab, rows)).status).toBe(0);
    await shell.root("docker stop portainer_agent >/dev/null");
    const { status, states } = await validate(lab, rows);
    await shell.root("docker start portainer_agent >/dev/null");
    const down = { agent: "not held", ports: "not held", portainer: "not measured" };
    expect([status, states[NODE]]).toEqual([3, down]);
    const answers = async (): Promise<boolean> =>
      (await validate(lab, onlyRows(["agent"]))).status === 0;
    await waitFor(answers, 120);
  });
});

describe("in a pull request", () => {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-plans-"));
  const forge = new Forge(7);
  /** A step of the workflow, as it is in there; its exit status. */
  const workflow = async (command: string, env: Record<string, string> = {}): Promise<number> => {
    const all = { ...process.env, ...cliEnv(lab), ...env };
    return statusOfCommand("bash", ["-euo", "pipefail", "-c", command], all);
  };
  const planned = (): PlanJson =>
    JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")) as PlanJson;

  afterAll(() => {
    forge.close();
    rmSync(folder, { recursive: true, force: true });
  });

  step("the plan says what is risky, and danger has to be approved by a person", async () => {
    const machine = { dockerDisk: { sizeGiB: 110 } };
    await openStack(lab, { nodes: { [NODE]: { machine, volumes: null } } });
    const env = { ...(await forge.listen()), PLAN_RESULT: "success", STACKS: '["lab"]' };
    expect(await workflow(`commands/plan/ci/plan.sh lab ${folder}`)).toBe(0);
    expect(
      planned()
        .risks.map(({ label, severity }) => [label, severity])
        .sort(),
    ).toEqual([
      ["data-loss", "danger"],
      ["grows-disk", "info"],
    ]);
    for (const time of [1, 2]) {
      expect([time, await workflow(`npx tsx commands/plan/ci/comment.ts ${folder}`, env)]).toEqual([
        time,
        0,
      ]);
    }
    expect(forge.comments.map(({ body }) => body)).toEqual([
      expect.stringMatching(/research-data[^]*110/) as unknown,
    ]);
    expect(await workflow("npx tsx commands/plan/ci/approval.ts", env)).toBe(1);
    expect(forge.labels).toEqual(expect.arrayContaining(["risk: data-loss", BLOCKED]));
    forge.label(APPROVED, "User");
    expect(await workflow("npx tsx commands/plan/ci/approval.ts", env)).toBe(0);
  });

  step("drift made by hand is seen, and gone when it is undone", async () => {
    await openStack(lab);
    const { description } = await proxmox.vm(2019);
    await proxmox.put("/nodes/pve01/qemu/2019/config", { description: "by hand" });
    expect(await workflow(`commands/plan/ci/plan.sh lab ${folder} --drift`)).toBe(0);
    expect(planned()).toMatchObject({ kind: "drift", changes: true });
    expect(readFileSync(join(folder, "plan.md"), "utf8")).toContain("by hand");
    await proxmox.put("/nodes/pve01/qemu/2019/config", { description: String(description) });
    expect(await workflow(`commands/plan/ci/plan.sh lab ${folder} --drift`)).toBe(0);
    expect(planned()).toMatchObject({ changes: false });
  });
});

describe("changed by hand on the node", () => {
  const said: string[] = [];

  beforeAll(() => {
    process.env.DOCKER_NODE_DRIFT = "";
  });
  afterAll(() => {
    process.env.DOCKER_NODE_DRIFT = "off";
  });

  step(
    "a daemon.json, a hold and a hardened sshd are named with what they are and should be, and put right",
    async () => {
      const sshd = "/etc/ssh/sshd_config.d/05-docker-node-hardening.conf";
      await shell.root(
        `sed -i 's/"max-file": *"3"/"max-file": "9"/' /etc/docker/daemon.json; apt-mark unhold docker-ce >/dev/null; sed -i 's/MaxAuthTries 4/MaxAuthTries 9/' ${sshd}; sysctl -q kernel.dmesg_restrict=0`,
      );
      const steps = new Steps();
      stack = await openStack(lab);
      await stack.up({
        ...quiet,
        onEvent: (event) => {
          steps.onEvent(event);
          if (event.diagnosticEvent?.severity === "warning")
            said.push(event.diagnosticEvent.message);
        },
      });
      said.forEach(log);
      expect(said.join("\n")).toMatch(/daemon\.json.*max-file.*9.*3/);
      expect(said.join("\n")).toMatch(/docker-ce/);
      expect(said.join("\n")).toMatch(/hardening\.conf MaxAuthTries: 9 .*, 4 as declared/);
      expect(said.join("\n")).toMatch(/dmesg_restrict: 0 .*, 1 as declared/);
      expect(steps.with("update")).toEqual([
        `${NODE}-daemon`,
        `${NODE}-hardening`,
        `${NODE}-install`,
      ]);
      expect(await shell.root(`grep MaxAuthTries ${sshd}`)).toBe("MaxAuthTries 4");
      expect(await shell.root("apt-mark showhold")).toMatch(/^docker-ce$/m);
      expect(await shell.root("cat /etc/docker/daemon.json")).toMatch(/"max-file": *"3"/);
    },
  );

  step("nothing is left to do afterwards", async () => {
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

describe("a stack of its own that builds on the node", () => {
  const network = "astronomy-compute-secondary";
  let consumer: Stack;

  step("reads the outputs, and its workload gets healthy on a network of the node", async () => {
    consumer = await openConsumer(lab, NODE);
    const { outputs } = await consumer.up(quiet);
    const { State, NetworkSettings } = await shell.inspect<{
      State: { Health: { Status: string } };
      NetworkSettings: { Networks: Record<string, { IPAddress: string; Gateway: string }> };
    }>("consumer-web");
    expect(State.Health.Status).toBe("healthy");
    expect(Object.keys(NetworkSettings.Networks)).toEqual([network]);
    const { IPAddress = "", Gateway } = NetworkSettings.Networks[network] ?? {};
    const { subnet = "", gateway } = node.networks[network] ?? {};
    expect(isHostOf(subnet, IPAddress)).toBe(true);
    expect(Gateway).toBe(gateway);
    expect(outputs.url?.value).toBe(`http://${IPAddress}:8080/`);
    expect(await shell.root(`curl -fsS http://${IPAddress}:8080/`)).toBe(
      "hello from the consumer stack",
    );
  });

  step("has nothing left to do afterwards", async () => {
    await consumer.up({ ...quiet, expectNoChanges: true });
    await consumer.refresh({ ...quiet, expectNoChanges: true });
  });

  step("takes its workload with it, and leaves the node as it was", async () => {
    await consumer.destroy(quiet);
    expect(await shell.root("docker ps -a --format '{{.Names}}' | sort")).toBe(
      "docker_node_backup\nportainer_agent",
    );
    await stack.preview({ ...quiet, expectNoChanges: true });
  });
});

describe("a workload of the node", () => {
  const network = "development-secondary";
  const mine = "--filter label=docker-node.workload=web";
  const folder = "/var/lib/docker-node/secrets/workloads/web";
  const healthy = ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"];

  /** A web server that shows its secret. */
  async function upWith(over: object, greeting = "hello from a secret"): Promise<void> {
    const { repository, tag, digest } = lab.images.busybox;
    const web = {
      image: `10.25.20.5:5000/${repository}:${tag}@${digest}`,
      command: [
        "sh",
        "-c",
        "cp /run/secrets/greeting /tmp/index.html; exec httpd -f -p 8080 -h /tmp",
      ],
      networks: { [network]: { aliases: ["www"] } },
      ports: [{ port: 8080, containerPort: 8080 }],
      secrets: { greeting: "web-greeting" },
      limits: { memoryMiB: 64, cpus: 0.5, processes: 32 },
      healthCheck: { command: healthy, intervalSeconds: 5, timeoutSeconds: 60 },
      readySeconds: 300,
      ...over,
    };
    stack = await openStack(lab, { nodes: { [NODE]: { workloads: { web } } } });
    const key = "docker-node:workloadSecret-web-greeting";
    await stack.setConfig(key, { value: greeting, secret: true });
    await stack.up(quiet);
  }

  const running = (): Promise<string> => shell.root(`docker ps -q --no-trunc ${mine}`);
  const all = async (): Promise<string[]> =>
    (await shell.root(`docker ps -aq --no-trunc ${mine}`)).split("\n");
  const page = (): Promise<string> => shell.root("curl -fsS http://10.25.20.24:8080/");

  step("runs confined, healthy, on its port, with its secret in a file", async () => {
    await upWith({});
    const found = await shell.inspect<{
      State: { Health: { Status: string } };
      Config: { User: string };
      HostConfig: object;
      NetworkSettings: { Networks: Record<string, { Aliases: string[] }> };
    }>(await running());
    expect(found.State.Health.Status).toBe("healthy");
    expect(found.Config.User).toBe("65534:65534");
    expect(found.HostConfig).toMatchObject({
      ...{ ReadonlyRootfs: true, Privileged: false, UsernsMode: "", CapDrop: ["ALL"] },
      ...{ PidsLimit: 32, Memory: 64 * 1024 ** 2, CpuQuota: 50_000, CpuShares: 512 },
      SecurityOpt: ["no-new-privileges:true"],
      RestartPolicy: { Name: "unless-stopped" },
      PortBindings: { "8080/tcp": [{ HostIp: "10.25.20.24", HostPort: "8080" }] },
    });
    const { Networks } = found.NetworkSettings;
    expect(Object.keys(Networks)).toEqual([network]);
    expect(Networks[network]?.Aliases).toEqual(expect.arrayContaining(["web", "www"]));
    expect(JSON.stringify(found)).not.toContain("hello from a secret");
    expect(await page()).toBe("hello from a secret");
    const [remapped] = /(?<=\/)\d+/.exec(await shell.dockerInfo<string>(".DockerRootDir")) ?? [];
    expect(await shell.root(`stat -c '%a %u' ${folder}/greeting`)).toBe(
      `400 ${Number(remapped) + 65534}`,
    );
  });

  step("its secret is in that file, and nowhere else on the node", async () => {
    const canaries = [{ name: "workloadSecret", text: "hello from a secret" }];
    const found = foundBy(await shell.root(searchScript(canaries)), canaries);
    expect(found.map(({ place }) => place)).toEqual([`${folder}/greeting`]);
  });

  step("has nothing left to do afterwards", async () => {
    await stack.up({ ...quiet, expectNoChanges: true });
    await stack.refresh({ ...quiet, expectNoChanges: true });
    await stack.preview({ ...quiet, expectNoChanges: true });
  });

  step("is another container after a change, started once", async () => {
    const before = await running();
    await upWith({ env: { RELEASE: "2" } });
    const after = await running();
    expect(after).not.toBe(before);
    expect(await all()).toEqual([after]);
    expect(await shell.root(`docker inspect -f '{{.RestartCount}}' ${after}`)).toBe("0");
    expect(await page()).toBe("hello from a secret");
  });

  step("comes back as it was when the new one is not healthy, and up fails", async () => {
    const before = await running();
    const sick = { command: ["false"], intervalSeconds: 1, retries: 1 };
    await expect(upWith({ env: { RELEASE: "3" }, healthCheck: sick })).rejects.toThrow(
      /web: it is unhealthy; the earlier container runs again/,
    );
    expect(await running()).toBe(before);
    expect(await page()).toBe("hello from a secret");
    await upWith({ env: { RELEASE: "4" } });
    const after = await running();
    expect(await all()).toEqual([after]);
    expect(await shell.root(`docker inspect -f '{{.Config.Env}}' ${after}`)).toContain("RELEASE=4");
  });

  step("reads another secret at another start", async () => {
    const before = await running();
    await upWith({ env: { RELEASE: "4" } }, "another secret");
    expect(await running()).toBe(before);
    expect(await page()).toBe("another secret");
  });

  step("goes with its secrets, and leaves the node as it was", async () => {
    expect((await up()).diffs.filter((line) => !line.startsWith("delete "))).toEqual([]);
    expect(await shell.root(`docker ps -aq ${mine}; ls ${folder} 2>/dev/null || true`)).toBe("");
    await stack.preview({ ...quiet, expectNoChanges: true });
  });
});

describe("change in place", () => {
  const ulimit = { Name: "nofile", Soft: 32768, Hard: 65536 };
  const changed = {
    nodes: {
      [NODE]: {
        machine: { dockerDisk: { sizeGiB: 110 } },
        engine: { daemon: { "default-ulimits": { nofile: ulimit } } },
        networks: { "observatory-secondary": { subnet: "172.19.2.0/24" } },
      },
    },
  };
  const identity = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' survivor";
  let before: string;

  step(
    "a ulimit, a network and a bigger disk reach the node while a container runs on",
    async () => {
      await shell.root(
        "docker volume create kept >/dev/null; docker run -d --name survivor --restart unless-stopped -v kept:/data busybox:lab sh -c 'echo precious >/data/file; sleep 100000' >/dev/null",
      );
      before = await shell.root(identity);
      const steps = await up(changed);
      expect(steps.with("create")).toEqual([`${NODE}-observatory-secondary`]);
      expect(steps.with("update")).toEqual([`${NODE}-daemon`, `${NODE}-storage`, `${NODE}-vm`]);
      expect(steps.diffs.filter((line) => /replace|delete/.test(line))).toEqual([]);
      expect(await shell.root(identity)).toBe(before);
      expect(await shell.root("docker run --rm busybox:lab sh -c 'ulimit -n'")).toBe("32768");
      expect(
        Number(await shell.root("df --output=size -BG /var/lib/docker | tail -1 | tr -dc 0-9")),
      ).toBeGreaterThan(105);
      expect(await shell.inspect("observatory-secondary")).toMatchObject({ Driver: "bridge" });
    },
  );

  step("nothing is left to do afterwards", async () => {
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("a setting the daemon does not start with is rolled back by itself", async () => {
    const was = await shell.root("sha256sum /etc/docker/daemon.json");
    // A port that another program has: only the start can tell.
    await shell.root(
      "systemd-run --quiet --unit=taken python3 -m http.server 9324 --bind 127.0.0.1",
    );
    const bad = {
      nodes: {
        [NODE]: {
          ...changed.nodes[NODE],
          engine: {
            daemon: { "default-ulimits": { nofile: ulimit }, "metrics-addr": "127.0.0.1:9324" },
          },
        },
      },
    };
    await expect(up(bad)).rejects.toThrow(/rolled back/);
    await shell.root("systemctl stop taken");
    expect(await shell.root("sha256sum /etc/docker/daemon.json")).toBe(was);
    expect(
      await shell.root("systemctl is-active docker; docker version -f '{{.Server.Version}}'"),
    ).toBe(`active\n${DOCKER}`);
    expect(await shell.root(identity)).toBe(before);
  });

  step("a setting that is refused early touches nothing", async () => {
    const bad = {
      nodes: {
        [NODE]: {
          engine: {
            daemon: { "userns-remap": "default", features: { "containerd-snapshotter": true } },
          },
        },
      },
    };
    await expect(up(bad)).rejects.toThrow(/containerd-snapshotter: true; allowed/);
    expect(await shell.root(identity)).toBe(before);
  });

  step(
    "more CPU is given to the same machine, and the container comes back with its data",
    async () => {
      const more = {
        nodes: {
          [NODE]: {
            ...changed.nodes[NODE],
            machine: { ...changed.nodes[NODE].machine, cpu: { cores: 8 } },
          },
        },
      };
      const hardened = await hardenedState(shell);
      const steps = await up(more);
      expect(steps.with("update")).toContain(`${NODE}-vm`);
      expect(steps.diffs.filter((line) => /replace|delete/.test(line))).toEqual([]);
      await waitFor(
        async () =>
          (await shell.root(
            "nproc; docker inspect -f '{{.State.Running}}' survivor portainer_agent",
          )) === "3\ntrue\ntrue",
      );
      expect(await shell.root("docker exec survivor cat /data/file")).toBe("precious");
      expect(await hardenedState(shell)).toBe(hardened);
      expect(await probes.audited(shell, "/var/lib/docker/probe")).toBe("heard");
      // The agent has started anew, with another certificate.
      const { [NODE]: after } = await readNodes(stack);
      expect(after?.agentFingerprint).toBe(await fingerprintOf(lab.forwards["2019"]?.agent ?? 0));
      expect(after?.agentFingerprint).not.toBe(node.agentFingerprint);
      stack = await openStack(lab, more);
      await stack.up({ ...quiet, expectNoChanges: true });
    },
  );
});

describe("a private registry", () => {
  const passwords = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")] as const;
  const machine = { cpu: { cores: 8 }, dockerDisk: { sizeGiB: 110 } };
  let registry: LabRegistry | undefined;
  let running: string;

  afterAll(() => registry?.close());

  const passwordOf = (host: string): string =>
    `docker-node:registryPassword-${host.replace(":", "_")}`;

  /** Brings the node up with its agent's image from there, and looks for the password meanwhile. */
  async function pullFrom({ host, caCertificate }: LabRegistry, password: string): Promise<Steps> {
    const { repository, tag, digest } = lab.images.agent;
    const image = `${host}/${repository}:${tag}@${digest}`;
    const registries = { [host]: { username: "ci-pull", caCertificate } };
    const own = { machine, registries, portainer: { agent: { image } } };
    stack = await openStack(lab, { nodes: { [NODE]: own } });
    await stack.setConfig(passwordOf(host), { value: password, secret: true });
    const canaries = canariesOf(lab, NODE, password);
    const steps = new Steps();
    const found = await searchDuring(shell, canaries, ({ onOutput, onEvent }) => {
      const each = (event: EngineEvent): void => {
        steps.onEvent(event);
        onEvent(event);
      };
      return stack.up({ onOutput, onEvent: each });
    });
    expect(undeclared(found)).toEqual([]);
    await shell.root(`docker image inspect ${image} >/dev/null`);
    const search = searchScript(canaries, { roots: ["/etc", "/root"] });
    expect(undeclared(foundBy(await shell.root(search), canaries))).toEqual([]);
    expect(canariesIn(stateFiles(here.stateDir), canaries)).toEqual([]);
    return steps;
  }

  step("with a password and an authority of its own gives an image by its digest", async () => {
    registry = await startPrivateRegistry(lab, "ci-pull", passwords);
    await pullFrom(registry, passwords[0]);
    const file = `/etc/docker/certs.d/${registry.host}/docker-node.crt`;
    expect(await shell.root(`cat ${file}`)).toBe(registry.caCertificate.trim());
    running = await shell.root("docker inspect -f '{{.State.StartedAt}}' portainer_agent");
  });

  step("takes another password, and no container notices", async () => {
    if (!registry) throw new Error("the registry was not started");
    const steps = await pullFrom(registry, passwords[1]);
    expect(steps.with("update")).toEqual([`${NODE}-docker`]);
    expect(steps.diffs).toHaveLength(1);
    expect(await shell.root("docker inspect -f '{{.State.StartedAt}}' portainer_agent")).toBe(
      running,
    );
  });

  step("that is a mirror of Docker Hub gives its images by their digests", async () => {
    registry?.close();
    registry = await startMirror(lab);
    const { host, caCertificate, asked } = registry;
    const { agent, haproxy } = lab.images;
    const own = {
      ...{ machine, registries: { [host]: { caCertificate } } },
      engine: { daemon: { "registry-mirrors": [`https://${host}`] } },
      portainer: {
        agent: { image: `docker.io/${agent.repository}:${agent.tag}@${agent.digest}` },
      },
    };
    await stack.removeConfig(passwordOf(host));
    await up({ nodes: { [NODE]: own } });
    expect(asked).toContain(`/v2/${agent.repository}/manifests/${agent.digest}`);
    // One of which the node has no layer.
    await shell.root(`docker pull --quiet docker.io/${haproxy.repository}@${haproxy.digest}`);
    expect(asked).toContain(`/v2/${haproxy.repository}/manifests/${haproxy.digest}`);
    const blobs = new RegExp(`^/v2/${haproxy.repository}/blobs/sha256:`);
    expect(asked.filter((path) => blobs.test(path))).not.toEqual([]);
  });
});

step("a machine that exists already is adopted by another stack, and goes on", async () => {
  // As if made by hand: no firewall of ours at its NIC, and no state that knows it. Without its rules the firewall, if on,
  // would let nobody in.
  await proxmox.put("/nodes/pve01/qemu/2019/firewall/options", { enable: "0" });
  for (let rule = 0; rule < 2; rule++)
    await proxmox.delete("/nodes/pve01/qemu/2019/firewall/rules/0");
  const running =
    "cat /proc/sys/kernel/random/boot_id; docker inspect -f '{{.State.StartedAt}}' survivor";
  const before = await shell.root(running);
  const none = {
    "development-secondary": null,
    "astronomy-compute-secondary": null,
    instruments: null,
  };
  const machine = { adopt: true, cpu: { cores: 8 }, dockerDisk: { sizeGiB: 110 } };
  const bare = { machine, portainer: null, backups: null, volumes: null, networks: none };
  const override = {
    proxmox: { backupStorage: null },
    defaults: { portainer: null },
    nodes: { [NODE]: bare },
  };
  const adopted = await openStack(lab, override, "adopt");
  const steps = new Steps();
  await adopted.up({ ...quiet, onEvent: steps.onEvent });
  expect(steps.with("create")).not.toContain(`${NODE}-vm`);
  expect(steps.diffs.filter((line) => /^(replace|delete|create-replacement)/.test(line))).toEqual(
    [],
  );
  expect(await shell.root(running)).toBe(before);
  await adopted.up({ ...quiet, expectNoChanges: true });
  await adopted.workspace.removeStack("adopt", { force: true });
});

step("destroy leaves nothing in Proxmox, no QEMU and no file", async () => {
  expect(await typed("npm run lab -- destroy")).toBe(0);
  expect(await proxmox.vmIds()).toEqual([]);
  for (const datastore of ["nvme-pool", "local"]) {
    expect(await proxmox.get(`/nodes/pve01/storage/${datastore}/content`)).toEqual([]);
  }
  expect(
    processesWith("qemu-system").filter(
      (line) => line.includes(here.runDir) || line.includes(here.stateDir),
    ),
  ).toEqual([]);
  expect(await typed("npm run lab -- down")).toBe(0);
  expect([here.stateDir, here.runDir].filter((dir) => existsSync(dir))).toEqual([]);
  expect(processesWith(here.stateDir)).toEqual([]);
});
