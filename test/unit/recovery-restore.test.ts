import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planContainer, type ContainerOptions } from "../../commands/restore/container";
import type { Container, Volume } from "../../commands/site/inventory";
import { planVm } from "../../commands/restore/machine";
import { planPlatform } from "../../commands/restore/platform";
import { describe as shown, toJson, verdictOn } from "../../commands/restore/describe";
import { perform } from "../../commands/restore/perform";
import { planVolume } from "../../commands/restore/volume";
import { OBJECTIVES, type Outcome, type Recovery } from "../../commands/restore/steps";
import type { Deployed } from "../../clients/pulumi/stack";
import { FakeSite } from "../support/recovery";
import { prodNode } from "../support/settings";

const ID = `sha256:${"a".repeat(64)}`;
const WEB: Container = {
  Id: "0123456789abcdef",
  Name: "/web",
  Image: ID,
  Config: { Image: "registry/web:1", Hostname: "0123456789ab", Env: ["PASSWORD=geheim"] },
  HostConfig: { NetworkMode: "front", Binds: ["data:/data"], RestartPolicy: { Name: "always" } },
  NetworkSettings: { Networks: { front: { IPAMConfig: { IPv4Address: "172.19.0.7" } }, back: {} } },
  Mounts: [{ Type: "volume", Name: "data", Source: "/x", Destination: "/data" }],
};
const RUNS = '{"State":{"Running":true}}';

let site: FakeSite;
let printed: string[];
let scratch: string;
beforeEach(() => {
  site = new FakeSite();
  printed = [];
  scratch = mkdtempSync(join(tmpdir(), "recovery-"));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const act = (recovery: Recovery): Promise<Outcome> =>
  perform(recovery, (line) => printed.push(line), { now: site.now });

describe("an undeclared container", () => {
  const definitions = {
    "definitions/containers.json": [WEB],
    "definitions/networks.json": [
      {
        Name: "front",
        Driver: "bridge",
        Id: "n1",
        EnableIPv4: false,
        EnableIPv6: true,
        Created: "x",
      },
    ],
    "definitions/volumes.json": [
      {
        Name: "data",
        Driver: "local",
        Options: { type: "nfs", device: ":/data" },
        Labels: { "docker-node.backup": "false" },
      },
    ],
    "definitions/images.json": [
      { Id: ID, RepoTags: ["registry/web:1"], RepoDigests: ["registry/web@sha256:d"] },
    ],
  };
  const restore = async (options: ContainerOptions = {}): Promise<Outcome> =>
    act(await planContainer(site, "web", options));

  beforeEach(() => {
    site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z", definitions);
    site.inventory = {
      ...site.inventory,
      volumes: [{ Name: "data" }],
      networks: [{ Name: "back" }],
    };
    site.answers["image registry/web:1 from registry/web@sha256:d"] = ID;
    site.answers["recovery/api"] = '{"Id":"new"}';
    site.answers["api GET /containers/web/json"] = RUNS;
  });

  test("comes back from its definition, its image from the registry by digest", async () => {
    expect(await restore()).toEqual({ ok: true, seconds: 0, age: 7200 });
    expect(site.log.map((line) => line.replace(/ \{.*/, ""))).toEqual([
      "extract configuration",
      "api POST /networks/create",
      `image ${ID} from `,
      "image registry/web:1 from registry/web@sha256:d",
      "api POST /containers/create?name=web",
      "api POST /networks/back/connect",
      "api POST /containers/new/start",
      "api GET /containers/web/json",
    ]);
    expect(site.log.find((line) => line.includes("/networks/create"))).toMatch(
      /\{"Name":"front","Driver":"bridge","EnableIPv4":false,"EnableIPv6":true\}/,
    );
    const body = site.log.find((line) => line.includes("/create?name"))?.replace(/^[^{]*/, "");
    expect(JSON.parse(body ?? "")).toEqual({
      Image: "registry/web:1",
      Env: ["PASSWORD=geheim"],
      HostConfig: { ...WEB.HostConfig, ContainerIDFile: "" },
      NetworkingConfig: {
        EndpointsConfig: { front: { IPAMConfig: { IPv4Address: "172.19.0.7" } } },
      },
    });
  });

  test("its plan is refused when what was backed up, or Docker's answer, is not as Docker says", async () => {
    const put = (archive: Record<string, unknown>): void => {
      const files = { ...definitions, ...archive };
      site.archives.configuration = [];
      site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z", files);
    };
    put({ "definitions/networks.json": [{ Driver: "bridge" }] });
    await expect(restore()).rejects.toThrow(
      "host/configuration/2026-01-31T08:00:00Z definitions/networks.json is not as expected: 0.Name",
    );
    put({ "definitions/containers.json": "[" });
    await expect(restore()).rejects.toThrow(/definitions\/containers\.json is not JSON/);
    put({});
    site.answers["recovery/api"] = '{"id":"new"}';
    expect((await restore()).error).toMatch(
      /the answer to POST \/containers\/create\?name=web is not as expected: Id: missing/,
    );
    site.backedUp("images", "images", "2026-01-25T03:00:00Z", { "index.conf": [{ id: 1 }] });
    delete site.answers["image registry/web:1 from registry/web@sha256:d"];
    expect((await restore()).error).toMatch(
      /host\/images\/2026-01-25T03:00:00Z index\.conf is not as expected: 0\.reference/,
    );
    site.backedUp("volumes", "data", "2026-01-31T02:30:00Z", { "meta.conf": { options: "nfs" } });
    await expect(planVolume(site, "data")).rejects.toThrow(
      "host/data/2026-01-31T02:30:00Z meta.conf is not as expected: options",
    );
  });

  test("its plan shows no secret", async () => {
    expect(shown(await planContainer(site, "web"), site.now())).not.toContain("geheim");
  });

  test("takes its image from the backup when no registry has it", async () => {
    delete site.answers["image registry/web:1 from registry/web@sha256:d"];
    site.backedUp("images", "images", "2026-01-25T03:00:00Z", {
      "index.conf": [{ reference: "registry/web:1", id: ID }],
    });
    const load = "feed docker load < tar";
    site.onOrder = (what) => {
      if (what === load) site.answers[`image ${ID} from `] = ID;
    };
    expect(await restore()).toMatchObject({ ok: true });
    expect(site.log).toContain(load);
    expect(site.log.find((line) => line.includes("/create?name"))).toContain(`"Image":"${ID}"`);
  });

  test("leaves nothing behind if its image cannot be found", async () => {
    delete site.answers["image registry/web:1 from registry/web@sha256:d"];
    const { error } = await restore();
    expect(error).toMatch(/registry\/web:1: cannot be pulled, and images were never backed up/);
    expect(error).toMatch(/state: as it was before/);
    expect(site.log.at(-1)).toBe("api DELETE /networks/front");
  });

  test("another image under the same tag is not taken for it", async () => {
    site.answers["image registry/web:1 from registry/web@sha256:d"] = "sha256:other";
    expect((await restore()).error).toMatch(/cannot be pulled/);
  });

  test("gets its missing volume back first", async () => {
    site.inventory = { ...site.inventory, volumes: [] };
    site.backedUp("volumes", "data", "2026-01-31T02:30:00Z", { "meta.conf": {} });
    const { image } = site.backups;
    site.answers[`image ${image} from ${image}`] = "sha256:b";
    expect(await restore()).toMatchObject({ ok: true });
    const order = [
      "feed docker run < volumes/data",
      "recovery/volume copy data",
      "api POST /containers/new/start",
    ];
    expect(site.log.filter((line) => order.includes(line))).toEqual(order);
  });

  test("is as old as the oldest that it restores", async () => {
    site.inventory = { ...site.inventory, volumes: [] };
    site.backedUp("volumes", "data", "2026-01-31T02:30:00Z", { "meta.conf": {} });
    const { snapshot, takenAt, objectives } = await planContainer(site, "web");
    expect(snapshot).toBe("host/data/2026-01-31T02:30:00Z");
    expect(takenAt).toEqual(new Date("2026-01-31T02:30:00Z"));
    expect(objectives).toBe(OBJECTIVES.volume);
  });

  test("whose volume is gone and excluded from backups starts only where it may be empty", async () => {
    site.inventory = { ...site.inventory, volumes: [] };
    const refused = planContainer(site, "web");
    await expect(refused).rejects.toThrow(
      /web would start with empty volumes.*\n {2}data: excluded from backups.*\n--empty-volumes/,
    );
    expect(site.log).toEqual(["extract configuration"]);
    const recovery = await planContainer(site, "web", { emptyVolumes: true });
    const outcome = await act(recovery);
    expect(outcome).toMatchObject({ ok: true });
    expect(verdictOn(recovery, outcome)).toContain("RPO MISSED: all that was in data is lost");
    expect(site.log).toContain(
      'api POST /volumes/create {"Name":"data","Driver":"local","Labels":{"docker-node.backup":"false"},"DriverOpts":{"type":"nfs","device":":/data"}}',
    );
  });

  test("tells what is left to do for a volume whose data was outside Docker", async () => {
    site.inventory = { ...site.inventory, volumes: [] };
    const options = { type: "nfs", device: ":/export" };
    site.backedUp("volumes", "data", "2026-01-31T02:30:00Z", { "meta.conf": { options } });
    const { afterwards } = await planContainer(site, "web");
    expect(afterwards).toEqual([expect.stringMatching(/docker volume rm data\.before-/)]);
  });

  test("that exists is replaced only by force, kept, and not started by the daemon", async () => {
    site.inventory = { ...site.inventory, containers: [WEB] };
    await expect(planContainer(site, "web")).rejects.toThrow("container web exists; --force");
    expect(await restore({ force: true })).toMatchObject({ ok: true });
    const kept = site.log.filter((line) => /stop|update|rename/.test(line));
    expect(kept).toEqual([
      "api POST /containers/web/stop?t=60",
      'api POST /containers/web/update {"RestartPolicy":{"Name":"no"}}',
      "api POST /containers/web/rename?name=web.before-2026-01-31T100000Z",
    ]);
  });

  test("that cannot be created gives its name back to the earlier container", async () => {
    site.inventory = { ...site.inventory, containers: [WEB] };
    site.failing = "api POST /containers/create";
    const plan = await planContainer(site, "web", { force: true });
    site.inventory = {
      ...site.inventory,
      containers: [{ ...WEB, Name: "/web.before-2026-01-31T100000Z" }],
    };
    expect((await act(plan)).error).toMatch(/state: as it was before/);
    expect(site.log.slice(-4, -1)).toEqual([
      "api POST /containers/web.before-2026-01-31T100000Z/rename?name=web",
      'api POST /containers/web/update {"RestartPolicy":{"Name":"always"}}',
      "api POST /containers/web/start",
    ]);
  });

  test("that does not become healthy is reported, and stays", async () => {
    site.answers["api GET /containers/web/json"] =
      '{"State":{"Running":true,"Health":{"Status":"unhealthy"}}}';
    const { error } = await restore({ healthSeconds: -1 });
    expect(error).toMatch(/web is unhealthy: docker logs web/);
    expect(error).toMatch(/state: restored, but "wait until web runs/);
    expect(site.log.filter((line) => line.includes("DELETE"))).toEqual([]);
  });

  describe("that shares another's network", () => {
    const VPN: Container = {
      ...WEB,
      Id: "f".repeat(64),
      Name: "/vpn",
      HostConfig: { NetworkMode: "front" },
      NetworkSettings: { Networks: { front: {} } },
      Mounts: [],
    };
    const APP: Container = {
      ...WEB,
      Config: { Image: "registry/web:1", ExposedPorts: { "80/tcp": {} } },
      HostConfig: { NetworkMode: `container:${VPN.Id}` },
      NetworkSettings: { Networks: {} },
      Mounts: [],
    };
    const started = (): string[] =>
      site.log.flatMap((line) => /^api POST \/containers\/(\w+)\/start$/.exec(line)?.[1] ?? []);

    beforeEach(() => {
      delete site.archives.configuration;
      site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z", {
        ...definitions,
        "definitions/containers.json": [APP, VPN],
      });
      site.answers["api GET /containers/vpn/json"] = RUNS;
    });

    test("comes back after that one, and without ports", async () => {
      expect(await restore()).toMatchObject({ ok: true });
      const creations = site.log.flatMap(
        (line) => /create\?name=(\w+) (.*)/.exec(line)?.slice(1) ?? [],
      );
      expect(creations.filter((_, index) => index % 2 === 0)).toEqual(["vpn", "web"]);
      expect(JSON.parse(creations[3] ?? "")).toEqual({
        Image: "registry/web:1",
        HostConfig: { NetworkMode: "container:vpn", Binds: [], ContainerIDFile: "" },
      });
      // A network that both would need is made once.
      expect(site.log.filter((line) => line.includes("/networks/create"))).toHaveLength(1);
    });

    test("finds the other container under a new id, and starts it if it does not run", async () => {
      const there = { ...VPN, Id: "1".repeat(64), State: { Running: false } };
      site.inventory = { ...site.inventory, containers: [there] };
      expect(await restore()).toMatchObject({ ok: true });
      expect(started()).toEqual(["vpn", "new"]);
      expect(site.log.find((line) => line.includes("create?name=web"))).toContain(
        '"NetworkMode":"container:vpn"',
      );
    });

    test("names the other container if it no longer exists", async () => {
      delete site.archives.configuration;
      site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z", {
        ...definitions,
        "definitions/containers.json": [APP],
      });
      await expect(planContainer(site, "web")).rejects.toThrow(
        `web refers to the container ${VPN.Id}, which neither node nor backup has`,
      );
    });

    test("is created again too when the other container is replaced", async () => {
      site.inventory = { ...site.inventory, containers: [VPN, APP] };
      const { afterwards } = await planContainer(site, "vpn", { force: true });
      expect(afterwards).toEqual([
        expect.stringContaining("docker rm vpn.before-"),
        "web refers to the replaced container by its id; recreate it: npx docker-node restore container proj-docker02 web --force",
      ]);
    });

    test("the platform's list of what is missing has that one first", async () => {
      await act(await planPlatform(site, scratch));
      const list = printed.join("\n");
      expect(list.indexOf("proj-docker02 vpn --yes")).toBeGreaterThan(0);
      expect(list.indexOf("proj-docker02 vpn --yes")).toBeLessThan(
        list.indexOf("proj-docker02 web --yes"),
      );
    });
  });

  test("a name the backup does not have", async () => {
    await expect(planContainer(site, "wob")).rejects.toThrow(
      "host/configuration/2026-01-31T08:00:00Z has no container wob; it has: web",
    );
  });
});

describe("a declared container", () => {
  const PROVIDER =
    "urn:pulumi:prod::docker-node::docker-node:components:DockerNode$pulumi:providers:docker::proj-docker02-docker::uuid";
  const urn = (name: string): string => `urn:pulumi:prod::docker-node::x::${name}`;
  beforeEach(() => {
    const container = "docker:index/container:Container";
    site.deployed = [
      { urn: urn("image"), type: "docker:index/remoteImage:RemoteImage", provider: PROVIDER },
      {
        urn: urn("agent"),
        type: container,
        provider: PROVIDER,
        dependencies: [urn("image"), urn("daemon")],
        outputs: { name: "portainer_agent" },
      },
      { urn: urn("daemon"), type: "command:remote:Command" },
      {
        urn: urn("other"),
        type: container,
        provider: PROVIDER.replace("02", "01"),
        outputs: { name: "elsewhere" },
      },
    ];
    site.answers["api GET /containers/portainer_agent/json"] = RUNS;
  });

  test("comes back by docker, with the image it needs and nothing else", async () => {
    const recovery = await planContainer(site, "portainer_agent");
    expect(recovery.takenAt).toBeUndefined();
    expect(await act(recovery)).toEqual({ ok: true, seconds: 0, age: 0 });
    expect(site.log).toEqual(["up image agent", "api GET /containers/portainer_agent/json"]);
    expect(verdictOn(recovery, { ok: true, seconds: 0, age: 0 })).toContain("nothing lost");
  });

  test("a snapshot of its own is refused: the program says what it is", async () => {
    const wanted = "2026-01-31T08:00:00Z";
    await expect(planContainer(site, "portainer_agent", { wanted })).rejects.toThrow(
      `--snapshot ${wanted}: portainer_agent is declared, and pulumi makes it as the program says; allowed: latest, or --from-definition`,
    );
  });

  describe("whose volumes are gone", () => {
    const VOLUMES = [{ volumeName: "data" }, { volumeName: "kept" }, { hostPath: "/etc/x" }];
    const volume = (name: string, more: object): Deployed => ({
      ...{ urn: urn(name), type: "docker:index/volume:Volume", provider: PROVIDER },
      outputs: { name, ...more },
    });
    beforeEach(() => {
      const outputs = {
        name: "portainer_agent",
        volumes: [...VOLUMES, { volumeName: "socket" }],
        mounts: [
          { type: "volume", source: "cache" },
          { type: "bind", source: "/srv" },
        ],
      };
      site.deployed = [
        ...site.deployed.map((one) => (one.urn === urn("agent") ? { ...one, outputs } : one)),
        volume("socket", { driverOpts: { type: "tmpfs", device: "tmpfs" } }),
        volume("cache", { labels: [{ label: "docker-node.backup", value: "false" }] }),
      ];
      site.inventory = { ...site.inventory, volumes: [{ Name: "kept" }] };
      const { image } = site.backups;
      site.answers[`image ${image} from ${image}`] = "sha256:b";
    });
    const backUp = (name: string, time: string): void => {
      site.backedUp("volumes", name, `2026-01-${time}Z`, { "meta.conf": {} });
    };

    test("gets them back first, also without a backup of the configuration", async () => {
      backUp("data", "31T02:30:00");
      backUp("cache", "30T02:30:00");
      const recovery = await planContainer(site, "portainer_agent");
      const outcome = await act(recovery);
      expect(outcome).toMatchObject({ ok: true, age: 31.5 * 3600 });
      const order = [
        "recovery/volume copy data",
        "recovery/volume copy cache",
        "up image agent",
        "api GET /containers/portainer_agent/json",
      ];
      expect(site.log.filter((line) => order.includes(line))).toEqual(order);
      expect(verdictOn(recovery, outcome)).toMatch(/RPO measured: 1 d 7 h .*MISSED/);
    });

    test("is refused before anything is touched, naming each that no backup has and why", async () => {
      await expect(planContainer(site, "portainer_agent")).rejects.toThrow(
        /empty volumes.*:\n {2}data: never backed up;.*\n {2}cache: excluded from backups.*\n--empty-volumes/,
      );
      Object.assign(site.repository, {
        snapshots: () => Promise.reject(new Error("the server does not answer")),
      });
      await expect(planContainer(site, "portainer_agent")).rejects.toThrow(
        /data: the server does not answer\n/,
      );
      expect(site.log).toEqual([]);
    });

    test("starts on empty ones where that is allowed, and on those that have a backup", async () => {
      backUp("data", "31T02:30:00");
      const recovery = await planContainer(site, "portainer_agent", { emptyVolumes: true });
      expect(recovery.lost).toEqual(["cache"]);
      expect(recovery.afterwards).toEqual([expect.stringMatching(/^cache comes up empty: excl/)]);
      expect(await act(recovery)).toMatchObject({ ok: true, age: 7.5 * 3600 });
      expect(site.log).toContain("recovery/volume copy data");
      expect(site.log).toContain("up image agent");
    });
  });

  test("is not made with an empty volume where its own has no room", async () => {
    const outputs = { name: "portainer_agent", volumes: [{ volumeName: "data" }] };
    site.deployed = site.deployed.map((one) =>
      one.urn === urn("agent") ? { ...one, outputs } : one,
    );
    const files = [{ filename: "data.pxar.didx", size: 3 * 2 ** 30 }];
    site.backedUp("volumes", "data", "2026-01-31T02:30:00Z", {
      "meta.conf": {},
      "index.json": { files },
    });
    const inventory = { ...site.inventory, volumes: [] };
    site.inventory = { ...inventory, disk: { free: 4 * 2 ** 30, type: "ext4" } };
    await expect(planContainer(site, "portainer_agent", { emptyVolumes: true })).rejects.toThrow(
      "volume data: its restore needs 6.0 GiB on Docker's disk (ext4), twice the size of the snapshot, and 4.0 GiB are free",
    );
    site.inventory = { ...inventory, disk: { free: 4 * 2 ** 30, type: "xfs" } };
    expect((await planContainer(site, "portainer_agent")).steps).not.toEqual([]);
  });

  test("is not brought back without a word from a volume's snapshot that lost most of its content", async () => {
    const outputs = { name: "portainer_agent", volumes: [{ volumeName: "data" }] };
    site.deployed = site.deployed.map((one) =>
      one.urn === urn("agent") ? { ...one, outputs } : one,
    );
    const sizes = {
      "31T02:30:00": 3 * 2 ** 20,
      "30T02:30:00": 2 ** 20,
      "29T02:30:00": 5 * 2 ** 30,
    };
    site.archives.volumes = Object.entries(sizes).map(([time, size]) => ({
      snapshot: { id: "data", takenAt: new Date(`2026-01-${time}Z`), size },
      files: { "meta.conf": "{}" },
    }));
    const recovery = await planContainer(site, "portainer_agent");
    const caution =
      "volume data: the snapshot has 3.0 MiB, that of 2026-01-29T02:30:00Z has 5.0 GiB: if data was lost before the newer one " +
      "was taken, add --snapshot 2026-01-29T02:30:00Z";
    expect(recovery.cautions).toEqual([caution]);
    expect(shown(recovery, site.now())).toContain(`\ncaution:  ${caution}\n`);
    expect(toJson(recovery)).toContain(caution);
    const chosen = await planVolume(site, "data", "2026-01-31T02:30:00Z");
    expect(chosen.cautions).toBeUndefined();
  });

  test("of another node is not this one's", async () => {
    await expect(planContainer(site, "elsewhere")).rejects.toThrow("never backed up");
  });

  test("a Docker that fails", async () => {
    site.failing = "up";
    expect((await act(await planContainer(site, "portainer_agent"))).error).toMatch(
      /as it was before/,
    );
  });
});

describe("a VM", () => {
  const [newest, older] = ["2026-01-31T03:30:00Z", "2026-01-30T03:30:00Z"];
  const volume = (time: string): string => `pbs01:backup/vm/2019/${time}`;
  beforeEach(() => {
    site.vmBackups = [newest, older].map((time) => ({
      volume: volume(time),
      takenAt: new Date(time),
    }));
    site.answers["recovery/docker"] = "29.10.0";
  });

  test("that is gone comes back from its newest backup, and is waited for", async () => {
    expect(await act(await planVm(site))).toEqual({ ok: true, seconds: 0, age: 6.5 * 3600 });
    expect(site.log).toEqual([
      `qmrestore ${volume(newest)} 2019`,
      "qm start 2019",
      "recovery/docker",
    ]);
    expect(printed.at(-1)).toContain("Docker 29.10.0");
  });

  test("an older backup by its time; an unknown one names what there is", async () => {
    expect((await planVm(site, { wanted: older })).snapshot).toBe(volume(older));
    await expect(planVm(site, { wanted: "x" })).rejects.toThrow(
      `allowed: latest, ${newest}, ${older}`,
    );
    site.vmBackups = [];
    await expect(planVm(site)).rejects.toThrow("storage pbs01 has no backup of this VM");
  });

  describe("that exists", () => {
    beforeEach(() => {
      site.vm = { node: "pve01", running: true, protection: false };
    });

    test("is not touched without force", async () => {
      await expect(planVm(site)).rejects.toThrow(/VM 2019 exists.*--force/);
    });

    test("is shut down and backed up before its disks are overwritten", async () => {
      expect(await act(await planVm(site, { force: true }))).toMatchObject({ ok: true });
      expect(site.log).toEqual([
        "qm shutdown 2019",
        "vzdump 2019 pbs01",
        `qmrestore ${volume(newest)} 2019 --force`,
        "qm start 2019",
        "recovery/docker",
      ]);
    });

    test("is restored when Proxmox VE warns, and each warning is shown", async () => {
      site.warnings = "done, with WARNINGS: 1";
      expect(await act(await planVm(site, { force: true }))).toMatchObject({ ok: true });
      const shownLines = printed.filter((line) => line.includes("WARNINGS: 1"));
      expect(shownLines).toHaveLength(4);
    });

    test("is refused before it is shut down if it has reached its limit of protected backups", async () => {
      const kept = [1, 2, 3, 4, 5].map((day) => ({
        volume: `pbs01:backup/vm/2019/2025-12-0${6 - day}T03:30:00Z`,
        takenAt: new Date(`2025-12-0${6 - day}T03:30:00Z`),
        protected: true as const,
      }));
      site.vmBackups = [...site.vmBackups, ...kept];
      await expect(planVm(site, { force: true })).rejects.toThrow(
        /has 5 protected backups in pbs01, as many as it may have.*pvesh set \/nodes\/pve01\/storage\/pbs01\/content\/pbs01:backup\/vm\/2019\/2025-12-01T03:30:00Z --protected 0$/,
      );
      expect(site.log).toEqual([]);
      site.vmBackups.pop();
      expect(await act(await planVm(site, { force: true }))).toMatchObject({ ok: true });
    });

    test("runs on when it cannot be backed up", async () => {
      site.failing = "vzdump";
      expect((await act(await planVm(site, { force: true }))).error).toMatch(/as it was before/);
      expect(site.log.at(-1)).toBe("qm start 2019");
    });

    test("comes back as it was when the older backup cannot be restored", async () => {
      site.failing = `qmrestore ${volume(newest)}`;
      expect((await act(await planVm(site, { force: true }))).error).toMatch(/as it was before/);
      expect(site.log.slice(-2)).toEqual([
        "qmrestore pbs01:backup/vm/2019/safety 2019 --force",
        "qm start 2019",
      ]);
    });

    test.each([
      [{ protection: true }, /protected.*machine\.protect to false.*qm set 2019 --protection 0/],
      [{ node: "pve02" }, /is on pve02, and machine.proxmoxNode is pve01: set pve02 there/],
      [{ lock: "backup" }, /locked \(backup\)/],
    ])("%j is explained", async (difference, message) => {
      site.vm = { node: "pve01", running: true, protection: false, ...difference };
      await expect(planVm(site, { force: true })).rejects.toThrow(message);
    });
  });
});

describe("the platform", () => {
  const files = {
    "etc/docker/daemon.json": "{}",
    "etc/docker/certs.d/registry/ca.crt": "PEM",
    "definitions/containers.json": [
      { ...WEB, Name: "/web" },
      { ...WEB, Name: "/portainer_agent" },
    ],
  };
  beforeEach(() => {
    site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z", files);
    site.inventory = { ...site.inventory, containers: [{ ...WEB, Name: "/portainer_agent" }] };
  });

  test("storage and Docker first, then the files, then what is declared, then the containers", async () => {
    site.deployed = [
      {
        urn: "urn::net",
        type: "docker:index/network:Network",
        provider:
          "urn:pulumi:s::p::docker-node:components:DockerNode$pulumi:providers:docker::proj-docker02-docker::u",
      },
    ];
    expect(await act(await planPlatform(site, scratch))).toMatchObject({ ok: true, age: 7200 });
    expect(site.log).toEqual([
      "extract configuration",
      "recovery/platform save",
      "storage",
      "install",
      "feed tar -x < cat",
      "recovery/platform restart",
      "recovery/platform compare",
      "daemon",
      "access",
      "hardening",
      "up net",
    ]);
    expect(printed.join("\n")).toContain(
      "npx docker-node restore container proj-docker02 web --yes",
    );
    expect(printed.join("\n")).not.toContain("container proj-docker02 portainer_agent");
  });

  test("secrets, firewall and monitoring come with the containers that need them", async () => {
    const command = (name: string, more: object = {}): Deployed => ({
      ...{
        urn: `urn:pulumi:s::p::command:remote:Command::${name}`,
        type: "command:remote:Command",
      },
      ...more,
    });
    const secrets = command("proj-docker02-backups-secrets");
    site.deployed = [
      ...["boot", "daemon", "firewall", "firewall-confirm"].map((step) =>
        command(`proj-docker02-${step}`),
      ),
      secrets,
      command("proj-docker01-backups-secrets"),
      {
        urn: "urn::container",
        type: "docker:index/container:Container",
        dependencies: [secrets.urn],
        provider:
          "urn:pulumi:s::p::docker-node:components:DockerNode$pulumi:providers:docker::proj-docker02-docker::u",
      },
      command("limits", { dependencies: ["urn::container"] }),
    ];
    expect(await act(await planPlatform(site, scratch))).toMatchObject({ ok: true });
    const names = ["firewall", "firewall-confirm", "backups-secrets"];
    const own = names.map((name) => `proj-docker02-${name}`).join(" ");
    expect(site.log.at(-1)).toBe(`up ${own} container limits`);
  });

  test("volumes that came up empty are listed, each with the backup from before", async () => {
    for (const [volume, time] of [
      ["data", "31T09:59:30"],
      ["data", "31T02:30:00"],
      ["kept", "31T02:30:00"],
      ["late", "31T09:59:30"],
    ] as const)
      site.backedUp("volumes", volume, `2026-01-${time}Z`);
    const volume = (Name: string, CreatedAt?: string): Volume => ({ Name, CreatedAt });
    site.inventory = {
      ...site.inventory,
      volumes: [
        volume("data", "2026-01-31T10:59:00+01:00"),
        volume("kept", "2026-01-30T10:00:00Z"),
        volume("late", "2026-01-31T09:00:00Z"),
        volume("strange"),
      ],
    };
    await act(await planPlatform(site, scratch));
    expect(printed.join("\n")).toMatch(
      /volumes are empty.*first restore them from before:\n +npx docker-node restore volume proj-docker02 data --snapshot 2026-01-31T02:30:00Z --yes\n +npx docker-node restore container proj-docker02 web --yes/,
    );
  });

  test("the files come after the installation, however many NICs the node has", async () => {
    const nic = { bridge: "vmbr1", address: "10.9.0.2/24", mtu: 1500 };
    site.node = prodNode({ network: { nics: [nic] } });
    expect(await act(await planPlatform(site, scratch))).toMatchObject({ ok: true });
    const scripts = ["nics", "storage", "install", "feed tar -x < cat", "daemon"];
    expect(site.log.filter((what) => scripts.includes(what))).toEqual(scripts);
  });

  test("a docker that does not start with the files gets back what it had", async () => {
    site.failing = "recovery/platform restart";
    expect((await act(await planPlatform(site, scratch))).error).toMatch(/as it was before/);
    expect(site.log.at(-1)).toBe("recovery/platform back");
  });

  test("a step that fails after the files keeps them, and says what to do", async () => {
    site.failing = "access";
    expect((await act(await planPlatform(site, scratch))).error).toMatch(
      /state: restored, but "run node\/access.sh as ubuntu/,
    );
    expect(site.log).not.toContain("recovery/platform back");
  });
});
