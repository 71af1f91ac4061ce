/*
 * Docker changes under a node that has data: down to 28 and up again, and from the distribution's 26.1 to Docker's own 29, each by one
 * change of the configuration. Containers run on, those made by hand too, and all that is stored is as it was.
 */
import { existsSync } from "node:fs";
import type { Stack } from "@pulumi/pulumi/automation";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { removeLab, type Lab } from "../../lab/lib/services";
import { openStack } from "../../lab/lib/stack";
import { probes } from "./hardened";
import { Life } from "./life";
import { type Shell, log, processesWith, shellTo, statusOf, quiet, upSteps } from "./support";

jest.setTimeout(30 * 60_000);

const NODE = "proj-docker02";
const [OLD, NEW] = ["28.5.2", "29.8.1"];
const here = openInstance("upgrade");
let lab: Lab;
let stack: Stack;
let shell: Shell;
let before: string;
const life = new Life();
const { step } = life;

type Source = "official" | "distribution";

/** Brings the node to Docker of this source and release. */
async function up(source: Source, version: string): Promise<string[]> {
  stack = await openStack(lab, { nodes: { [NODE]: { engine: { source, version } } } });
  return (await upSteps(stack)).with("update");
}

/** What people have on a node: a volume, a network of their own, and a container for each restart policy, one of them stopped. */
async function fill(): Promise<void> {
  const run = "docker run -d --init --network people --volume catalogue:/data";
  await shell.pullBusybox();
  await shell.root(`docker network create people >/dev/null
    docker run --rm -v catalogue:/data busybox:lab dd if=/dev/urandom of=/data/objects bs=1M count=8 2>/dev/null
    for policy in no always unless-stopped on-failure; do
      ${run} --restart $policy --name by-$policy busybox:lab sleep 1000000 >/dev/null
    done
    ${run} --restart unless-stopped --name web -p 127.0.0.1:8080:80 busybox:lab httpd -f -h /data >/dev/null
    ${run} --restart unless-stopped --name stopped busybox:lab sleep 1000000 >/dev/null
    docker stop stopped >/dev/null
    sync`);
}

/** All that must be as it was: what runs, people's containers since when, what is stored, how it is connected. */
const look = (): Promise<string> =>
  shell.root(`cat /proc/sys/kernel/random/boot_id
    docker ps --all --quiet --no-trunc | sort | xargs docker inspect --format '{{.Name}} {{.Id}} {{.Image}} {{.State.Status}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}} {{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}'
    docker ps --quiet --no-trunc --filter network=people | sort | xargs docker inspect --format '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}'
    docker image ls --all --no-trunc --quiet | sort -u
    docker network ls --no-trunc --format '{{.ID}} {{.Name}} {{.Driver}}' | grep -v ' none \\| host ' | sort
    docker volume ls --format '{{.Name}} {{.Driver}}' | sort
    root=$(docker info --format '{{.DockerRootDir}}')
    find "$root"/volumes -type f -path '*/_data/*' -size -20M | sort | xargs -d '\\n' sha256sum`);

/** What came from the earlier Docker does all that it did. */
async function use(): Promise<void> {
  const sum = "sha256sum /data/objects | cut -d' ' -f1";
  const [stored = ""] = (await shell.root(`docker exec by-no sh -c "${sum}"`)).split("\n");
  const served = "curl -fsS --retry 9 --retry-all-errors http://127.0.0.1:8080/objects | sha256sum";
  expect((await shell.root(served)).split(" ")[0]).toBe(stored);
  await shell.root("docker restart --timeout 1 web by-always >/dev/null; docker start stopped");
  expect((await shell.root(served)).split(" ")[0]).toBe(stored);
  const found = "docker exec stopped sh -c 'wget -q -O - http://web/objects | sha256sum'";
  expect((await shell.root(found)).split(" ")[0]).toBe(stored);
  const fresh = "docker run --rm --network people -v catalogue:/data busybox:lab";
  expect(await shell.root(`${fresh} sh -c "${sum}"`)).toBe(stored);
  await shell.root("docker stop --timeout 1 stopped >/dev/null");
}

const versions = (): Promise<string> =>
  shell.root("docker version -f '{{.Client.Version}} {{.Server.Version}}'");

const packages = (): Promise<string> =>
  shell.root(
    "dpkg-query -W -f '${db:Status-Abbrev}${Package}\\n' 'docker*' 'containerd*' runc | sed -n 's/^\\(ii\\|hi\\) *//p' | sort | xargs",
  );

const OFFICIAL = "containerd.io docker-buildx-plugin docker-ce docker-ce-cli docker-compose-plugin";
const DISTRIBUTION = "containerd docker-cli docker.io runc";

/** The agent and the backups use Docker, at the socket that it has by now. */
async function useSocket(): Promise<void> {
  const docker = "docker --host unix:///var/run/docker.sock ps --quiet";
  expect(await shell.root(`docker exec docker_node_backup ${docker}`)).not.toBe("");
  const header = `printf 'X-Lab-Secret: %s' '${lab.credentials.agentSecret}'`;
  const ask = `curl -ksS -o /dev/null -w '%{http_code}' -H @<(${header})`;
  expect(await shell.root(`${ask} https://10.25.20.24:9001/containers/json`)).toBe("200");
}

const agent = (): Promise<number | undefined> =>
  statusOf(`https://127.0.0.1:${lab.forwards["2019"]?.agent ?? 0}/ping`);

/** Docker is another one by one change, and nothing else is. */
function changes(to: string, source: Source, version: string): void {
  step(`${to}: containers run on, and what is stored is as it was`, async () => {
    before = await look();
    expect(await up(source, version)).toEqual([
      `${NODE}-agent-certificate`,
      `${NODE}-hardening`,
      `${NODE}-install`,
    ]);
    expect(await versions()).toBe(`${version} ${version}`);
    expect(await look()).toBe(before);
    expect(await agent()).toBe(204);
    await useSocket();
    await stack.up({ ...quiet, expectNoChanges: true });
  });

  step(`${to}: what there is can be used`, async () => {
    await use();
    await stack.refresh({ ...quiet, expectNoChanges: true });
  });
}

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
});

afterAll(() => life.end(here));

step("a node with Docker 29 has data", async () => {
  shell = await shellTo(lab, await openStack(lab), NODE);
  await fill();
});

changes("down to 28", "official", OLD);
changes("and up to 29", "official", NEW);

describe("from the distribution's 26.1", () => {
  step("a node has it, as nodes had it for years", async () => {
    await shell.root(`docker ps --all --quiet | xargs docker rm --force >/dev/null
      docker system prune --all --force >/dev/null
      docker volume prune --all --force >/dev/null`);
    stack = await openStack(lab);
    await stack.refresh(quiet);
    await shell.root(`systemctl stop docker.socket docker containerd
      rm -rf /var/lib/docker/* /var/lib/containerd/*`);
    await up("distribution", "26.1");
    await stack.up({ ...quiet, refresh: true });
    expect(await packages()).toBe(DISTRIBUTION);
    expect(await versions()).toMatch(/^26\.1\.\S+ 26\.1\.\S+$/);
    expect(await shell.root("docker ps --format '{{.Names}}' | sort")).toBe(
      "docker_node_backup\nportainer_agent",
    );
    expect(await probes.audited(shell, "/usr/sbin/dockerd")).toBe("heard");
    await fill();
  });

  changes("to Docker's own 29", "official", NEW);

  step("has Docker's own packages, and none of the distribution's", async () => {
    expect(await packages()).toBe(OFFICIAL);
    expect(await probes.audited(shell, "/usr/bin/dockerd")).toBe("heard");
  });

  step("keeps its data when what is left of the distribution's is purged", async () => {
    before = await look();
    await shell.root("apt-get purge --yes docker.io docker-cli containerd runc >/dev/null 2>&1");
    expect(await shell.root("dpkg -l docker.io 2>/dev/null | grep ^rc || true")).toBe("");
    expect(await look()).toBe(before);
  });

  step("the way back is refused before anything is touched, and says why", async () => {
    before = await look();
    await expect(up("distribution", "26.1")).rejects.toThrow(
      /refused: .*docker-ce.* is installed and has \d+ containers, \d+ images, \d+ volumes, which the distribution Docker 26\.1 could not read/,
    );
    expect(await look()).toBe(before);
    expect(await packages()).toBe(OFFICIAL);
    await up("official", NEW);
  });
});

step("destroy leaves no machine and no process", async () => {
  await stack.destroy(quiet);
  await removeLab(here);
  expect(existsSync(here.stateDir)).toBe(false);
  expect(processesWith(here.stateDir)).toEqual([]);
});
