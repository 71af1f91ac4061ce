/*
 * Monitoring with the real Prometheus, Alertmanager and cAdvisor. Every alert that a test can bring about is brought about on the
 * node; the contract's rules are used without their `for`, which promtool tests (test/unit/monitoring-alerts.test.ts).
 */
import { existsSync } from "node:fs";
import type { Stack } from "@pulumi/pulumi/automation";
import { ask } from "../../clients/process";
import { CADVISOR_CONTAINER, PROXY_CONTAINER } from "../../config/monitoring";
import type { Contract } from "../../contract/schema";
import { pinnedName } from "../../lab/lib/config";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { NETWORK, removeLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import type { NodeFacts } from "../../lab/lib/summary";
import { metricsIn, queries, rules } from "../support/monitoring";
import { Life } from "./life";
import { Prometheus } from "./prometheus";
import { partOfReport } from "./report-page";
import { Shell, log, processesWith, waitFor, quiet, upSteps } from "./support";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("monitoring");
const life = new Life();
const { step } = life;

let lab: Lab;
let stack: Stack;
let shell: Shell;
let prometheus: Prometheus;
let targets: NonNullable<Contract["monitoringTargets"]>;
let busybox: string;

/** The node with everything monitored, read from one address. */
const monitored = (scraper: string): Record<string, unknown> => {
  const { cadvisor: image, haproxy } = lab.images;
  const cadvisor = { image: pinnedName(image), proxy: { image: pinnedName(haproxy) } };
  const monitoring = { scrapers: [scraper], nodeExporter: {}, cadvisor, docker: {}, health: {} };
  return { nodes: { [NODE]: { monitoring } } };
};

async function up(override: Record<string, unknown>): Promise<void> {
  stack = await openStack(lab, override);
  await stack.up(quiet);
}

/** What Prometheus reads, as `containers up`. */
const seen = async (): Promise<string[]> =>
  (await prometheus.targets())
    .map(({ labels, health }) => `${labels.measures ?? ""} ${health}`)
    .sort();
const ALL_UP = ["containers up", "docker up", "node up"];
const ALL_DOWN = ALL_UP.map((one) => one.replace("up", "down"));

const waitSeen = (wanted: readonly string[]): Promise<void> =>
  waitFor(async () => (await seen()).join() === wanted.join());

/** Containers of which the node's cAdvisor has a metric. */
async function named(metric: string): Promise<string[]> {
  const samples = await prometheus.query(`${metric}{name!="",node="${NODE}"}`);
  return [...new Set(samples.map(({ metric: { name = "" } }) => name))].sort();
}

/** What timers do, at once. */
const HEALTH = "systemctl start docker-node-health.service";
const DRIFT = "systemctl start docker-node-drift.service";

type Labels = Readonly<Record<string, string>>;

/** Waits until an alert of the node fires; with causes, for each of them one that has its labels. All that fire of its name. */
async function fires(
  alert: string,
  causes: readonly Labels[] = [{}],
  seconds?: number,
): Promise<Labels[]> {
  let found: Labels[] = [];
  const has = (wanted: Labels): boolean =>
    found.some((labels) => Object.entries(wanted).every(([name, value]) => labels[name] === value));
  await waitFor(async () => {
    found = await prometheus.alerts(alert);
    return causes.every((wanted) => has({ node: NODE, ...wanted }));
  }, seconds).catch(() => {
    throw new Error(`${alert} does not fire so: ${JSON.stringify({ causes, found })}`);
  });
  return found;
}

const ends = (alert: string): Promise<void> =>
  waitFor(async () => (await prometheus.alerts(alert)).length === 0);

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  prometheus = new Prometheus(lab);
});

afterAll(async () => {
  await prometheus.stop();
  await life.end(here);
});

describe("declared", () => {
  step("one up sets it up, a second changes nothing", async () => {
    await up(monitored(NETWORK.host));
    const outputs = await stack.outputs();
    targets = outputs.monitoringTargets?.value as typeof targets;
    const { [NODE]: node } = outputs.nodes?.value as NodeFacts;
    shell = new Shell(lab, NODE, node?.hostKey ?? "");
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step("its containers are on layers of root's alone", async () => {
    const layers = "{{.GraphDriver.Data.LowerDir}}:{{.GraphDriver.Data.UpperDir}}";
    const folders = `docker inspect -f '${layers}' docker_node_cadvisor docker_node_socket_proxy | tr : '\\n' | sed 's|/diff$||'`;
    expect(await shell.root(`${folders} | xargs stat -c '%U:%G %a' | sort -u`)).toBe(
      "root:root 700",
    );
  });

  step("Prometheus reads every target of the stack's output", async () => {
    expect(targets.map(({ labels }) => labels.measures).sort()).toEqual(
      ALL_UP.map((one) => one.split(" ")[0]),
    );
    await prometheus.start(targets);
    await waitSeen(ALL_UP);
  });

  step("cAdvisor tells of every container by its name, and of nothing it may not see", async () => {
    const running = (await shell.root("docker ps --format '{{.Names}}' | sort")).split("\n");
    // It looks every half minute.
    const network = "container_network_receive_bytes_total";
    await waitFor(async () => (await named(network)).includes("portainer_agent"));
    for (const metric of [
      "container_memory_working_set_bytes",
      "container_cpu_usage_seconds_total",
    ])
      expect(await named(metric)).toEqual(running);
    const health = (container: string): Promise<string> =>
      shell.root(`docker inspect -f '{{.State.Health.Status}}' ${container}`);
    for (const container of [CADVISOR_CONTAINER, PROXY_CONTAINER])
      await waitFor(async () => (await health(container)) === "healthy");
  });

  step("of Docker cAdvisor reaches what it reads, by the proxy alone", async () => {
    // As cAdvisor itself: its root, its user, no capability.
    const pid = await shell.root(`docker inspect -f '{{.State.Pid}}' ${CADVISOR_CONTAINER}`);
    const proxy = await shell.root(`docker inspect -f '{{.State.Pid}}' ${PROXY_CONTAINER}`);
    const act = `setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --`;
    const socket = `/proc/${pid}/root/run/socket-proxy/docker.sock`;
    const ask = (request: string): string =>
      `${act} curl -s -o /dev/null -w '%{http_code}\n' --unix-socket ${socket} ${request}`;
    const id = await shell.root("docker inspect -f '{{.Id}}' portainer_agent");
    const requests = [
      "http://d/info",
      `http://d/containers/${id}/json`,
      "http://d/containers/json",
      `http://d/containers/${id}/archive?path=/`,
      `-X POST http://d/containers/${id}/exec`,
      `-X POST http://d/containers/${id}/json`,
    ];
    const answers = await shell.root(requests.map(ask).join("\n"));
    expect(answers.split("\n")).toEqual(["200", "200", "403", "403", "403", "403"]);
    expect(
      await shell.root(`${act} ls /proc/${proxy}/root/var/run/docker.sock 2>&1 || true`),
    ).toContain("Permission denied");
  });
});

describe("changed by hand", () => {
  const HEALTH_JOB = "/usr/local/lib/docker-node/health";
  const DROP_IN = "/etc/systemd/system/prometheus-node-exporter.service.d/10-docker-node.conf";
  const digest = (): Promise<string> => shell.root(`sha256sum <${HEALTH_JOB} | cut -c 1-64`);
  let declared = "";

  afterAll(() => {
    process.env.DOCKER_NODE_DRIFT = "off";
  });

  step("plan --drift names node-exporter's file and the health job's, by digest", async () => {
    declared = await digest();
    await shell.root(
      `sed -i 's/^MemoryMax=.*/MemoryMax=1G/' ${DROP_IN}; echo 'echo typed by hand' >>${HEALTH_JOB}`,
    );
    const args = ["commands/docker-node.mjs", "plan", "--stack", "lab", "--drift"];
    const env = { ...cliEnv(lab), DOCKER_NODE_DRIFT: "" };
    const { code, stdout, stderr } = await ask({ program: process.execPath, args, env });
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(
      `${DROP_IN} MemoryMax: 1G on the node, 128M as declared; up puts it right`,
    );
    expect(stdout).toContain(
      `${HEALTH_JOB} sha256: ${await digest()} on the node, ${declared} as declared`,
    );
    expect(stdout).not.toContain("typed by hand");
  });

  step("up puts both right by that step alone, and leaves nothing to do", async () => {
    process.env.DOCKER_NODE_DRIFT = "";
    const steps = await upSteps(stack);
    expect(steps.with("update")).toEqual([`${NODE}-monitoring-node`]);
    expect(await digest()).toBe(declared);
    expect(await shell.root(`grep MemoryMax ${DROP_IN}`)).toBe("MemoryMax=128M");
    expect(await shell.root("systemctl show -p MemoryMax --value prometheus-node-exporter")).toBe(
      String(128 * 1024 ** 2),
    );
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

describe("alerts and dashboard", () => {
  step("every metric that they name is there", async () => {
    const image = pinnedName(lab.images.busybox);
    busybox = image;
    await shell.root(`docker pull -q ${image} >/dev/null`);
    for (const kind of ["volumes", "configuration", "images"])
      await shell.root(`docker exec docker_node_backup backup ${kind}`);
    await shell.root(`${HEALTH}; ${DRIFT}`);
    const named = [...rules.map(({ expr }) => expr), ...queries].flatMap(metricsIn);
    const counts = [...new Set(named)].map((name) => `count(${name}{node="${NODE}"})`);
    const absent = (): Promise<string[]> => prometheus.findingNothing(counts);
    await waitFor(async () => (await absent()).length === 0, 60).catch(() => undefined);
    expect(await absent()).toEqual([]);
  });

  step("every query of the dashboard finds data", async () => {
    const panels = queries.map((query) => query.replaceAll("$node", NODE));
    expect(await prometheus.findingNothing(panels)).toEqual([]);
  });

  step("nothing is told of a node in order, but what a lab cannot have", async () => {
    const firing: string[] = [];
    for (const { alert } of rules)
      if ((await prometheus.alerts(alert)).length > 0) firing.push(alert);
    // Emulated processors are busy, the memory is a sixteenth, and there is no time server.
    const lacks = ["DockerNodeCpuHigh", "DockerNodeMemoryHigh", "DockerNodeClockAlone"];
    expect(firing.filter((alert) => !lacks.includes(alert))).toEqual([]);
  });

  step("a clock that follows no time server is told: a lab has none", async () => {
    expect(await fires("DockerNodeClockAlone")).toHaveLength(1);
  });
});

/** A run under way holds the lock: the catch-up of every hour waits for it, and writes nothing about backups meanwhile. */
const LOCK = "/var/lib/docker-node/backup/lock";
const HOLD_BACKUPS = `
systemd-run --quiet --unit held flock ${LOCK} sh -c 'touch /run/held; exec sleep infinity'
until [[ -e /run/held ]]; do sleep 1; done`;

/** What goes wrong, by the alert that has to tell it, with labels by which it is recognised. */
const FAULTS: Readonly<Record<string, { script: () => string; labels?: Labels }>> = {
  // First: with the others the node is so busy that it takes minutes to be looked at.
  DockerNodeChangedByHand: {
    script: () => `sed -i '1s/{/{"debug": true,/' /etc/docker/daemon.json; ${DRIFT}`,
  },
  DockerNodeContainerUnhealthy: {
    script: () =>
      `docker run -d --name sick --health-cmd false --health-interval 5s --health-retries 1 ${busybox} sleep 9999`,
    labels: { container: "sick" },
  },
  DockerNodeContainerRestarting: {
    script: () =>
      "docker start loop; until (($(docker inspect -f '{{.RestartCount}}' loop) > 3)); do sleep 1; done",
    labels: { container: "loop" },
  },
  DockerNodeContainerDown: {
    script: () =>
      `docker run -d --name gone --restart unless-stopped ${busybox} sleep 9999; docker stop -t 0 gone`,
    labels: { container: "gone" },
  },
  DockerNodeContainerMemoryHigh: {
    script: () =>
      `docker run -d --name fat -m 64m --shm-size 64m ${busybox} sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=58; sleep 9999'`,
    labels: { name: "fat" },
  },
  DockerNodeDiskFull: {
    script: () =>
      "truncate -s 16M /root/small.img; mkfs.ext4 -q -N 32 /root/small.img; mkdir /srv/small; mount -o loop /root/small.img /srv/small; dd if=/dev/zero of=/srv/small/x bs=1M 2>/dev/null || true",
    labels: { mountpoint: "/srv/small" },
  },
  DockerNodeInodesFull: {
    script: () => "touch /srv/small/{1..40} 2>/dev/null || true",
    labels: { mountpoint: "/srv/small" },
  },
  DockerNodeRebootNeeded: { script: () => "touch /run/reboot-required" },
  // The clock goes on: that a backup is old is written where the backup container writes it.
  DockerNodeBackupOld: {
    script: () =>
      `sed -i -E 's/^(docker_node_backup_last_success_timestamp_seconds.* )[0-9.e+]+$/\\1'$(( $(date +%s) - 900000 ))'/' ${BACKUPS}`,
    labels: { kind: "volumes" },
  },
  DockerNodeBackupFailed: {
    script: () => `sed -i -E 's/^(docker_node_backup_last_result\\{.*\\}) .*/\\1 0/' ${BACKUPS}`,
  },
  // In the agent's place there is a service with a certificate of five days.
  DockerNodeCertificateEnds: {
    script: () =>
      `docker stop portainer_agent; cd /root; openssl req -x509 -newkey ed25519 -nodes -days 5 -subj /CN=a -keyout short.key -out short.pem 2>/dev/null
       systemd-run --quiet --unit short openssl s_server -accept 10.25.20.24:9001 -key /root/short.key -cert /root/short.pem -www`,
    labels: { service: "portainer-agent" },
  },
};
const BACKUPS = "/var/lib/docker-node/backup/metrics/docker_node_backup.prom";

const UNDONE = `
docker rm -f sick loop gone fat; umount /srv/small; rmdir /srv/small; rm -f /root/small.img /run/reboot-required
sed -i 's/"debug": true,//' /etc/docker/daemon.json
systemctl stop short held; rm -f /root/short.* /run/held; docker start portainer_agent
for kind in volumes configuration images; do docker exec docker_node_backup backup $kind; done
${HEALTH}; ${DRIFT}`;

/** Leaves 15 % of the memory. */
const FILL_MEMORY = `
mkdir /srv/full; mount -t tmpfs -o size=95% full /srv/full
left=$(awk '/^MemTotal:/ { total = $2 } /^MemAvailable:/ { free = $2 } END { print int(free - 0.15 * total) }' /proc/meminfo)
((left <= 0)) || head -c "\${left}K" /dev/zero >/srv/full/x`;
const FREE_MEMORY = "umount /srv/full; rmdir /srv/full";

/** Keeps every processor busy, in groups that give way to all others. */
const BURN =
  "for each in $(seq $(nproc)); do systemd-run --quiet --unit busy-$each --property CPUWeight=idle sh -c 'while :; do :; done'; done";
const STOP_BURNING = "systemctl stop 'busy-*'";

describe("what goes wrong is told by Alertmanager", () => {
  step("all of it at once", async () => {
    // Restarts count from what was read before them.
    await shell.root(
      `docker create --name loop --restart always ${busybox} false >/dev/null; ${HEALTH}`,
    );
    const read = 'docker_node_container_restarts_total{container="loop"}';
    await waitFor(async () => (await prometheus.query(read)).length > 0);
    await shell.root(HOLD_BACKUPS);
    for (const { script } of Object.values(FAULTS)) await shell.root(`(${script()}) >/dev/null`);
    await shell.root(HEALTH);
  });

  for (const [alert, { labels = {} }] of Object.entries(FAULTS))
    step(alert, async () => {
      await fires(alert, [labels]);
    });

  step("and by docker-node report", async () => {
    const text = await partOfReport(lab, NODE, "alerts", ["--prometheus", prometheus.url]);
    for (const alert of Object.keys(FAULTS)) expect(text).toContain(`✗ ${alert} `);
    expect(text).toContain(`critical ${NODE}: the health check of sick fails`);
  });

  step("mended, it ends", async () => {
    await shell.root(`(${UNDONE}) >/dev/null`);
    // Restarts are counted over a quarter of an hour.
    for (const alert of Object.keys(FAULTS))
      if (alert !== "DockerNodeContainerRestarting") await ends(alert);
  });

  step("memory and processors that are nearly all used", async () => {
    await shell.root(FILL_MEMORY);
    await fires("DockerNodeMemoryHigh");
    await shell.root(FREE_MEMORY);
    await shell.root(BURN);
    // It is a mean of five minutes.
    await fires("DockerNodeCpuHigh", [{}], 480);
    await shell.root(STOP_BURNING);
    await waitSeen(ALL_UP);
  });

  step("a dockerd that is down, by the metrics of the node", async () => {
    await shell.root(`systemctl stop docker.socket docker.service; ${HEALTH}`);
    expect(await fires("DockerNodeDockerDown")).toMatchObject([{ node: NODE }]);
    await fires("DockerNodeUnseen", [{ measures: "docker" }]);
    await shell.root(`systemctl start docker.socket docker.service; ${HEALTH}`);
    await ends("DockerNodeDockerDown");
    await waitSeen(ALL_UP);
  });

  step("health that nobody writes any more", async () => {
    const file = "/var/lib/prometheus/node-exporter/docker_node_health.prom";
    await shell.root(
      `systemctl stop docker-node-health.timer; sed -i -E 's/^(docker_node_health_timestamp_seconds) .*/\\1 '$(( $(date +%s) - 700 ))'/' ${file}`,
    );
    await fires("DockerNodeHealthUnknown");
    await shell.root(`systemctl start docker-node-health.timer; ${HEALTH}`);
    await ends("DockerNodeHealthUnknown");
  });
});

step("after a reboot everything answers again", async () => {
  const boot = await shell.root("cat /proc/sys/kernel/random/boot_id");
  await shell.root("systemd-run --on-active=1 systemctl reboot 2>/dev/null");
  const booted = async (): Promise<boolean> =>
    (await shell.root("cat /proc/sys/kernel/random/boot_id")) !== boot &&
    (await shell.root("systemctl is-active docker")) === "active";
  await waitFor(booted, 600);
  await waitSeen(ALL_UP);
  const since = Date.now() / 1000;
  const memory = 'timestamp(container_memory_working_set_bytes{name="portainer_agent"})';
  await waitFor(async () => (await prometheus.query(`${memory} > ${since}`)).length > 0);
  expect(await shell.root("systemctl show -p NRestarts --value docker")).toBe("0");
});

step("another address than the declared one reads nothing", async () => {
  await up(monitored("10.25.20.99"));
  // A connection that is open goes on.
  await prometheus.stop();
  await prometheus.start(targets);
  await waitSeen(ALL_DOWN);
  const errors = (await prometheus.targets()).map(({ lastError }) => lastError);
  expect(errors.filter((error) => !/deadline exceeded|connection reset|EOF/.test(error))).toEqual(
    [],
  );
  expect(await shell.root("curl -fsS http://10.25.20.24:9100/metrics | grep -c ^node_")).not.toBe(
    "0",
  );
  const unseen = targets.map(({ labels: { measures } }) => ({ measures }));
  expect(await fires("DockerNodeUnseen", unseen)).toHaveLength(3);
});

step("switched off, nothing of it is left", async () => {
  await up({});
  const left = `
    docker ps --all --format '{{.Names}}' | grep cadvisor
    dpkg-query -W -f '\${db:Status-Abbrev}\\n' prometheus-node-exporter | grep '^i'
    ls /usr/local/lib/docker-node /etc/systemd/system | grep -E 'health|drift|exporter'
    ls /var/lib/prometheus/node-exporter | grep docker_node
    grep metrics-addr /etc/docker/daemon.json
    ss -Hltn | grep -E ':(9100|9101|9323) '`;
  expect(await shell.root(`(${left}) 2>/dev/null || true`)).toBe("");
  await stack.up({ ...quiet, expectNoChanges: true });
});

step("destroy leaves no machine and no process", async () => {
  await prometheus.stop();
  await stack.destroy(quiet);
  await removeLab(here);
  expect(existsSync(here.stateDir)).toBe(false);
  expect(processesWith(here.stateDir)).toEqual([]);
});
