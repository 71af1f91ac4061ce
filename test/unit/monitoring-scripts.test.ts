import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { cadvisorArgs } from "../../components/platform/cadvisor";
import { PROXY_SOCKET, socketProxyArgs } from "../../components/platform/socket-proxy";
import { describeDifference, parseChecks, renderChecks } from "../../node/checks";
import { monitoringStep } from "../../node/monitoring";
import { monitoringCheck } from "../../node/monitoring-check";
import { renderScript } from "../../node/scripts";
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
  run,
  script,
  sh,
  useNode,
  write,
  type Result,
} from "../support/node";
import { prodNode } from "../support/settings";

/** `node/monitoring.sh` and the scripts it installs in real bash; test/fixtures/node/monitoring.sh plays systemd, apt and docker. */

useNode();

const PROGRAMS = "apt-get docker journalctl systemctl timedatectl";
const DIRECTORY = "/var/lib/prometheus/node-exporter";
const DROP_IN = node("systemd/system/prometheus-node-exporter.service.d/10-docker-node.conf");
const installed = (name: string): string => `root/usr/local/lib/docker-node/${name}`;
const metricsOf = (name: string): string => `root${DIRECTORY}/docker_node_${name}.prom`;

let exporter: Server;
let listen = "";

beforeEach(async () => {
  for (const name of PROGRAMS.split(" ")) {
    rmSync(join(home, "bin", name), { force: true });
    symlinkSync(join(fixtures, "monitoring.sh"), join(home, "bin", name));
  }
  for (const tool of ["date", "ln", "openssl", "tee"])
    symlinkSync(sh(`type -P ${tool}`), join(home, "bin", tool));
  for (const name of ["enabled", "active", "rows"]) fake(name);
  exporter = createServer();
  await new Promise<void>((resolve) => exporter.listen(0, "127.0.0.1", resolve));
  listen = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
});
afterEach(() => {
  exporter.close();
});

const ALL = { DIRECTORY, PROXY: "yes", HEALTH: "echo health", DRIFT: "echo drift" };
const PROXY = "root/etc/docker-node/socket-proxy/haproxy.cfg";
const set = (variables: Record<string, string> = {}): Result =>
  script("monitoring", { LISTEN: listen, ...ALL, ...variables });

/** All files of the node, but for the lock. */
const files = (): string[] =>
  sh(`find ${home}/root -type f -not -path '*/run/docker-node/*' -printf '%P\\n' | sort`).split(
    "\n",
  );

describe("set up", () => {
  test("all parts run; a second run changes nothing", () => {
    const parts = { parts: "node-exporter proxy health drift" };
    expect(done(set())).toEqual(parts);
    expect(changes()).toEqual([
      "apt-get update",
      "apt-get install --no-install-recommends prometheus-node-exporter",
      "systemctl daemon-reload",
      "systemctl restart prometheus-node-exporter.service",
      ...["health", "drift"].flatMap((job) => [
        "systemctl daemon-reload",
        `systemctl enable docker-node-${job}.timer`,
        `systemctl start docker-node-${job}.timer`,
      ]),
    ]);
    expect(read(DROP_IN)).toContain(
      `ExecStart=/usr/bin/prometheus-node-exporter --web.listen-address=${listen} --collector.textfile.directory=${DIRECTORY}\n`,
    );
    expect(read(installed("health"))).toBe("#!/bin/bash\necho health\n");
    expect(statSync(join(home, installed("drift"))).mode & 0o777).toBe(0o700);
    forget();
    const before = files();
    expect(done(set())).toEqual(parts);
    expect(changes()).toEqual([]);
    expect(files()).toEqual(before);
  });

  test("the proxy answers where its container has the socket, by the configuration that is mounted there", () => {
    done(set());
    expect(read(PROXY)).toContain(`bind unix@${PROXY_SOCKET} `);
    const { volumes } = socketProxyArgs({ node: prodNode(), dockerGroup: "999" }, "id") as {
      volumes: { hostPath?: string }[];
    };
    const mounted = volumes.map(({ hostPath = "" }) => join("root", hostPath, "haproxy.cfg"));
    expect(mounted).toContain(PROXY);
  });

  test("the proxy lets through what cAdvisor asks of Docker, and nothing else", () => {
    done(set());
    const [, pattern = ""] = /path_reg (\S+) \}/.exec(read(PROXY)) ?? [];
    const passes = (path: string): boolean => new RegExp(pattern).test(path);
    const id = "0123456789abcdef".repeat(4);
    const asked = ["/_ping", "/info", "/v1.52/version", `/v1.52/containers/${id}/json`];
    expect(asked.filter(passes)).toEqual(asked);
    const others = [
      "containers/json",
      `containers/${id}/archive`,
      "images/json",
      "../info",
      "infox",
    ];
    expect(others.filter((path) => passes(`/v1.52/${path}`))).toEqual([]);
    expect(statSync(join(home, PROXY)).mode & 0o777).toBe(0o644);
  });

  test("another port starts node-exporter anew", () => {
    done(set());
    write(DROP_IN, read(DROP_IN).replace(listen, "127.0.0.1:1"));
    forget();
    done(set());
    expect(changes()).toEqual([
      "systemctl daemon-reload",
      "systemctl restart prometheus-node-exporter.service",
    ]);
  });

  test("a node-exporter that does not listen is told, with what it says itself", () => {
    exporter.close();
    const text = `wait_for() { shift; "$@"; }\n`;
    const { stderr, status } = run(
      renderScript("monitoring", { LISTEN: "127.0.0.1:1" }).replace(
        /^main "\$@"/m,
        `${text}main "$@"`,
      ),
    );
    expect(status).toBe(1);
    expect(stderr).toContain(
      "node-exporter does not listen at 127.0.0.1:1\nbind: address already in use",
    );
  });

  test("without a port for it, node-exporter is left alone; health works for another one's folder", () => {
    expect(done(set({ LISTEN: "", DRIFT: "", PROXY: "", DIRECTORY: "/srv/textfile" }))).toEqual({
      parts: "health",
    });
    expect(changes().filter((line) => line.startsWith("apt-get"))).toEqual([]);
    expect(has("root/srv/textfile")).toBe(true);
  });
});

describe("taken away", () => {
  test("by REMOVE, nothing is left but the folder", () => {
    mkdirSync(join(home, "root", DIRECTORY), { recursive: true });
    const before = files();
    done(set());
    write(metricsOf("health"), "x 1\n");
    forget();
    expect(done(set({ REMOVE: "yes" }))).toEqual({ parts: "" });
    expect(files()).toEqual(before);
    expect(changes()).toEqual([
      "apt-get purge prometheus-node-exporter",
      "systemctl daemon-reload",
      "systemctl disable docker-node-health.timer",
      "systemctl daemon-reload",
      "systemctl disable docker-node-drift.timer",
      "systemctl daemon-reload",
    ]);
    forget();
    done(set({ REMOVE: "yes" }));
    expect(changes()).toEqual([]);
  });

  test("a node-exporter whose purge fails keeps to the node's address, and the next run takes it away", () => {
    mkdirSync(join(home, "root", DIRECTORY), { recursive: true });
    const before = files();
    done(set());
    fake("apt-broken");
    expect(set({ REMOVE: "yes" }).status).toBe(1);
    expect(read(DROP_IN)).toContain(`--web.listen-address=${listen} `);
    rmSync(join(home, "fake/apt-broken"));
    done(set({ REMOVE: "yes" }));
    expect(files()).toEqual(before);
  });

  test("a node-exporter that an earlier run left without its drop-in is taken away", () => {
    done(set());
    rmSync(join(home, DROP_IN));
    forget();
    done(set({ LISTEN: "" }));
    expect(changes().slice(0, 2)).toEqual([
      "apt-get purge prometheus-node-exporter",
      "systemctl daemon-reload",
    ]);
    forget();
    done(set({ LISTEN: "" }));
    expect(changes()).toEqual([]);
  });

  test("a node-exporter that was there before gets its own settings back, and stays", () => {
    symlinkSync(join(fixtures, "monitoring.sh"), join(home, "bin/prometheus-node-exporter"));
    done(set());
    forget();
    done(set({ LISTEN: "" }));
    expect(has(DROP_IN)).toBe(false);
    expect(changes()).toEqual([
      "systemctl daemon-reload",
      "systemctl try-restart prometheus-node-exporter.service",
    ]);
  });
});

describe("in check mode, as a look at the node runs it,", () => {
  // Of several lines, with quotes, and with the line that begins a script in it, as the real ones are.
  const health = renderScript("monitoring/health", { DIRECTORY, AGENT: "it's 'one'" });
  const variables = { LISTEN: "", ...ALL, HEALTH: health };
  const apply = (): Result =>
    run(renderScript("monitoring", { ...variables, LISTEN: listen, LIMIT: "60" }));

  /** What differs, as people are told, and how long the script of the look is. */
  function look(): { lines: string[]; length: number } {
    const stdin = renderScript("monitoring", { ...variables, LISTEN: listen, LIMIT: "60" });
    const step = { step: "monitoring-node", script: "monitoring" } as const;
    const text = renderChecks([{ ...step, variables: monitoringCheck(stdin) }]);
    forget();
    const before = files();
    const { stdout, stderr, status } = run(text);
    expect({ status, stderr, changes: changes(), files: files() }).toEqual({
      ...{ status: 0, stderr: "", changes: [] },
      files: before,
    });
    const { differences, failed } = parseChecks(stdout);
    expect([failed, differences.filter((one) => one.step !== "monitoring-node")]).toEqual([[], []]);
    return { lines: differences.map(describeDifference), length: text.length };
  }
  const digest = (path: string): string => sh(`sha256sum <${join(home, path)}`).slice(0, 64);

  test("it has nothing to say as applied", () => {
    done(apply());
    expect(read(installed("health"))).toContain("it'\\''s");
    expect(look().lines).toEqual([]);
  });

  test("it names what was edited, each script by its digest alone, and the step puts it right", () => {
    done(apply());
    const declared = digest(installed("health"));
    write(installed("health"), "#!/bin/bash\nmail secrets\n");
    chmodSync(join(home, installed("health")), 0o755);
    rmSync(join(home, installed("drift")));
    write(DROP_IN, read(DROP_IN).replace("MemoryMax=128M", "MemoryMax=1G"));
    write(PROXY, read(PROXY).replace("{ method GET HEAD }", "TRUE"));
    fake("active", "prometheus-node-exporter.service\ndocker-node-drift.timer\n");
    const { lines } = look();
    const folder = "/usr/local/lib/docker-node";
    const found = digest(installed("health"));
    for (const line of [
      `${folder}/health mode: 0755 on the node, 0700 as declared`,
      `${folder}/health sha256: ${found} on the node, ${declared} as declared`,
      `${folder}/drift: absent on the node, present as declared`,
      `/${DROP_IN.slice(5)} MemoryMax: 1G on the node, 128M as declared`,
      "systemd docker-node-health.timer: stopped on the node, started as declared",
    ])
      expect(lines).toContain(`${line}; up puts it right`);
    expect(lines.some((line) => line.startsWith("/etc/docker-node/socket-proxy/"))).toBe(true);
    expect(lines).toHaveLength(6);
    expect(lines.join()).not.toContain("mail secrets");
    done(apply());
    expect(look().lines).toEqual([]);
    expect(digest(installed("health"))).toBe(declared);
  });

  test("a package that is gone is named, and parts that are there though nobody declares them", () => {
    done(apply());
    rmSync(join(home, "bin/prometheus-node-exporter"));
    expect(look().lines).toContain(
      "packages prometheus-node-exporter: absent on the node, installed as declared; up puts it right",
    );
    const none = { ...variables, MODE: "check", LISTEN: "", PROXY: "", HEALTH: "", DRIFT: "" };
    const { stdout } = run(renderScript("monitoring", none));
    const undeclared = parseChecks(stdout).differences.filter(
      ({ declared }) => declared === "absent" || declared === "",
    );
    expect(undeclared.map(({ file, key }) => `${file} ${key}`.trim()).sort()).toEqual([
      "/etc/docker-node/socket-proxy",
      ...["drift", "health"].flatMap((job) =>
        ["service", "timer"].map((kind) => `/etc/systemd/system/docker-node-${job}.${kind}`),
      ),
      `/${DROP_IN.slice(5)}`,
      "/usr/local/lib/docker-node/drift",
      "/usr/local/lib/docker-node/health",
      "packages prometheus-node-exporter",
      "systemd docker-node-drift.timer",
      "systemd docker-node-health.timer",
    ]);
  });

  test("it carries no script that it compares", () => {
    const rest = renderChecks([]).length + renderScript("monitoring", {}).length;
    done(apply());
    expect(look().length).toBeLessThan(rest + 2000);
    expect(health.length).toBeGreaterThan(5000);
  });
});

/** Metrics without their help lines; times as 0. */
const lines = (name: string): string[] =>
  read(metricsOf(name))
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/(timestamp_seconds\S*) \d+$/, "$1 0"));

describe("health", () => {
  const health = (variables: Record<string, string> = {}): void => {
    mkdirSync(join(home, "root", DIRECTORY), { recursive: true });
    const result = run(renderScript("monitoring/health", { DIRECTORY, ...variables }));
    expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
  };

  test("of containers, clock and reboot", () => {
    fake(
      "rows",
      "/web running healthy 0 always\n/job exited - 3 no\n/db running unhealthy 7 always\n",
    );
    write("root/run/reboot-required", "");
    fake("gone");
    health();
    expect(lines("health")).toEqual([
      "docker_node_docker_up 1",
      'docker_node_container_running{container="web",restart="always"} 1',
      'docker_node_container_running{container="job",restart="no"} 0',
      'docker_node_container_running{container="db",restart="always"} 1',
      'docker_node_container_healthy{container="web"} 1',
      'docker_node_container_healthy{container="db"} 0',
      'docker_node_container_restarts_total{container="web"} 0',
      'docker_node_container_restarts_total{container="job"} 3',
      'docker_node_container_restarts_total{container="db"} 7',
      "docker_node_time_synchronized 1",
      "docker_node_reboot_required 1",
      "docker_node_health_timestamp_seconds 0",
    ]);
    expect(read(metricsOf("health"))).toContain(
      "# TYPE docker_node_container_restarts_total counter\n",
    );
    expect(statSync(join(home, metricsOf("health"))).mode & 0o777).toBe(0o644);
  });

  test("of a docker that is down and a clock that runs alone, the rest is still told", () => {
    fake("docker-down");
    fake("clock-alone");
    health();
    expect(lines("health")).toEqual([
      "docker_node_docker_up 0",
      "docker_node_time_synchronized 0",
      "docker_node_reboot_required 0",
      "docker_node_health_timestamp_seconds 0",
    ]);
  });

  test("of backups: what the backup container says, and how old they may be", () => {
    const own = 'docker_node_backup_last_result{kind="volumes",item="data"} 1';
    write("root/var/lib/docker-node/backup/metrics/docker_node_backup.prom", `${own}\n`);
    health({ RPO: "volumes 86400\nconfiguration 14400" });
    expect(lines("health").filter((line) => line.includes("backup"))).toEqual([
      own,
      'docker_node_backup_rpo_seconds{kind="volumes"} 86400',
      'docker_node_backup_rpo_seconds{kind="configuration"} 14400',
    ]);
  });

  test("of the agent's certificate, from the one that is served; without an answer nothing", async () => {
    const agent = await serve();
    try {
      health({ AGENT: `127.0.0.1:${agent.port}` });
    } finally {
      agent.server.kill();
    }
    const end = Number(
      /^docker_node_certificate_expiry_timestamp_seconds\{service="portainer-agent"\} (\d+)$/m.exec(
        read(metricsOf("health")),
      )?.[1],
    );
    expect(Math.round((end - Date.now() / 1000) / 86_400)).toBe(10);
    health({ AGENT: "127.0.0.1:1" });
    expect(read(metricsOf("health"))).not.toContain("certificate");
  });
});

/** A TLS server with a certificate of ten days. */
async function serve(): Promise<{ server: ChildProcess; port: number }> {
  const [key, certificate] = [join(home, "key.pem"), join(home, "cert.pem")];
  const request = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "10", "-subj", "/CN=a"];
  spawnSync("openssl", [...request, "-keyout", key, "-out", certificate]);
  const listening = ["s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate];
  const server = spawn("openssl", listening, { stdio: ["pipe", "pipe", "ignore"] });
  const port = await new Promise<number>((resolve) => {
    let said = "";
    server.stdout.on("data", (text: Buffer) => {
      said += text.toString();
      const found = /ACCEPT .*:(\d+)/.exec(said)?.[1];
      if (found) resolve(Number(found));
    });
  });
  return { server, port };
}

describe("drift", () => {
  const CHECKS = [
    `echo '{"step":"daemon","file":"/etc/docker/daemon.json","key":"debug"}'`,
    `echo '{"step":"daemon","file":"/etc/docker/daemon.json","key":"bip"}'`,
    "echo no json",
    "checked() { :; }",
    "checked daemon $?",
    `echo '{"step":"access","failed":true}'`,
    "checked access $?",
  ].join("\n");

  test("is what the checks find, by step", () => {
    mkdirSync(join(home, "root", DIRECTORY), { recursive: true });
    const result = run(renderScript("monitoring/drift", { DIRECTORY, CHECKS }));
    expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(lines("drift")).toEqual([
      'docker_node_differences{step="daemon"} 2',
      'docker_node_differences{step="access"} 0',
      'docker_node_check_failed{step="daemon"} 0',
      'docker_node_check_failed{step="access"} 1',
      "docker_node_drift_timestamp_seconds 0",
    ]);
  });

  test("checks that end before they are done leave the last result", () => {
    write(metricsOf("drift"), "old 1\n");
    const { status } = run(renderScript("monitoring/drift", { DIRECTORY, CHECKS: "exit 3" }));
    expect(status).not.toBe(0);
    expect(read(metricsOf("drift"))).toBe("old 1\n");
  });
});

describe("what a node is given", () => {
  const given = (monitoring: object): Readonly<Record<string, unknown>> => {
    const declared = prodNode({ monitoring: { ...monitoring, scrapers: ["10.25.10.13"] } });
    if (!declared.monitoring) throw new Error("no monitoring");
    return monitoringStep(declared, declared.monitoring).variables;
  };

  test("node-exporter listens at the node's address alone; what is not declared is not there", () => {
    const { LISTEN, HEALTH, DRIFT } = given({ nodeExporter: {}, health: null });
    expect([LISTEN, HEALTH, DRIFT]).toEqual(["10.25.20.24:9100", undefined, undefined]);
  });

  test.each([
    ["overlay2 has", {}, false],
    ["containerd's store has", { "storage-driver": null, "userns-remap": null }, true],
    ["a remapped daemon has", { "storage-driver": null }, false],
  ])("%s cAdvisor ask containerd: %j %s", (_, daemon, asks) => {
    const node = prodNode({ engine: { daemon: { "storage-opts": null, ...daemon } } });
    const cadvisor = node.monitoring?.cadvisor;
    if (!cadvisor) throw new Error("no cAdvisor");
    const args = { node, dockerRootDir: "/var/lib/docker" };
    const { volumes } = cadvisorArgs(args, cadvisor, "sha256:1");
    expect(JSON.stringify(volumes).includes('"containerPath":"/run/containerd"')).toBe(asks);
  });

  test("the drift is that of every step that can be checked", () => {
    const { DRIFT } = given({ health: {} });
    const steps = String(DRIFT).match(/^checked \w+ \$\?$/gm);
    const expected = ["storage", "install", "daemon", "access", "firewall", "hardening"];
    expect(steps).toEqual(expected.map((step) => `checked ${step} $?`));
  });

  test("the scripts stand in one text that bash reads", () => {
    const { HEALTH, DRIFT } = given({ health: {} });
    for (const text of [HEALTH, DRIFT])
      expect(spawnSync("bash", ["-n"], { input: String(text) }).status).toBe(0);
    expect(HEALTH).toContain("AGENT='10.25.20.24:9001'");
    expect(HEALTH).toContain("RPO='volumes 86400\nconfiguration 14400\nimages 604800'");
  });
});
