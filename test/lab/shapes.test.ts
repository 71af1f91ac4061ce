/*
 * daemon.json files as they are found in the wild, each brought to a real dockerd by the program's own script: what is asked of
 * Docker afterwards, and of a new container, is what the file's author wanted.
 */
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { removeLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import { renderScript } from "../../node/scripts";
import { daemonStep } from "../../node/steps";
import { nodeWith } from "../support/daemon";
import { ACCEPTED } from "../support/daemon-shapes";
import { Life } from "./life";
import { type Shell, log, shellTo } from "./support";

jest.setTimeout(15 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("shapes");
const life = new Life();

let lab: Lab;
let shell: Shell;

/** Runs a command in a new container, with these options. */
const inside = (command: string, options = ""): string =>
  `docker run --rm ${options} busybox:lab sh -c '${command}'`;

/** Driver and options with which a container logs that names none. */
const LOGGING =
  "docker create --name logs busybox:lab >/dev/null; docker inspect -f '{{json .HostConfig.LogConfig}}' logs; docker rm logs >/dev/null";

const logging = (type: string, config: Record<string, string>): string =>
  JSON.stringify({ Type: type, Config: config });

const info = (template: string): string => `docker info -f '{{${template}}}'`;

/** What Docker takes for a new network out of its pools. */
const pooled = (options = ""): string =>
  `docker network create ${options} pooled >/dev/null; docker network inspect -f '{{range .IPAM.Config}}{{.Subnet}} {{end}}' pooled; docker network rm pooled >/dev/null`;

/** What a container's driver sends by UDP to an address of the node, as text. */
const received = (address: string, port: number): string => `
ip address add ${address}/32 dev lo 2>/dev/null || true
python3 - <<'PYTHON' >/tmp/received &
import socket, zlib
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.settimeout(60)
receiver.bind(("${address}", ${port}))
data = receiver.recv(65536)
print((zlib.decompress(data, 47) if data[:1] in b"\\x1f\\x78" else data).decode())
PYTHON
sleep 2
${inside("echo hello from it; sleep 2", "--name sender")}
wait
cat /tmp/received`;

type Shown = readonly [command: string, shows: string | RegExp];

/** What shows, on the node, that a file does what it is for. */
const SHOWS: Record<string, readonly Shown[]> = {
  "nvidia-container-toolkit": [
    [info(".DefaultRuntime"), "nvidia"],
    [`rm -f /run/started; ${inside("true")}; cat /run/started`, /^nvidia/],
  ],
  "nvidia, for machine learning": [
    [inside('ulimit -l; df -k /dev/shm | awk "NR == 2 { print \\$2 }"'), "unlimited\n1048576"],
    [`rm -f /run/started; ${inside("true")}; cat /run/started`, /^nvidia/],
  ],
  kubeadm: [
    [info(".CgroupDriver"), "systemd"],
    [LOGGING, logging("json-file", { "max-file": "3", "max-size": "100m" })],
  ],
  rke: [
    [
      LOGGING,
      logging("json-file", {
        labels: "io.kubernetes.pod.name",
        "max-file": "10",
        "max-size": "10m",
      }),
    ],
    [info("json .RegistryConfig.Mirrors"), '["https://mirror.example.org/"]'],
    [inside("ip -4 -o address show eth0"), /172\.17\.\d+\.\d+\/16/],
    [info(".LiveRestoreEnabled"), "true"],
  ],
  "the Ansible role's options": [
    [
      `${inside("sleep 3", "-d -p 127.0.0.1:8090:80")} >/dev/null; pgrep -c docker-proxy || true`,
      "0",
    ],
  ],
  "behind a corporate proxy": [
    [
      info(".HTTPProxy}} {{.HTTPSProxy}} {{.NoProxy"),
      "http://proxy.example.org:3128 http://proxy.example.org:3128 localhost,127.0.0.0/8,.example.org",
    ],
    [
      inside('grep -E "^(nameserver|search|options)" /etc/resolv.conf'),
      "nameserver 10.25.20.1\nnameserver fd00:20::53\nsearch example.org\noptions ndots:1 timeout:2",
    ],
  ],
  "journald with a tag": [
    [
      `${inside("echo hello by the journal", "--name tagged")} >/dev/null; journalctl --sync; journalctl -o json --output-fields=CONTAINER_TAG,MESSAGE CONTAINER_NAME=tagged`,
      /"CONTAINER_TAG":"tagged\/[0-9a-f]{12}"/,
    ],
  ],
  syslog: [
    [
      received("10.25.10.9", 514),
      /^<30>1 \S+ \S+ docker\/sender \d+ docker\/sender - hello from it/m,
    ],
  ],
  IPv6: [
    [inside("ip -6 -o address show eth0"), /2001:db8:1::\w+\/64/],
    [pooled("--ipv6"), /fd00:30:[0-9a-f:]*\/64/],
    [info(".ExperimentalBuild"), "true"],
  ],
  "insecure registries": [
    [info('(index .RegistryConfig.IndexConfigs "registry.example.org:5000").Secure'), "false"],
    [info("json .RegistryConfig.InsecureRegistryCIDRs"), /"10\.0\.0\.0\/8"/],
  ],
  "a mirror with a path": [
    [info("json .RegistryConfig.Mirrors"), '["https://artifacts.example.org/docker-hub/"]'],
  ],
  "address pools of one's own": [
    [inside("ip -4 -o address show eth0"), /192\.168\.200\.\d+\/24/],
    [inside("cat /sys/class/net/eth0/mtu"), "1450"],
    [pooled(), /^192\.168\.2(08|09|1\d|2[0-3])\.0\/24$/],
  ],
  "BuildKit's cache": [
    [
      "docker buildx inspect default",
      /Duration:\s+2200h[^]*Space:\s+10GiB[^]*All:\s+true[^]*Space:\s+100GiB/,
    ],
  ],
  "metrics and labels": [
    ["curl -fsS http://127.0.0.1:9323/metrics | grep -c ^engine_daemon_engine_info", "1"],
    [info("json .Labels"), '["rack=a1","role=worker"]'],
  ],
  "live-restore and limits, hardened": [
    [inside("ulimit -u; cat /proc/1/comm"), "4096\ndocker-init"],
    [LOGGING, logging("local", { compress: "true", "max-file": "5", "max-size": "20m" })],
    [
      "docker network inspect -f '{{index .Options \"com.docker.network.bridge.enable_icc\"}}' bridge",
      "false",
    ],
    [info(".LiveRestoreEnabled"), "true"],
    [inside("grep ^NoNewPrivs /proc/self/status"), /1$/],
  ],
  graylog: [
    [
      received("127.0.0.1", 12201),
      /"short_message":"hello from it"[^]*"_tag":"prod"|"_tag":"prod"[^]*"short_message":"hello from it"/,
    ],
  ],
};

/** What the node lacks of what these files name: a runtime that notes who started it, and a name. */
const PREPARE = `
printf '#!/bin/sh\\necho nvidia "$@" >>/run/started\\nexec runc "$@"\\n' >/usr/bin/nvidia-container-runtime
chmod 755 /usr/bin/nvidia-container-runtime
echo 127.0.0.1 graylog.example.org >>/etc/hosts
docker ps -aq | xargs docker rm -f >/dev/null`;

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  shell = await shellTo(lab, await openStack(lab), NODE);
  await shell.pullBusybox();
  // docker0 is made anew only when no container runs.
  await shell.root(PREPARE);
});

afterAll(() => life.end(here));

test("each accepted file is tried", () => {
  expect(Object.keys(SHOWS)).toEqual(ACCEPTED.map(({ name }) => name));
});

test.each(ACCEPTED)("$name does what it is for", async ({ name, file }) => {
  const { script, variables } = daemonStep(nodeWith(file));
  log(await shell.root(renderScript(script, variables)));
  for (const [command, shows] of SHOWS[name] ?? []) {
    const found = await shell.root(command);
    if (typeof shows === "string") expect(found).toBe(shows);
    else expect(found).toMatch(shows);
  }
});
