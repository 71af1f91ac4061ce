/*
 * A node with Docker 29 out of Docker's own repository, as production has it: the lab's copy of that repository holds upstream's
 * programs. Downgraded and upgraded by one change of the configuration, its containers running on.
 */
import { existsSync } from "node:fs";
import type { Stack } from "@pulumi/pulumi/automation";
import { loadSettings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { labConfig, pinnedName } from "../../lab/lib/config";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { readNodes } from "../../lab/lib/reach";
import { NETWORK, removeLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import { renderScript } from "../../node/scripts";
import { daemonStep } from "../../node/steps";
import { firewall } from "./hardened";
import { Life } from "./life";
import { Shell, log, processesWith, waitFor, quiet, upSteps, type Steps } from "./support";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const [OLD, NEW] = ["29.8.0", "29.8.1"];
const OFFICIAL =
  "containerd.io docker-buildx-plugin docker-ce docker-ce-cli docker-compose-plugin".split(" ");
const here = openInstance("official");
let lab: Lab;
let stack: Stack;
let shell: Shell;
const life = new Life();
const { step } = life;

type Tree = Record<string, unknown>;

/** The node with a release of Docker and these keys of daemon.json. */
const docker = (version: string, daemon: Tree = {}): Tree => ({
  nodes: { [NODE]: { engine: { source: "official", version, daemon } } },
});

async function up(override: Tree): Promise<Steps> {
  stack = await openStack(lab, override);
  return upSteps(stack);
}

/** Client, daemon, and each package with its version. */
const installed = async (): Promise<string[]> => {
  const versions = "docker version -f '{{.Client.Version}} {{.Server.Version}}'";
  const packages = `dpkg-query -W -f '\${db:Status-Want} \${Package} \${Version}\\n' ${OFFICIAL.join(" ")}`;
  return (await shell.root(`${versions}; ${packages}`)).split("\n");
};

const expected = (release: string): string[] => [
  `${release} ${release}`,
  "hold containerd.io 2.3.5-1~debian.13~trixie",
  "hold docker-buildx-plugin 0.37.0-1~debian.13~trixie",
  `hold docker-ce 5:${release}-1~debian.13~trixie`,
  `hold docker-ce-cli 5:${release}-1~debian.13~trixie`,
  "hold docker-compose-plugin 5.5.1-1~debian.13~trixie",
];

/** A container's process, and since when. */
const identity = (name = "survivor"): Promise<string> =>
  shell.root(`docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' ${name}`);

/** Serves "hello" on a port of the node. */
const serve = (name: string, port: number): Promise<string> =>
  shell.root(
    `docker run -d --init --name ${name} --restart unless-stopped -p 127.0.0.1:${port}:80 busybox:lab sh -c 'mkdir /www; echo hello >/www/index.html; exec httpd -f -h /www' >/dev/null`,
  );

const hello = (port: number): Promise<string> =>
  shell.root(`curl -fsS --retry 5 --retry-all-errors http://127.0.0.1:${port}/`);

/** Names of the containers of which cAdvisor has metrics. */
async function measured(): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${lab.forwards["2019"]?.containers}/metrics`);
  const samples = (await answer.text()).matchAll(
    /^container_memory_working_set_bytes\{.*\bname="([^"]+)"/gm,
  );
  return [...samples].map(([, name = ""]) => name).sort();
}

/** Registries that dockerd asks without TLS, its own loopback left aside. */
async function withoutTls(): Promise<string[]> {
  const known = await shell.dockerInfo<Record<string, { Secure: boolean }>>(
    ".RegistryConfig.IndexConfigs",
  );
  return Object.keys(known).filter((name) => !known[name]?.Secure);
}

const FILE = "/etc/docker/daemon.json";

/** What the step's own script says when it fails with this daemon.json, which the configuration would refuse. */
async function complaintAbout(file: Tree): Promise<string> {
  const node = loadSettings(labConfig(lab) as never).nodes[NODE] as NodeConfig;
  const { script, variables } = daemonStep(node);
  const given = renderScript(script, { ...variables, DAEMON_JSON: JSON.stringify(file) });
  // An error has only the last lines, and the journal's come after the reason.
  await expect(shell.root(`exec 2>/run/said\n${given}`)).rejects.toThrow(/ended with 1/);
  return shell.root("cat /run/said; rm /run/said");
}

const warnings = (): Promise<string[] | null> => shell.dockerInfo<string[] | null>(".Warnings");

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
});

afterAll(() => life.end(here));

describe("brought up", () => {
  step("has Docker's own packages, at the declared release and held", async () => {
    stack = await openStack(lab);
    const { [NODE]: node } = await readNodes(stack);
    expect(node?.engineVersion).toBe(NEW);
    shell = new Shell(lab, NODE, node?.hostKey ?? "");
    expect(await installed()).toEqual(expected(NEW));
    expect(
      await shell.root("dpkg -l docker.io containerd runc 2>/dev/null | grep ^ii || true"),
    ).toBe("");
  });

  step("runs what daemon.json declares, and finds nothing to warn of", async () => {
    const info = await shell.dockerInfo<Tree>();
    expect(info).toMatchObject({
      Driver: "overlay2",
      DriverStatus: expect.arrayContaining([["Backing Filesystem", "xfs"]]) as unknown,
      CgroupDriver: "systemd",
      LiveRestoreEnabled: true,
      FirewallBackend: { Driver: "iptables" },
      DockerRootDir: expect.stringMatching(/^\/var\/lib\/docker\/\d+\.\d+$/) as unknown,
      ContainerdCommit: { ID: expect.stringMatching(/./) as unknown },
      InitBinary: "docker-init",
      SecurityOptions: expect.arrayContaining([
        // 29.8 tells its profile as well.
        expect.stringMatching(/^name=apparmor(,profile=default)?$/),
        "name=userns",
        "name=no-new-privileges",
        "name=seccomp,profile=builtin",
      ]) as unknown,
    });
    expect((await warnings()) ?? []).toEqual([]);
    // Before its verdict 29.8 logs what follows from userns-remap.
    const verdict = await shell.root(
      "dockerd --validate --config-file /etc/docker/daemon.json 2>&1 | grep -v ^time=",
    );
    expect(verdict).toBe("configuration OK");
    expect(
      await shell.root(
        "systemctl is-enabled docker containerd; systemctl is-active docker containerd",
      ),
    ).toBe("enabled\nenabled\nactive\nactive");
    expect(await shell.root("docker buildx version; docker compose version --short")).toMatch(
      /^github\.com\/docker\/buildx v0\.37\.0.*\n5\.5\.1$/,
    );
  });

  step("runs the agent, the backups and a workload, with its init and its limits", async () => {
    expect(await shell.root("docker ps --format '{{.Names}} {{.Status}}' | sort")).toMatch(
      /^docker_node_backup Up .*\nportainer_agent Up /,
    );
    await shell.pullBusybox();
    await serve("survivor", 8080);
    expect(await hello(8080)).toBe("hello");
    const inside = await shell.root(
      "docker run --rm busybox:lab sh -c 'ulimit -n; grep -E \"^(NoNewPrivs|Seccomp):\" /proc/self/status; cat /proc/self/attr/current'",
    );
    expect(inside).toMatch(/^65536\nNoNewPrivs:\s+1\nSeccomp:\s+2\ndocker-default \(enforce\)/);
  });

  step("a second up and a refresh change nothing", async () => {
    const steps = await upSteps(stack);
    expect(steps.diffs).toEqual([]);
    await stack.refresh({ ...quiet, expectNoChanges: true });
  });
});

describe("another release, by one change of the configuration", () => {
  step("is installed while containers run on", async () => {
    const before = await identity();
    const steps = await up(docker(OLD));
    expect(steps.with("update")).toEqual([
      `${NODE}-agent-certificate`,
      `${NODE}-hardening`,
      `${NODE}-install`,
    ]);
    expect(await installed()).toEqual(expected(OLD));
    expect(await identity()).toBe(before);
    expect(await shell.root("docker exec survivor echo alive")).toBe("alive");
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("an unattended upgrade has the newer release before it, and leaves it", async () => {
    const offered = await shell.root("apt-get update -q >/dev/null; apt-cache policy docker-ce");
    expect(offered).toContain(`5:${NEW}-1~debian.13~trixie 500`);
    const log = await shell.root("unattended-upgrade --debug 2>&1");
    expect(log).toMatch(/^Allowed origins are: .*label=Debian-Security/m);
    expect(log).toMatch(/^Marking not allowed .*docker_linux_debian/m);
    expect(await installed()).toEqual(expected(OLD));
  });

  step("and so is the newer one, the way back", async () => {
    const before = await identity();
    await up(docker(NEW));
    expect(await installed()).toEqual(expected(NEW));
    expect(await identity()).toBe(before);
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("one that is not to be had is refused, with what there is", async () => {
    await expect(up(docker("29.9"))).rejects.toThrow(
      /no version of docker-ce satisfies '29\.9'[^]*available: 5:29\.8\.1-1~debian\.13~trixie, 5:29\.8\.0/,
    );
    expect(await installed()).toEqual(expected(NEW));
  });
});

describe("registries of a daemon that runs", () => {
  const registry = `${NETWORK.registry}:5000`;

  step("one that --validate takes and a reload refuses is rolled back, and said why", async () => {
    const [before, survivor] = [await shell.root(`cat ${FILE}`), await identity()];
    const bad = { "insecure-registries": [registry, "registry.example.org:65536"] };
    const file = { ...(JSON.parse(before) as Tree), ...bad };
    const validate = `cat >/run/bad.json <<'JSON'
${JSON.stringify(file)}
JSON
dockerd --validate --config-file /run/bad.json 2>&1 | grep -v ^time=; rm /run/bad.json`;
    expect(await shell.root(validate)).toBe("configuration OK");
    expect(await complaintAbout(file)).toMatch(
      /: rolled back: .*Error reconfiguring the daemon.*registry\.example\.org:65536 is not valid/,
    );
    expect(await shell.root(`cat ${FILE}`)).toBe(before);
    expect(await withoutTls()).toEqual([registry]);
    expect(await identity()).toBe(survivor);
  });

  step("one that is no longer declared is no longer asked without TLS", async () => {
    const steps = await up(docker(NEW, { "insecure-registries": null }));
    expect(steps.with("update")).toEqual([`${NODE}-daemon`]);
    expect(await withoutTls()).toEqual([]);
  });
});

describe("what came with Docker 29", () => {
  step("the oldest API a client may speak", async () => {
    const steps = await up(docker(NEW, { "min-api-version": "1.44" }));
    expect(steps.with("update")).toEqual([`${NODE}-daemon`]);
    const asked = (version: string): Promise<string> =>
      shell.root(
        `curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/docker.sock http://docker/v${version}/info`,
      );
    expect([await asked("1.43"), await asked("1.44")]).toEqual(["400", "200"]);
  });

  step("nftables filters, and ports are reached as before", async () => {
    const before = await identity();
    await up(docker(NEW, { "firewall-backend": "nftables" }));
    expect(await shell.dockerInfo(".FirewallBackend.Driver")).toBe("nftables");
    expect(await shell.root("nft list tables | grep -c docker-bridges")).not.toBe("0");
    expect(await identity()).toBe(before);
    await serve("fresh", 8081);
    expect(await hello(8081)).toBe("hello");
    await shell.root("docker rm -f fresh >/dev/null");
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("and after a boot, with nothing but Docker's forwarded", async () => {
    const whole = await firewall.table(shell);
    const boot = await shell.root("cat /proc/sys/kernel/random/boot_id");
    await shell.root("systemd-run --on-active=1 systemctl reboot 2>/dev/null");
    await waitFor(
      async () =>
        (await shell.root("cat /proc/sys/kernel/random/boot_id")) !== boot &&
        (await shell.root("docker inspect -f '{{.State.Running}}' survivor portainer_agent")) ===
          "true\ntrue",
    );
    expect(await shell.root("cat /proc/sys/net/ipv4/ip_forward")).toBe("1");
    expect(await shell.root("nft list chain inet docker-node-forward forward")).toMatch(
      /policy drop;[^]*iifkind "bridge" accept/,
    );
    expect(await firewall.table(shell)).toBe(whole);
    expect(await hello(8080)).toBe("hello");
  });

  step("back to iptables, which drops by itself", async () => {
    await up(docker(NEW));
    expect(await shell.dockerInfo(".FirewallBackend.Driver")).toBe("iptables");
    expect(
      await shell.root("iptables -S FORWARD | head -1; cat /proc/sys/net/ipv4/ip_forward"),
    ).toBe("-P FORWARD DROP\n1");
    expect(await shell.root("nft list tables")).not.toContain("docker-node-forward");
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

describe("the containerd image store, Docker 29's own default", () => {
  const daemon = { "userns-remap": null, "storage-driver": null, "storage-opts": null };
  const engine = { source: "official", version: NEW, daemon };

  step("hides what there is, and is refused for it", async () => {
    await expect(up({ nodes: { [NODE]: { engine } } })).rejects.toThrow(
      /this would hide \d+ containers/,
    );
    expect(await shell.dockerInfo(".Driver")).toBe("overlay2");
    await up(docker(NEW));
  });

  step("is there when that is confirmed, and all that is declared is made anew", async () => {
    const confirmed = { nodes: { [NODE]: { engine: { ...engine, confirm: "hide-existing" } } } };
    await up(confirmed);
    await stack.up({ ...quiet, refresh: true });
    expect(await shell.dockerInfo(".Driver")).toBe("overlayfs");
    expect(await shell.dockerInfo(".DriverStatus")).toContainEqual([
      "driver-type",
      "io.containerd.snapshotter.v1",
    ]);
    expect(await shell.root("docker ps --format '{{.Names}}' | sort")).toBe(
      "docker_node_backup\nportainer_agent",
    );
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("cAdvisor knows every container there by its name", async () => {
    const { cadvisor: image, haproxy } = lab.images;
    const cadvisor = { image: pinnedName(image), proxy: { image: pinnedName(haproxy) } };
    const monitoring = { scrapers: [NETWORK.host], cadvisor };
    await up({
      nodes: { [NODE]: { engine: { ...engine, confirm: "hide-existing" }, monitoring } },
    });
    const running = (await shell.root("docker ps --format '{{.Names}}' | sort")).split("\n");
    expect(running).toContain("docker_node_cadvisor");
    const complete = async (): Promise<boolean> => (await measured()).join() === running.join();
    await waitFor(complete).catch(() => undefined);
    expect(await measured()).toEqual(running);
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

step("destroy leaves no machine and no process", async () => {
  await stack.destroy(quiet);
  await removeLab(here);
  expect(existsSync(here.stateDir)).toBe(false);
  expect(processesWith(here.stateDir)).toEqual([]);
});
