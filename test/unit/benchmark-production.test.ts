import { judge, findUnusedWaivers, waive, type Judged } from "../../commands/benchmark/judge";
import { dropDeclaredPorts } from "../../commands/benchmark/ports";
import type { Facts } from "../../commands/benchmark/facts";
import { loadSettings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi, type Recorded, type Recorder } from "../support/mocks";
import { prodWith, stackConfig, stackFile } from "../support/settings";

/**
 * A node of Pulumi.prod.yaml with nothing but what the program declares, judged by the benchmark: what it does not meet, its
 * waivers stand for, and each of them stands for something.
 */

const NODE = "proj-docker02";
const CHECKED = ["docker_node_backup", "docker_node_cadvisor"];
const key = privateKey();

type Inputs = Readonly<Record<string, unknown>>;

/** Those whose health check is their own, not their image's. */
const CHECKED_ITSELF = ["docker_node_socket_proxy"];

/** A container as `docker inspect` shows it, from what Docker is told of it. */
function inspected({ name, inputs }: Recorded, limits: string): unknown {
  const { memory, cpuShares, readOnly, networkMode, usernsMode, securityOpts, user } = inputs;
  const ports = (inputs.ports ?? []) as { ip: string; external: number }[];
  const volumes = inputs.volumes as { hostPath: string }[];
  const mounts = (inputs.mounts ?? []) as { source: string }[];
  return {
    Name: `/${inputs.name as string}`,
    Image: name,
    AppArmorProfile: "docker-default",
    State: [...CHECKED, ...CHECKED_ITSELF].includes(String(inputs.name))
      ? { Health: { Status: "healthy" } }
      : {},
    Config: { User: user ?? "" },
    HostConfig: {
      ...{ Memory: memory, CpuShares: cpuShares, ReadonlyRootfs: readOnly },
      ...{ NetworkMode: networkMode, UsernsMode: usernsMode, SecurityOpt: securityOpts },
      PidsLimit: Number(/^PROCESSES='(\d+)'$/m.exec(limits)?.[1]),
      RestartPolicy: { Name: inputs.restart },
    },
    NetworkSettings: {
      Networks: { [networkMode as string]: {} },
      Ports: { all: ports.map(({ ip, external }) => ({ HostIp: ip, HostPort: String(external) })) },
    },
    Mounts: [...volumes.map(({ hostPath }) => hostPath), ...mounts.map(({ source }) => source)].map(
      (Source) => ({ Source, Propagation: "rprivate" }),
    ),
  };
}

/** Docker as daemon.json makes it. The files of the machine are another test's. */
function factsOf({ engine: { daemon } }: NodeConfig, containers: readonly unknown[]): Facts {
  const options = [
    daemon["userns-remap"] && "userns",
    daemon["no-new-privileges"] && "no-new-privileges",
  ];
  const checked = ["backups", "monitoring"].map((part) => ({
    Id: `${NODE}-${part}-container`,
    Config: { Healthcheck: {} },
  }));
  const facts = {
    command: ["/usr/bin/dockerd", "-H", "fd://"],
    config: daemon,
    info: {
      Driver: daemon["storage-driver"],
      DockerRootDir: "/var/lib/docker/165536.165536",
      LoggingDriver: daemon["log-driver"],
      LiveRestoreEnabled: daemon["live-restore"],
      ExperimentalBuild: false,
      SecurityOptions: options.filter(Boolean).map((name) => `name=${name as string}`),
      Swarm: { LocalNodeState: "inactive" },
      Plugins: {},
      RegistryConfig: {},
    },
    bridge: [{ Options: { "com.docker.network.bridge.enable_icc": String(daemon.icc ?? true) } }],
    ...{ files: [], audited: ["/var/lib/docker"], mounts: ["/", "/var/lib/docker"], group: [] },
    contentTrust: false,
    volumes: [],
    containers,
    images: [
      ...checked,
      ...["agent", "monitoring-proxy"].map((part) => ({
        Id: `${NODE}-${part}-container`,
        Config: {},
      })),
    ],
  };
  return facts as unknown as Facts;
}

async function declared(): Promise<Recorder> {
  const recorder = await startPulumi({
    config: Object.fromEntries(
      Object.entries(stackConfig(prodWith({ ssh: key.ssh }))).map(([name, { value }]) => [
        name,
        value,
      ]),
    ),
  });
  await runStack();
  await settle(recorder);
  return recorder;
}

const containersOf = (recorder: Recorder): unknown[] =>
  recorder.all("docker:index/container:Container").map((one) => {
    const limits = one.name.replace(/-container$/, "-limits");
    const { stdin } = recorder.find("command:remote:Command", limits).inputs as Inputs;
    return inspected(one, String(stdin));
  });

test("what it does not meet is waived, and no waiver is without need", async () => {
  const { nodes, waivers } = loadSettings(stackFile("prod"));
  const node = nodes[NODE] as NodeConfig;
  const judged: Judged[] = judge(factsOf(node, containersOf(await declared())));
  const results = judged.map((one) => waive(NODE, dropDeclaredPorts(one, node), waivers));
  expect(results.filter(({ state }) => state === "warn")).toEqual([]);
  expect(findUnusedWaivers(results, waivers, [NODE])).toEqual([]);
  expect(results.filter(({ state }) => state === "waived").map(({ id }) => id)).toEqual([
    ...["2.12", "2.13", "4.1", "4.5", "4.6"],
    ...["5.6", "5.27", "5.30", "5.31", "5.32"],
  ]);
});
