/*
 * Workloads on a real node: one of the stack file, with its secret; and those of a compose file, read by the docker compose that the
 * lab has built, placed on the node, found by an alias, and put right after changes by hand.
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
import { foundBy, searchScript } from "../support/canaries";
import { builtCompose } from "../support/compose";
import { Life } from "./life";
import { type Shell, log, shellTo, quiet, upSteps } from "./support";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("workloads");
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

/** Id of the container that runs for a workload. */
const idOf = (workload: string): Promise<string> =>
  shell.root(`docker ps --quiet --filter label=docker-node.workload=${workload}`);

const inspect = async (workload: string, template: string): Promise<string> =>
  shell.root(`docker inspect --format '${template}' ${await idOf(workload)}`);

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  installCompose();
  shell = await shellTo(lab, await openStack(lab), NODE);
});

afterAll(async () => {
  process.env.PATH = PATH;
  if (DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
  rmSync(programs, { recursive: true, force: true });
  await life.end(here);
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

  step("has TCP and UDP on one port, in whatever order the provider reads them", async () => {
    const ports = ["tcp", "udp"].map((protocol) => ({
      ...{ port: 8080, containerPort: 8080, protocol },
    }));
    await upWith({ ports });
    const container = await running();
    for (const time of ["first", "second", "third", "fourth"]) {
      await stack.refresh(quiet);
      log(`${time} refresh`);
      await stack.preview({ ...quiet, expectNoChanges: true });
    }
    await stack.up({ ...quiet, expectNoChanges: true });
    expect(await running()).toBe(container);
    expect(await page()).toBe("hello from a secret");
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
    stack = await openStack(lab);
    expect((await upSteps(stack)).diffs.filter((line) => !line.startsWith("delete "))).toEqual([]);
    expect(await shell.root(`docker ps -aq ${mine}; ls ${folder} 2>/dev/null || true`)).toBe("");
    await stack.preview({ ...quiet, expectNoChanges: true });
  });
});

step("a compose file is deployed, and each service is healthy before the next", async () => {
  const { repository, tag, digest } = lab.images.busybox;
  await declare(`10.25.20.5:5000/${repository}:${tag}@${digest}`);
  const steps = await upSteps(stack);
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
    const steps = await upSteps(stack);
    // What the look has found, should another step run as well.
    log(steps.warnings.join("\n"));
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
  const told = await watch("site-page", () => upSteps(stack));
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
