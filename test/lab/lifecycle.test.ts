/*
 * The life of a node from its birth to its end, each step on top of the one before: the real Pulumi and providers, a real VM under
 * QEMU, real sshd, systemd and dockerd. What is asserted is what the node and Proxmox say, not the state. What changes on a node
 * meanwhile is in changes.test.ts, how it is secured in secured.test.ts.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineEvent, Stack } from "@pulumi/pulumi/automation";
import { z } from "zod";
import { isHostOf } from "../../config/cidr";
import { openConsumer } from "../../lab/lib/consumer";
import { declare, openInstance } from "../../lab/lib/instance";
import { keepLab } from "../../lab/lib/kept";
import { removeLab, startLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import type { NodeFacts } from "../../lab/lib/summary";
import { commands, read } from "../support/documents";
import { compareTypes, renameTypes } from "../support/earlier";
import { FirstBootJob } from "./first-boot";
import { Life } from "./life";
import { configFile, typePlain } from "./plain";
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
  quiet,
  upSteps,
} from "./support";

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

async function up(override: Record<string, unknown> = {}): Promise<Steps> {
  stack = await openStack(lab, override);
  return upSteps(stack);
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
    const rules = await proxmox.read(
      "/nodes/pve01/qemu/2019/firewall/rules",
      z.array(z.record(z.string(), z.unknown())),
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
    ).toBe("passwordauthentication no\npermitrootlogin no");
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
    await shell.pullBusybox();
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
