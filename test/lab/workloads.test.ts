/*
 * Compose files on a real node: read by the docker compose that the lab has built, placed on the node, found by an alias, and put
 * right after changes by hand.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation";
import { cacheDir } from "../../lab/lib/cache";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { removeLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import { builtCompose } from "../support/compose";
import { Life } from "./life";
import { type Shell, Steps, log, shellTo } from "./support";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("workloads");
const quiet = { onOutput: (): void => undefined };
const { PATH, DOCKER_CONFIG } = process.env;

let lab: Lab;
let stack: Stack;
let shell: Shell;
const programs = mkdtempSync(join(tmpdir(), "docker-node-compose-"));
const life = new Life();
const { step } = life;

/** Puts the docker and the docker compose that the lab has built where a workstation has them. */
function installCompose(): void {
  const cli = readdirSync(cacheDir("docker")).find((name) => /^cli-[\d.]+-\w+$/.test(name)) ?? "";
  mkdirSync(join(programs, "cli-plugins"));
  symlinkSync(builtCompose() ?? "", join(programs, "cli-plugins", "docker-compose"));
  symlinkSync(join(cacheDir("docker"), cli, "docker"), join(programs, "docker"));
  process.env.PATH = `${programs}:${PATH ?? ""}`;
  process.env.DOCKER_CONFIG = programs;
}

/** Declares the compose file, with this image for each service. */
async function declare(image: string): Promise<void> {
  // Emulated, a health check takes seconds.
  const services = { page: { readySeconds: 600 }, reader: { readySeconds: 600 } };
  const files = ["test/lab/compose/site.yaml"];
  stack = await openStack(lab, {
    compose: { site: { files, variables: { IMAGE: image }, services } },
  });
}

/** Puts another release of the image that runs into the registry; the node itself keeps nothing of it. */
async function pushRelease(): Promise<string> {
  const name = `10.25.20.5:5000/${lab.images.busybox.repository}`;
  return shell.root(`
    container=$(docker create $(docker inspect --format '{{.Image}}' ${await idOf("site-page")}))
    docker commit --change 'LABEL release=2' $container ${name}:2 >/dev/null
    docker push --quiet ${name}:2 >/dev/null
    docker image inspect --format '{{index .RepoDigests 0}}' ${name}:2 | sed 's/@/:2@/'
    docker rm $container >/dev/null; docker image rm ${name}:2 >/dev/null`);
}

async function up(): Promise<Steps> {
  const steps = new Steps();
  await stack.up({ ...quiet, onEvent: steps.onEvent });
  return steps;
}

/** Id of the container that runs for a workload. */
const idOf = (workload: string): Promise<string> =>
  shell.root(`docker ps --quiet --filter label=docker-node.workload=${workload}`);

const inspect = async (workload: string, template: string): Promise<string> =>
  shell.root(`docker inspect --format '${template}' ${await idOf(workload)}`);

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  installCompose();
});

afterAll(async () => {
  process.env.PATH = PATH;
  if (DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
  rmSync(programs, { recursive: true, force: true });
  await life.end(here);
});

step("a compose file is deployed, and each service is healthy before the next", async () => {
  const { repository, tag, digest } = lab.images.busybox;
  await declare(`10.25.20.5:5000/${repository}:${tag}@${digest}`);
  shell = await shellTo(lab, stack, NODE);
  const steps = await up();
  expect(steps.with("create").filter((name) => name.endsWith("-run"))).toEqual(
    ["page", "reader"].map((service) => `${NODE}-workload-site-${service}-run`),
  );
  expect(await inspect("site-page", "{{.State.Health.Status}}")).toBe("healthy");
  await stack.up({ ...quiet, expectNoChanges: true });
});

step("a service is found by its alias, and from the node at its port", async () => {
  expect(await inspect("site-reader", "{{.State.Health.Status}}")).toBe("healthy");
  const reader = await idOf("site-reader");
  expect(await shell.root(`docker exec ${reader} wget -q -O - http://www:8080/`)).toBe("hello");
  expect(await shell.root("curl -fsS http://10.25.20.24:8080/")).toBe("hello");
});

step("it is confined as every workload is, whatever compose would do", async () => {
  const template =
    "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.PidsLimit}} {{.HostConfig.Memory}}";
  expect(await inspect("site-page", template)).toBe("65534:65534 true [ALL] 256 268435456");
});

describe("changed by hand", () => {
  beforeAll(() => {
    process.env.DOCKER_NODE_DRIFT = "";
  });
  afterAll(() => {
    process.env.DOCKER_NODE_DRIFT = "off";
  });

  step("what differs is seen, and put right by the next up", async () => {
    const reader = await idOf("site-reader");
    await shell.root(
      `docker update --pids-limit 99 --restart no ${reader} >/dev/null; docker stop ${await idOf("site-page")} >/dev/null`,
    );
    const steps = await up();
    expect(steps.with("update")).toEqual(
      ["page-run", "reader-limits", "reader-run"].map((name) => `${NODE}-workload-site-${name}`),
    );
    expect(await idOf("site-reader")).toBe(reader);
    const template = "{{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}";
    expect(await inspect("site-reader", template)).toBe("32 unless-stopped");
    expect(await inspect("site-page", "{{.State.Health.Status}}")).toBe("healthy");
    await stack.up({ ...quiet, expectNoChanges: true });
  });
});

/** What Docker does to images, and to the containers of a workload, while something runs: as `create <id>`, each once. */
async function watch(workload: string, run: () => Promise<unknown>): Promise<string[]> {
  const events = "/run/docker-node-test-events";
  const filters = ["pull", "create", "die", "start", "destroy"].map(
    (one) => `--filter event=${one}`,
  );
  const format = '{{.Action}} {{.Actor.ID}} {{index .Actor.Attributes "docker-node.workload"}}';
  await shell.root(
    `systemd-run --quiet --unit watch-events --property StandardOutput=file:${events} docker events ${filters.join(" ")} --format '${format}'`,
  );
  await run();
  const told = (await shell.root(`systemctl stop watch-events; cat ${events}`)).split("\n");
  const own = told
    .map((line) => line.split(" "))
    .filter(([action, , of]) => action === "pull" || of === workload)
    .map(([action = "", id = ""]) => `${action} ${action === "pull" ? id : id.slice(0, 12)}`);
  return [...new Set(own)];
}

step("another release is pulled while the earlier one serves, and costs one restart", async () => {
  const earlier = await idOf("site-page");
  const image = await pushRelease();
  await declare(image);
  const told = await watch("site-page", up);
  const later = await idOf("site-page");
  expect(told).toEqual([
    `pull ${image.replace(":2@", "@")}`,
    `create ${later}`,
    `die ${earlier}`,
    `start ${later}`,
    `destroy ${earlier}`,
  ]);
  const template = "{{.Config.Labels.release}} {{.State.Health.Status}}";
  expect(await inspect("site-page", template)).toBe("2 healthy");
});

step("a node that no other can relieve is not drained of them", async () => {
  const { busybox } = lab.images;
  const image = `10.25.20.5:5000/${busybox.repository}:${busybox.tag}@${busybox.digest}`;
  const override = { nodes: { [NODE]: { drain: "spread" } }, workloads: { web: { image } } };
  await expect(openStack(lab, override)).rejects.toThrow(/drained: proj-docker02/);
  expect(await idOf("site-page")).not.toBe("");
});
