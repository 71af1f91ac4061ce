import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { resourcesOnDocker } from "../../clients/pulumi/stack";
import { IGNORED_CHANGES } from "../../components";
import { ignoredChanges } from "../../components/machine/virtual-machine";
import { networkArgs } from "../../components/docker/networks";
import { renderScript, shellQuote } from "../../node/scripts";
import { vmArgs } from "../../components/machine/vm-args";
import { SOCKET_USERS } from "../../config/docker-socket";
import { firewallRules, sshOptions } from "../../config/node";
import { loadSettings, merge } from "../../config/load";
import { parseContract, type Contract, type Outputs } from "../../contract/schema";
import runStack from "../../index";
import { privateKey } from "../support/key";
import {
  FINGERPRINT,
  HOST_KEY,
  settle,
  startPulumi,
  unwrap,
  type Recorder,
} from "../support/mocks";
import { mockConfig, prodNode, prodWith, waiver } from "../support/settings";

/** The rules of the graph, each with its test, on production's configuration. */

const NODE = "proj-docker02";
const SECRET = "a-secret-of-some-length";
const DOCKER_STEPS = [
  ...["ready", "boot", "storage", "install", "daemon", "access", "hardening"],
  ...["firewall", "firewall-confirm"],
  ...["sbom-portainer_agent", "sbom-docker_node_backup", "sbom-docker_node_cadvisor"],
  "sbom-docker_node_socket_proxy",
];
const CONTAINER_STEPS = [
  ...["backups-secrets", "monitoring-node"],
  ...["agent", "backups", "monitoring-proxy", "monitoring"].map((part) => `${part}-image-seal`),
  ...["monitoring-proxy-limits", "agent-limits", "agent-certificate"],
  ...["backups-limits", "monitoring-limits"],
];
const KEEPING = [
  "proxmoxve:index/haresource:Haresource",
  "proxmoxve:index/harule:Harule",
  "proxmoxve:index/replication:Replication",
] as const;
const key = privateKey();

async function run(
  override: unknown = {},
  preview = false,
): Promise<{ recorder: Recorder; outputs: Outputs }> {
  const raw = prodWith(merge({ ssh: key.ssh }, override));
  const config = { ...mockConfig(raw), "docker-node:agentSecret": SECRET };
  const recorder = await startPulumi({ preview, config });
  const outputs = await runStack();
  await settle(recorder);
  return { recorder, outputs };
}

const names = (recorder: Recorder): string[] =>
  recorder.resources.map((r) => `${r.type}  ${r.name}`).sort();

describe("the graph", () => {
  test("of production", async () => {
    const { recorder } = await run();
    expect(names(recorder)).toMatchSnapshot();
  });

  test("is whole in the preview of an empty stack, with every address known and no invoke", async () => {
    const { recorder, outputs } = await run({}, true);
    expect(names(recorder)).toEqual(names((await run()).recorder));
    expect(outputs.nodes[NODE]).toMatchObject({
      address: "10.25.20.24",
      dockerHost: "ssh://ubuntu@10.25.20.24:22",
      agentUrl: "https://10.25.20.24:9001",
      volumes: [],
    });
  });

  test("starts every component with the node's name", async () => {
    const { recorder } = await run();
    const own = recorder.resources.filter(
      (r) => !/^pulumi:|CloudImage|download\/file|storage\/pbs/.test(r.type),
    );
    expect(own.filter((r) => !r.name.startsWith(NODE))).toEqual([]);
  });

  test("has one Docker provider a node and nothing on a default provider", async () => {
    const { recorder } = await run();
    expect(recorder.all("pulumi:providers:docker")).toHaveLength(1);
    for (const { type, provider, name } of recorder.resources) {
      if (type.startsWith("docker:"))
        // Restores find them by it.
        expect([name, resourcesOnDocker(NODE, [{ urn: name, type, provider }]).length]).toEqual([
          name,
          1,
        ]);
      if (type.startsWith("proxmoxve:"))
        expect([name, provider]).toEqual([name, expect.stringContaining("::proxmox::")]);
    }
  });
});

describe("outputs", () => {
  test("describe the node, and are what the contract says, no more", async () => {
    const { outputs } = await run({
      volumes: { data: {} },
    });
    const found = JSON.parse(JSON.stringify(await unwrap(pulumi.output(outputs)))) as Contract;
    expect(parseContract("test", found)).toEqual(found);
    expect(found.nodes[NODE]).toEqual({
      name: NODE,
      vmId: 2019,
      address: "10.25.20.24",
      sshUser: "ubuntu",
      dockerHost: "ssh://ubuntu@10.25.20.24:22",
      hostKey: HOST_KEY,
      agentUrl: "https://10.25.20.24:9001",
      agentFingerprint: FINGERPRINT,
      networks: {
        "development-secondary": {
          id: `${NODE}-development-secondary-id`,
          driver: "bridge",
          subnet: "172.19.0.0/24",
          gateway: "172.19.0.1",
        },
        "astronomy-compute-secondary": {
          id: `${NODE}-astronomy-compute-secondary-id`,
          driver: "bridge",
          subnet: "172.19.1.0/24",
          gateway: "172.19.1.1",
        },
      },
      volumes: ["data"],
      monitoring: [
        { name: "docker", url: "http://10.25.20.24:9323/metrics" },
        { name: "node", url: "http://10.25.20.24:9100/metrics" },
        { name: "containers", url: "http://10.25.20.24:9101/metrics" },
      ],
      backups: {
        volumes: { schedule: "02:30", keepDays: 30 },
        configuration: { schedule: "02:45", keepDays: 90 },
        images: { schedule: "sun 03:00", keepDays: 28 },
        vm: { schedule: "03:30", keepDays: 30 },
      },
      engineVersion: "29.10.0",
      apiVersion: "1.52",
    });
    const targets = found.monitoringTargets?.map((group) => JSON.stringify(group));
    expect(targets).toEqual(
      ["docker 9323", "node 9100", "containers 9101"].map((target) => {
        const [measures, port] = target.split(" ");
        return JSON.stringify({
          targets: [`10.25.20.24:${port}`],
          labels: { node: NODE, measures },
        });
      }),
    );
  });

  test("hold no secret, and none of them is one", async () => {
    const { outputs } = await run();
    const all = pulumi.output(outputs);
    expect(await pulumi.isSecret(all)).toBe(false);
    expect(JSON.stringify(await unwrap(all))).not.toMatch(
      new RegExp(`${SECRET}|PRIVATE KEY|automation@pve`),
    );
  });

  test("say nothing of an agent that is not there", async () => {
    const { proxmox, defaults } = prodWith({});
    const own = { portainer: null, ssh: key.ssh };
    const recorder = await startPulumi({
      config: {
        "docker-node:proxmox": JSON.stringify(proxmox),
        "docker-node:nodes": JSON.stringify({ [NODE]: merge(defaults, own) }),
        "docker-node:proxmoxApiToken": "t",
      },
    });
    const { nodes } = await runStack();
    await settle(recorder);
    expect(nodes[NODE]).toMatchObject({ agentUrl: undefined, agentFingerprint: undefined });
  });

  test("the agent's certificate is read again after what gives the agent a new start", async () => {
    const stdin = async (override: unknown): Promise<unknown> =>
      (await run(override)).recorder.find("command:remote:Command", `${NODE}-agent-certificate`)
        .inputs.stdin;
    const before = await stdin({});
    expect(before).toContain(`container ${NODE}-agent-container-id on 6 cores, 32 GiB`);
    expect(await stdin({ machine: { cpu: { cores: 8 } } })).not.toBe(before);
    expect(await stdin({ engine: { version: "28" } })).not.toBe(before);
    expect(await stdin({ engine: { daemon: { "max-concurrent-uploads": 3 } } })).toBe(before);
  });
});

describe("the machine", () => {
  test("is what Proxmox is told, reviewed as data", () => {
    expect(vmArgs(NODE, prodNode(), { imageVolumeId: "local:import/x.qcow2" })).toMatchSnapshot();
  });

  test("reads and writes its disks as declared", () => {
    const { disks } = vmArgs(NODE, prodNode({ machine: { disk: { aio: "native" } } }));
    expect((disks as { aio: string }[]).map(({ aio }) => aio)).toEqual(["native", "io_uring"]);
  });

  test("may be a clone of a template", () => {
    const args = vmArgs(NODE, prodNode({ machine: { image: { template: 9000, node: "pve02" } } }));
    expect(args.clone).toEqual({ vmId: 9000, nodeName: "pve02", full: true });
    expect(args.disks).toEqual([
      expect.not.objectContaining({ importFrom: expect.anything() as unknown }),
      expect.anything(),
    ]);
  });

  test("a clone downloads nothing", async () => {
    const { recorder } = await run({ machine: { image: { template: 9000 } } });
    expect(recorder.all("proxmoxve:download/file:File")).toEqual([]);
  });

  test("ignores what an operator or a new image may change, and only that", () => {
    expect(IGNORED_CHANGES).toEqual([
      "nodeName",
      "disks[0].importFrom",
      "clone",
      "disks[0].speed",
      "disks[1].speed",
      "initialization.userAccount",
    ]);
  });

  test("a search domain that is taken out again makes no difference for ever", () => {
    const domain = "initialization.dns.domain";
    expect(ignoredChanges(prodNode())).toEqual([...IGNORED_CHANGES, domain]);
    const declared = prodNode({ network: { searchDomain: "example.org" } });
    expect(ignoredChanges(declared)).toEqual(IGNORED_CHANGES);
  });

  test("has neither high availability nor copies, unless they are declared", async () => {
    const { recorder } = await run();
    for (const type of KEEPING) expect(recorder.all(type)).toEqual([]);
  });

  test("is kept by Proxmox as declared", async () => {
    const highAvailability = { maxRelocate: 2, nodes: { pve01: 2, pve02: 1 }, strict: true };
    const replication = { target: "pve02", maxMBps: 50 };
    const { recorder } = await run({ machine: { highAvailability, replication } });
    const [resource, rule, copies] = KEEPING.map((type) => recorder.find(type).inputs);
    expect(resource).toEqual({
      ...{ resourceId: "vm:2019", type: "vm", state: "started" },
      ...{ maxRestart: 1, maxRelocate: 2 },
    });
    expect(rule).toEqual({
      ...{ rule: "docker-node-2019", type: "node-affinity", resources: ["vm:2019"] },
      ...{ nodes: { pve01: 2, pve02: 1 }, strict: true, disable: false },
    });
    expect(copies).toEqual({
      ...{ resourceId: "2019-0", type: "local", target: "pve02" },
      ...{ schedule: "*/15", rate: 50, disable: false },
    });
    const open = await run({ machine: { highAvailability: {} } });
    expect(open.recorder.all(KEEPING[1])).toEqual([]);
  });

  test("lets in SSH from management, the agent from Portainer, and declared ports", () => {
    const rules = [
      { port: "443", comment: "web" },
      { proto: "udp", port: "53", source: "10.25.0.0/16" },
    ];
    expect(firewallRules(prodNode({ network: { firewall: { rules } } }))).toEqual([
      { comment: "SSH from management", source: "10.25.10.0/24", proto: "tcp", port: "22" },
      {
        comment: "Portainer agent from the Portainer server",
        source: "10.25.10.11",
        proto: "tcp",
        port: "9001",
      },
      ...["nodeExporter 9100", "cadvisor 9101", "docker 9323"].map((target) => {
        const [part = "", port] = target.split(" ");
        const comment = `Metrics (${part}) from Prometheus`;
        return { comment, source: "10.25.10.13", proto: "tcp", port };
      }),
      { comment: "web", proto: "tcp", port: "443" },
      { comment: "declared", proto: "udp", port: "53", source: "10.25.0.0/16" },
    ]);
  });

  test("has no firewall resources when none is declared", async () => {
    const node = prodNode();
    expect(firewallRules({ ...node, network: { ...node.network, firewall: undefined } })).toEqual(
      [],
    );
    const raw = prodWith({ ssh: key.ssh });
    const defaults = merge(raw.defaults, { network: { firewall: null } });
    const recorder = await startPulumi({
      config: {
        "docker-node:proxmox": JSON.stringify(raw.proxmox),
        "docker-node:nodes": JSON.stringify({
          [NODE]: merge(defaults, { ssh: key.ssh }),
        }),
        "docker-node:waivers": JSON.stringify([waiver("firewall-none")]),
        "docker-node:proxmoxApiToken": "t",
        "docker-node:agentSecret": SECRET,
      },
    });
    await runStack();
    await settle(recorder);
    expect(recorder.resources.filter((r) => r.type.includes("firewall"))).toEqual([]);
    // What an earlier run has loaded on the node goes, and nobody has to confirm that.
    const own = recorder.resources.filter((r) => r.name.startsWith(`${NODE}-firewall`));
    expect(own.map((r) => r.name)).toEqual([`${NODE}-firewall`]);
    expect(own[0]?.inputs.stdin).toMatch(/^RULES=''$/m);
  });
});

test("a key of the stack that nobody reads stops everything, before anything is declared", async () => {
  const raw = prodWith({ ssh: key.ssh });
  const recorder = await startPulumi({
    config: {
      "docker-node:proxmox": JSON.stringify(raw.proxmox),
      "docker-node:defualts": JSON.stringify(raw.defaults),
      "docker-node:nodes": JSON.stringify({ [NODE]: merge(raw.defaults, { ssh: key.ssh }) }),
      "docker-node:configVersion": "1",
      "other:key": "of another namespace",
    },
  });
  await expect(runStack()).rejects.toThrow(/1 problem.*\n {2}defualts: not a key of this program/);
  await settle(recorder);
  expect(recorder.resources).toEqual([]);
});

test("an ssh-agent that does not answer is refused before anything is touched: the command plugin would ask it", async () => {
  const before = process.env.SSH_AUTH_SOCK;
  process.env.SSH_AUTH_SOCK = "/nonexistent/agent.1";
  try {
    await expect(run()).rejects.toThrow(
      /^SSH_AUTH_SOCK: "\/nonexistent\/agent\.1" does not answer .*; allowed: .*unset SSH_AUTH_SOCK/,
    );
  } finally {
    if (before === undefined) delete process.env.SSH_AUTH_SOCK;
    else process.env.SSH_AUTH_SOCK = before;
  }
});

describe("an OpenSSH with which no Docker resource would be reached is refused before anything is touched", () => {
  const PATH = process.env.PATH;
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "docker-node-ssh-"));
    process.env.PATH = folder;
  });
  afterEach(() => {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true });
  });

  async function refusal(): Promise<string> {
    const recorder = await startPulumi({ config: mockConfig(prodWith({ ssh: key.ssh })) });
    const message = await runStack().then(() => "none", String);
    await settle(recorder);
    expect(recorder.resources).toEqual([]);
    return message;
  }

  test("RHEL 8 has 8.0, which cannot pin the host key", async () => {
    const ssh = join(folder, "ssh");
    writeFileSync(ssh, "#!/bin/sh\necho OpenSSH_8.0p1, OpenSSL 1.1.1k >&2\n", { mode: 0o755 });
    expect(await refusal()).toBe(
      "Error: ssh: 8.0 is older than 8.5, and has no KnownHostsCommand, so the Docker provider could not connect; " +
        "use a system with OpenSSH 8.5 or later, such as Ubuntu 22.04 or RHEL 9",
    );
  });

  test("none at all", async () => {
    expect(await refusal()).toBe(
      "Error: ssh: OpenSSH is not on the PATH; apt install openssh-client",
    );
  });
});

/** Where a container's mounts come from, and where they are; all are read-only. */
function mountsOf({ volumes }: Record<string, unknown>): string[] {
  type Mount = Record<"hostPath" | "volumeName" | "containerPath", string> & { readOnly: boolean };
  const mounts = volumes as Mount[];
  expect(mounts.every(({ readOnly }) => readOnly)).toBe(true);
  return mounts.map(({ hostPath, volumeName, containerPath }) =>
    [hostPath || volumeName, containerPath].join(" "),
  );
}

test("who mounts Docker's socket is who starts again with Docker's packages", async () => {
  const { recorder } = await run();
  const containers = recorder.all("docker:index/container:Container");
  const found = containers.filter(({ inputs }) =>
    (inputs.volumes as { hostPath?: string }[]).some(
      ({ hostPath }) => hostPath === "/var/run/docker.sock",
    ),
  );
  // The second agent is there while a secret is rotated.
  expect([...found.map(({ inputs }) => inputs.name), "portainer_agent_next"].sort()).toEqual(
    [...SOCKET_USERS].sort(),
  );
});

describe("monitoring", () => {
  test("cAdvisor has the rights that these metrics need, and no more", async () => {
    const { recorder } = await run();
    const name = `${NODE}-monitoring-container`;
    const { inputs } = recorder.find("docker:index/container:Container", name);
    expect(inputs).toMatchObject({
      name: "docker_node_cadvisor",
      usernsMode: "host",
      networkMode: "bridge",
      readOnly: true,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges:true"],
      memory: 256,
      cpuShares: 256,
      ports: [{ internal: 8080, external: 9101, ip: "10.25.20.24", protocol: "tcp" }],
    });
    expect(inputs).not.toHaveProperty("privileged");
    expect(mountsOf(inputs)).toEqual([
      "docker_node_socket_proxy /run/socket-proxy",
      "/sys/fs/cgroup /sys/fs/cgroup",
      "/proc /rootfs/proc",
      "/var/lib/docker/231072.231072/image /rootfs/var/lib/docker/231072.231072/image",
    ]);
  });

  test("cAdvisor asks Docker through a proxy, which is not root, has no network, and alone has the socket", async () => {
    const { recorder } = await run();
    const find = (name: string): Record<string, unknown> =>
      recorder.find("docker:index/container:Container", `${NODE}-monitoring-${name}`).inputs;
    const { volumes, ...inputs } = find("proxy-container");
    expect(inputs).toMatchObject({
      name: "docker_node_socket_proxy",
      user: "99:99",
      groupAdds: ["998"],
      usernsMode: "host",
      networkMode: "none",
      readOnly: true,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges:true"],
      memory: 64,
      // What cAdvisor waits for: at a boot its socket is there before Docker answers.
      healthcheck: { tests: ["CMD-SHELL", expect.stringMatching(/healthz && : >\S+\/ready$/)] },
    });
    expect(inputs).not.toHaveProperty("ports");
    const socket = { volumeName: "docker_node_socket_proxy", containerPath: "/run/socket-proxy" };
    expect(volumes).toEqual([
      ...["/var/run/docker.sock", "/etc/docker-node/socket-proxy"].map(
        (hostPath) => expect.objectContaining({ hostPath, readOnly: true }) as unknown,
      ),
      socket,
    ]);
    const cadvisor = find("container");
    expect(cadvisor.command).toContain("--docker=unix:///run/socket-proxy/docker.sock");
    expect(cadvisor.entrypoints).toEqual(
      expect.arrayContaining([expect.stringMatching(/^until \[ -e \/run\/socket-proxy\/ready \]/)]),
    );
    const volume = recorder.find(
      "docker:index/volume:Volume",
      `${NODE}-monitoring-proxy-socket`,
    ).inputs;
    expect(volume).toMatchObject({
      driverOpts: { type: "tmpfs" },
      labels: [{ label: "docker-node.backup", value: "false" }],
    });
  });

  test("only what is declared is there", async () => {
    const made = async (monitoring: unknown): Promise<string[]> => {
      // As it stands in a stack file: null takes away.
      const config = mockConfig(prodWith({ ssh: key.ssh, monitoring }));
      const recorder = await startPulumi({ config });
      await runStack();
      await settle(recorder);
      return recorder.resources.map(({ name }) => name).filter((name) => /monitoring/.test(name));
    };
    expect(await made({ cadvisor: null, docker: null })).toEqual([
      `${NODE}-monitoring`,
      `${NODE}-monitoring-node`,
    ]);
    expect(await made(null)).toEqual([]);
    const ports = firewallRules(prodNode({ monitoring: null })).map(({ port }) => port);
    expect(ports).toEqual(["22", "9001"]);
  });
});

describe("commands on the node", () => {
  test("get variables and script on standard input, never through the environment", async () => {
    const { recorder } = await run();
    const commands = recorder.all("command:remote:Command");
    expect(commands.map((c) => c.name)).toEqual(
      [...DOCKER_STEPS, ...CONTAINER_STEPS].map((step) => `${NODE}-${step}`),
    );
    for (const { inputs } of commands) {
      expect(inputs).toMatchObject({ create: "sudo -n bash -s", addPreviousOutputInEnv: false });
      expect(inputs).not.toHaveProperty("environment");
    }
    // What is taken away with its resource runs the same script.
    expect(
      commands
        .filter(({ name, inputs }) => inputs.delete && !name.includes("-sbom-"))
        .map(({ name, inputs }) => [name, inputs.delete]),
    ).toEqual([
      [
        `${NODE}-backups-secrets`,
        "cat >/dev/null; sudo -n rm -rf -- /var/lib/docker-node/secrets/backup",
      ],
      [`${NODE}-monitoring-node`, "sudo -n env REMOVE=yes bash -s"],
    ]);
  });

  test("only the first dials for a first boot, and without a pinned host key", async () => {
    const { recorder } = await run();
    const connection = (step: string): unknown =>
      recorder.find("command:remote:Command", `${NODE}-${step}`).inputs.connection;
    expect(JSON.stringify(connection("ready"))).not.toContain(HOST_KEY);
    expect(JSON.stringify(connection("ready"))).toContain('"dialErrorLimit":180');
    for (const step of [...DOCKER_STEPS.slice(1), ...CONTAINER_STEPS]) {
      expect(JSON.stringify(connection(step))).toContain(`"hostKey":"${HOST_KEY}"`);
    }
  });

  test("a declared host key is pinned from the first connection on", async () => {
    const hostKey = "ssh-ed25519 AAAADeclared comment";
    const { recorder, outputs } = await run({ ssh: { hostKey } });
    const connections = recorder
      .all("command:remote:Command")
      .map((c) => JSON.stringify(c.inputs.connection));
    expect(connections.filter((c) => !c.includes("ssh-ed25519 AAAADeclared"))).toEqual([]);
    expect(await unwrap(pulumi.output(outputs.nodes[NODE]?.hostKey))).toBe(
      "ssh-ed25519 AAAADeclared",
    );
  });

  test("the private key is a secret", async () => {
    const { recorder } = await run();
    for (const { inputs } of recorder.all("command:remote:Command")) {
      // A secret anywhere in an object makes the object one.
      expect(inputs.connection).toHaveProperty("4dabf18193072939515e22adb298388d");
    }
  });

  test("a missing private key is a configuration error", async () => {
    await expect(run({ ssh: { privateKeyFile: "/nowhere/key" } })).rejects.toThrow(
      'nodes.proj-docker02.ssh.privateKeyFile: "/nowhere/key"; allowed: a readable file',
    );
  });
});

describe("the Docker provider", () => {
  test("pins the host key in its own options and uses no file, no agent, no DOCKER_HOST", async () => {
    const { recorder } = await run();
    const { inputs } = recorder.find("pulumi:providers:docker");
    expect(inputs.host).toBe("ssh://ubuntu@10.25.20.24:22");
    expect(JSON.parse(String(inputs.sshOpts))).toEqual(
      sshOptions({ ...prodNode(), ssh: { ...prodNode().ssh, privateKeyFile: key.file } }, HOST_KEY),
    );
    expect(sshOptions(prodNode(), HOST_KEY)).toMatchSnapshot();
  });

  test("goes through a declared endpoint", async () => {
    const { outputs } = await run({ ssh: { endpoint: { host: "127.0.0.1", port: 2222 } } });
    expect(outputs.nodes[NODE]?.dockerHost).toBe("ssh://ubuntu@127.0.0.1:2222");
  });
});

describe("the Portainer agent", () => {
  test("is bound to the node's address, outside the user namespace, with the real volumes directory", async () => {
    const { recorder } = await run();
    const { inputs } = recorder.find("docker:index/container:Container", `${NODE}-agent-container`);
    expect(inputs).toMatchObject({
      name: "portainer_agent",
      restart: "always",
      usernsMode: "host",
      networkMode: "bridge",
      cpuShares: 512,
      capabilities: {
        // All that Docker gives by itself but DAC_OVERRIDE and FOWNER, in the form in which it comes back.
        drops: [
          ...["CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD"],
          ...["CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP"],
          ...["CAP_SETUID", "CAP_SYS_CHROOT"],
        ],
      },
      logDriver: "json-file",
      ports: [{ internal: 9001, external: 9001, ip: "10.25.20.24" }],
      volumes: [
        { hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" },
        {
          hostPath: "/var/lib/docker/231072.231072/volumes",
          containerPath: "/var/lib/docker/volumes",
        },
      ],
    });
    expect(inputs.image).toMatch(/^sha256:id-of-docker.io\/portainer\/agent:2.39.1@sha256:/);
  });

  test("gets its secret as a secret", async () => {
    const { recorder } = await run();
    const { inputs } = recorder.find("docker:index/container:Container", `${NODE}-agent-container`);
    const envs = JSON.stringify(inputs.envs);
    expect(envs).toContain("4dabf18193072939515e22adb298388d");
    expect(envs).toContain(`AGENT_SECRET=${SECRET}`);
  });

  test("is left out where there is no Portainer", () => {
    const raw = prodWith({});
    const defaults = merge(raw.defaults, {
      portainer: null,
      ssh: key.ssh,
    });
    const settings = loadSettings({ ...raw, defaults });
    expect(settings.nodes[NODE]?.portainer).toBeUndefined();
  });
});

describe("networks and volumes", () => {
  test("a bridge has an explicit subnet and says whether containers may talk", () => {
    expect(
      networkArgs("n", {
        driver: "bridge",
        subnet: "172.19.0.0/24",
        isolated: true,
        internal: false,
      }),
    ).toEqual({
      name: "n",
      driver: "bridge",
      internal: false,
      ipamConfigs: [{ subnet: "172.19.0.0/24", gateway: "172.19.0.1" }],
      options: { "com.docker.network.bridge.enable_icc": "false" },
    });
  });

  test.each([
    ["is new", undefined, undefined, "172.19.0.1"],
    ["was made without, as Docker 28 tells it", { gateway: "" }, undefined, undefined],
    ["was made without, as Docker 29 tells it", { gateway: "172.19.0.1" }, undefined, "172.19.0.1"],
    ["moves to this subnet", { subnet: "172.19.1.0/24", gateway: "" }, undefined, "172.19.0.1"],
    ["loses one of its own", { gateway: "172.19.0.254" }, undefined, "172.19.0.1"],
    ["declares one", { gateway: "" }, "172.19.0.9", "172.19.0.9"],
  ])("a bridge that %s has the gateway of the next plan", (_, recorded, gateway, expected) => {
    const subnet = "172.19.0.0/24";
    const bridge = { driver: "bridge", subnet, gateway, isolated: false, internal: false } as const;
    const known = recorded && [{ subnet, ...recorded }];
    const { ipamConfigs } = networkArgs("n", bridge, {}, [], known);
    expect(ipamConfigs).toEqual([{ subnet, gateway: expected }]);
  });

  test("a bridge with IPv6 has both subnets, each with the gateway that Docker would choose", () => {
    const subnet = "172.19.0.0/24";
    const bridge = { driver: "bridge", subnet, isolated: false, internal: false } as const;
    expect(networkArgs("n", { ...bridge, ipv6: { subnet: "fd25:28::/64" } })).toMatchObject({
      ipv6: true,
      ipamConfigs: [
        { subnet, gateway: "172.19.0.1" },
        { subnet: "fd25:28::/64", gateway: "fd25:28::1" },
      ],
    });
    const own = { ...bridge, ipv6: { subnet: "fd25:28::/64", gateway: "fd25:28::ffff" } };
    expect(networkArgs("n", own).ipamConfigs).toMatchObject([{}, { gateway: "fd25:28::ffff" }]);
    expect(networkArgs("n", bridge)).not.toHaveProperty("ipv6");
  });

  test.each([
    ["untold", undefined],
    ["told", "fd25:28::1"],
  ])("an adopted bridge whose IPv6 gateway is %s stays as it is", (_, gateway) => {
    const bridge = { driver: "bridge", isolated: false, internal: false } as const;
    const config = { ...bridge, subnet: "172.19.0.0/24", ipv6: { subnet: "fd25:28::/64" } };
    const known = [{ subnet: "fd25:28::/64", gateway }, { subnet: "172.19.0.0/24" }];
    const { ipamConfigs } = networkArgs("n", config, {}, [], known);
    expect(ipamConfigs).toEqual([{ subnet: "172.19.0.0/24" }, { subnet: "fd25:28::/64", gateway }]);
  });

  const LAN = {
    ...{ parent: "eth0", subnet: "10.25.30.0/24", gateway: "10.25.30.1" },
    excluded: { nas: "10.25.30.129" },
  };

  test("a macvlan hangs on the VLAN of its parent and leaves addresses out", () => {
    const config = { ...LAN, driver: "macvlan", range: "10.25.30.128/25" } as const;
    expect(networkArgs("lan", { ...config, vlan: 30 })).toMatchObject({
      driver: "macvlan",
      options: { parent: "eth0.30" },
      ipamConfigs: [{ ipRange: "10.25.30.128/25", auxAddress: { nas: "10.25.30.129" } }],
    });
    expect(networkArgs("lan", config).options).toMatchObject({ parent: "eth0" });
  });

  test("an ipvlan does too, in the mode in which containers are on the NIC's network", () => {
    const config = { ...LAN, driver: "ipvlan" } as const;
    expect(networkArgs("lan", { ...config, vlan: 30 })).toEqual({
      name: "lan",
      driver: "ipvlan",
      options: { parent: "eth0.30", ipvlan_mode: "l2" },
      ipamConfigs: [
        {
          subnet: "10.25.30.0/24",
          gateway: "10.25.30.1",
          ipRange: undefined,
          auxAddress: { nas: "10.25.30.129" },
        },
      ],
    });
  });

  test("a macvlan with IPv6 has a range and reserved addresses of each family", () => {
    const ipv6 = { subnet: "fd25:30::/64", gateway: "fd25:30::1", range: "fd25:30::8000/113" };
    const config = { ...LAN, driver: "macvlan", ipv6: { ...ipv6, excluded: {} } } as const;
    const hosts = ["10.25.30.24", "fd25:30::8024"];
    expect(networkArgs("lan", config, {}, hosts)).toMatchObject({
      ipv6: true,
      ipamConfigs: [
        { auxAddress: { nas: "10.25.30.129", "docker-node-host": "10.25.30.24" } },
        {
          subnet: "fd25:30::/64",
          gateway: "fd25:30::1",
          ipRange: "fd25:30::8000/113",
          auxAddress: { "docker-node-host": "fd25:30::8024" },
        },
      ],
    });
  });

  test("declared volumes are made", async () => {
    const { recorder, outputs } = await run({ volumes: { data: { labels: { purpose: "test" } } } });
    expect(recorder.find("docker:index/volume:Volume", `${NODE}-data`).inputs).toMatchObject({
      name: "data",
      labels: [{ label: "purpose", value: "test" }],
    });
    expect(outputs.nodes[NODE]?.volumes).toEqual(["data"]);
  });
});

describe("scripts for the shell", () => {
  test("take any value literally", () => {
    expect(shellQuote(`a'b"$(id)\n`)).toBe(`'a'\\''b"$(id)\n'`);
  });

  test("leave undefined variables out", () => {
    const text = renderScript("ready", { A: "1", B: undefined, C: 2 });
    expect(text.split("\n").slice(0, 2)).toEqual(["A='1'", "C='2'"]);
  });
});

test("several nodes share the cluster's provider and the image, and have their own everything else", async () => {
  const raw = prodWith({});
  const nodes = {
    "proj-docker01": { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } },
    "proj-docker02": {},
  };
  const recorder = await startPulumi({
    config: {
      "docker-node:proxmox": JSON.stringify(raw.proxmox),
      "docker-node:defaults": JSON.stringify(merge(raw.defaults, { ssh: key.ssh })),
      "docker-node:nodes": JSON.stringify(nodes),
      "docker-node:proxmoxApiToken": "t",
      "docker-node:agentSecret": SECRET,
    },
  });
  await runStack();
  await settle(recorder);
  const count = (type: string): number => recorder.all(type).length;
  expect(count("pulumi:providers:proxmoxve")).toBe(1);
  expect(count("proxmoxve:download/file:File")).toBe(1);
  expect(count("proxmoxve:index/vmLegacy:VmLegacy")).toBe(2);
  expect(count("pulumi:providers:docker")).toBe(2);
});
