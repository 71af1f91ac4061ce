/*
 * What changes on a node that runs: by a pull request, by hand, by the stack file, by another registry, and by another stack that
 * adopts it. Its birth and its end are in lifecycle.test.ts.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { APPROVED, BLOCKED } from "../../commands/plan/ci/note";
import type { PlanJson } from "../../commands/plan/render";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { readNodes } from "../../lab/lib/reach";
import { removeLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import { canariesIn, foundBy, searchScript } from "../support/canaries";
import { canariesOf, searchDuring, undeclared } from "./canaries";
import { Forge } from "./forge";
import { hardenedState, probes } from "./hardened";
import { Life } from "./life";
import { startMirror, startPrivateRegistry, type LabRegistry } from "./private-registry";
import {
  Proxmox,
  type Shell,
  type Steps,
  fingerprintOf,
  log,
  shellTo,
  stateFiles,
  statusOfCommand,
  waitFor,
  quiet,
  upSteps,
} from "./support";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("changes");

let lab: Lab;
let stack: Stack;
let proxmox: Proxmox;
let shell: Shell;
const life = new Life();
const { step } = life;

async function up(override: Record<string, unknown> = {}): Promise<Steps> {
  stack = await openStack(lab, override);
  return upSteps(stack);
}

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  stack = await openStack(lab);
  shell = await shellTo(lab, stack, NODE);
  proxmox = new Proxmox(lab);
  await shell.pullBusybox();
});

afterAll(() => life.end(here));

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

  step(
    "a VLAN that changes, a disk that gets smaller and one that moves are labelled for what they are, and replace nothing",
    async () => {
      const machine = { disk: { datastore: "local" }, dockerDisk: { sizeGiB: 90 } };
      await openStack(lab, { nodes: { [NODE]: { machine, network: { vlan: 21 } } } });
      expect(await workflow(`commands/plan/ci/plan.sh lab ${folder}`)).toBe(0);
      const labels = planned().risks.map(({ label, severity }) => `${label}: ${severity}`);
      expect(labels).toEqual(
        expect.arrayContaining([
          "changes-vlan: caution",
          "moves-disk: caution",
          "shrinks-disk: danger",
        ]),
      );
      const changes = planned().nodes.flatMap((one) => one.changes);
      expect(changes.find(({ name }) => name === `${NODE}-vm`)?.action).toBe("update");
    },
  );

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
      const steps = await up();
      const said = steps.warnings.join("\n");
      log(said);
      expect(said).toMatch(/daemon\.json.*max-file.*9.*3/);
      expect(said).toMatch(/docker-ce/);
      expect(said).toMatch(/hardening\.conf MaxAuthTries: 9 .*, 4 as declared/);
      expect(said).toMatch(/dmesg_restrict: 0 .*, 1 as declared/);
      expect(steps.with("update")).toEqual([
        `${NODE}-daemon`,
        `${NODE}-hardening`,
        `${NODE}-install`,
      ]);
      expect(await shell.root(`grep -o 'MaxAuthTries .*' ${sshd} | sort -u`)).toBe(
        "MaxAuthTries 4",
      );
      expect(await shell.root("sshd -T | grep maxauthtries")).toBe("maxauthtries 4");
      expect(await shell.root("apt-mark showhold")).toMatch(/^docker-ce$/m);
      expect(await shell.root("cat /etc/docker/daemon.json")).toMatch(/"max-file": *"3"/);
    },
  );

  step("nothing is left to do afterwards", async () => {
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

describe("change in place", () => {
  const ulimit = { Name: "nofile", Soft: 32768, Hard: 65536 };
  const changed = {
    nodes: {
      [NODE]: {
        machine: { dockerDisk: { sizeGiB: 110 } },
        engine: { daemon: { "default-ulimits": { nofile: ulimit } } },
        networks: {
          "observatory-secondary": { subnet: "172.19.2.0/24", ipv6: { subnet: "fd25:28::/64" } },
        },
        // Docker can change no label of a volume, and the provider would replace the volume for it.
        volumes: { "research-data": { labels: { steward: "astronomy" } } },
      },
    },
  };
  const identity = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' survivor";
  const research = "\"$(docker volume inspect -f '{{.Mountpoint}}' research-data)/file\"";
  let before: string;

  step(
    "a ulimit, a network and a bigger disk reach the node while a container runs on and a volume keeps its data",
    async () => {
      await shell.root(
        "docker volume create kept >/dev/null; docker run -d --name survivor --restart unless-stopped -v kept:/data busybox:lab sh -c 'echo precious >/data/file; sleep 100000' >/dev/null",
      );
      await shell.root(`echo irreplaceable >${research}`);
      before = await shell.root(identity);
      const steps = await up(changed);
      expect(steps.with("create")).toEqual([`${NODE}-observatory-secondary`]);
      expect(steps.with("update")).toEqual([`${NODE}-daemon`, `${NODE}-storage`, `${NODE}-vm`]);
      expect(steps.diffs.filter((line) => /replace|delete/.test(line))).toEqual([]);
      expect(steps.warnings.join("\n")).toMatch(
        /nodes\.proj-docker02\.volumes\.research-data\.labels: .* steward is unset, declared astronomy/,
      );
      expect(await shell.root(identity)).toBe(before);
      expect(await shell.root(`cat ${research}`)).toBe("irreplaceable");
      expect(await shell.root("docker run --rm busybox:lab sh -c 'ulimit -n'")).toBe("32768");
      expect(
        Number(await shell.root("df --output=size -BG /var/lib/docker | tail -1 | tr -dc 0-9")),
      ).toBeGreaterThan(105);
      expect(await shell.inspect("observatory-secondary")).toMatchObject({ Driver: "bridge" });
    },
  );

  step(
    "a container on that network has an address in its IPv6 subnet, and a route by its gateway",
    async () => {
      const said = await shell.root(
        "docker run --rm --network observatory-secondary busybox:lab cat /proc/net/if_inet6 /proc/net/ipv6_route",
      );
      expect(said).toMatch(/^fd25002800000000[0-9a-f]{16} .* eth0$/m);
      expect(said).toMatch(/^0{32} 00 0{32} 00 fd250028(0{4}){5}0001 .* eth0$/m);
    },
  );

  step("nothing is left to do afterwards", async () => {
    await stack.refresh({ ...quiet, expectNoChanges: true });
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("a setting the daemon does not start with is rolled back by itself", async () => {
    const docker = await shell.dockerInfo<string>(".ServerVersion");
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
    ).toBe(`active\n${docker}`);
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
      const { [NODE]: earlier } = await readNodes(stack);
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
      const { [NODE]: later } = await readNodes(stack);
      expect(later?.agentFingerprint).toBe(await fingerprintOf(lab.forwards["2019"]?.agent ?? 0));
      expect(later?.agentFingerprint).not.toBe(earlier?.agentFingerprint);
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
    const { result: steps, found } = await searchDuring(shell, canaries, (seen) =>
      upSteps(stack, seen),
    );
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

/** Where the node is from here on; the rules are for ports that a person opens meanwhile. */
const MOVED = {
  address: "10.25.20.26/24",
  vlan: 21,
  ipv6: { address: "fd25:20::26/64" },
  nics: [{ vlan: 40, address: "10.25.40.26/24" }],
  firewall: {
    rules: [
      { port: "8088", comment: "a container's" },
      { port: "8089", source: "fd25:20::/64", comment: "another's" },
    ],
  },
};

step(
  "another address, VLAN and rules reach the node in one up, and it is reached there",
  async () => {
    const machine = { cpu: { cores: 8 }, dockerDisk: { sizeGiB: 110 } };
    const { [NODE]: earlier } = await readNodes(stack);
    process.env.DOCKER_NODE_DRIFT = "";
    const steps = await up({ nodes: { [NODE]: { machine, network: MOVED } } }).finally(() => {
      process.env.DOCKER_NODE_DRIFT = "off";
    });
    expect(steps.with("update")).toEqual(
      expect.arrayContaining(["firewall", "firewall-rules", "vm"].map((s) => `${NODE}-${s}`)),
    );
    expect(steps.diffs.filter((line) => /^(replace|delete).*-vm:/.test(line))).toEqual([]);
    expect(await proxmox.vm(2019)).toMatchObject({
      net0: expect.stringMatching(/tag=21/) as unknown,
      ipconfig0: expect.stringContaining("ip=10.25.20.26/24") as unknown,
    });
    const { [NODE]: later } = await readNodes(stack);
    expect(later).toMatchObject({
      ...{ address: "10.25.20.26", hostKey: earlier?.hostKey },
      agentUrl: "https://10.25.20.26:9001",
      agentFingerprint: await fingerprintOf(lab.forwards["2019"]?.agent ?? 0),
    });
    const addresses = "ip -4 -o addr show dev eth0 scope global | awk '{ print $4 }'";
    expect(await shell.root(addresses)).toBe("10.25.20.26/24");
    expect(await shell.root("ss -Hltn 'sport = :9001' | awk '{ print $4 }'")).toBe(
      "10.25.20.26:9001",
    );
    expect(await shell.root("nft list table inet docker_node")).toMatch(/proto-dst 8088\b/);
    expect(await shell.root("docker exec survivor cat /data/file")).toBe("precious");
    await stack.up({ ...quiet, expectNoChanges: true });
  },
);

step(
  "a further NIC and an IPv6 address have come with it, and the way out is as before",
  async () => {
    expect(await proxmox.vm(2019)).toMatchObject({
      net1: expect.stringMatching(/(?=.*bridge=vmbr0)(?=.*firewall=1).*tag=40/) as unknown,
      ipconfig0: expect.stringContaining("ip6=fd25:20::26/64") as unknown,
      ipconfig1: "ip=10.25.40.26/24",
    });
    const addressesOf = (nic: string): Promise<string> =>
      shell.root(`ip -o addr show dev ${nic} scope global | awk '{ print $4 }'`);
    expect(await addressesOf("eth0")).toBe("10.25.20.26/24\nfd25:20::26/64");
    expect(await addressesOf("eth1")).toBe("10.25.40.26/24");
    expect(await shell.root("ip route show default | awk '{ print $3, $5 }'")).toBe(
      "10.25.20.1 eth0",
    );
    // cloud-init gives every NIC the name servers.
    const servers = (nic: string): Promise<string> =>
      shell.root(`resolvectl dns ${nic} | sed 's/^[^:]*: *//'`);
    expect(await servers("eth0")).not.toBe("");
    expect(await servers("eth1")).toBe("");
    expect(await shell.root("nft list table inet docker_node")).toMatch(
      /ip6 saddr fd25:20::\/64 .*proto-dst 8089 accept/,
    );
    const { [NODE]: now } = await readNodes(stack);
    expect(now).toMatchObject({ address: "10.25.20.26", ipv6Address: "fd25:20::26" });
  },
);

step("a machine that exists already is adopted by another stack, and goes on", async () => {
  // As if made by hand: no firewall of ours at its NIC, and no state that knows it. Without its rules the firewall, if on,
  // would let nobody in.
  await proxmox.put("/nodes/pve01/qemu/2019/firewall/options", { enable: "0" });
  for (let rule = 0; rule < 5; rule++)
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
  const bare = {
    machine,
    network: MOVED,
    portainer: null,
    backups: null,
    volumes: null,
    networks: none,
  };
  const override = {
    proxmox: { backupStorage: null },
    defaults: { portainer: null },
    nodes: { [NODE]: bare },
  };
  const adopted = await openStack(lab, override, "adopt");
  const steps = await upSteps(adopted);
  expect(steps.with("create")).not.toContain(`${NODE}-vm`);
  expect(steps.diffs.filter((line) => /^(replace|delete|create-replacement)/.test(line))).toEqual(
    [],
  );
  expect(await shell.root(running)).toBe(before);
  await adopted.up({ ...quiet, expectNoChanges: true });
  await adopted.workspace.removeStack("adopt", { force: true });
});
