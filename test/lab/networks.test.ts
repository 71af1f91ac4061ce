/** Docker's networks under the real Pulumi and its Docker provider, against daemons that tell of them as 26 and as 29 do. */
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { ContainerNetworks } from "../../components/docker/networks";
import { firstHost } from "../../config/cidr";
import { MTU } from "../../config/node";
import type { RecordedNode, RecordedPool } from "../../node/recorded";
import { prodNode } from "../support/settings";
import { BarePulumi } from "./bare-pulumi";

jest.setTimeout(5 * 60_000);

const bare = new BarePulumi();

interface Ipam {
  Subnet: string;
  Gateway?: string;
}
interface Network {
  Id: string;
  Name: string;
  Driver: string;
  EnableIPv6: boolean;
  Options: Record<string, string>;
  IPAM: { Config: Ipam[] };
}

/**
 * As much of a daemon as networks need. Docker 29 tells the gateway that it chose itself (moby daemon/network.go,
 * buildIPAMResources); before, it told only a declared one.
 */
class Daemon {
  readonly networks = new Map<string, Network>();
  readonly server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (data: Buffer) => (body += data.toString()));
    request.on("end", () => {
      const [status, answer] = this.answer(request.method ?? "", request.url ?? "", body);
      response.writeHead(status, { "Content-Type": "application/json", "Api-Version": "1.47" });
      response.end(JSON.stringify(answer));
    });
  });

  /** Which Docker it is. */
  release = 26;

  /** Its `default-network-opts`, by driver. */
  defaults: Record<string, Record<string, string>> = {};

  /** How many networks it has made, also those that are gone: no id comes twice. */
  private made = 0;

  private answer(method: string, url: string, body: string): [number, unknown] {
    const path = url.replace(/^\/v[\d.]+/, "").replace(/\?.*/, "");
    const id = path.split("/")[2] ?? "";
    if (method === "POST" && id === "create") return [201, { Id: this.create(body) }];
    const network = this.networks.get(id);
    if (method === "DELETE") return this.networks.delete(id) ? [204, null] : [404, {}];
    if (path.startsWith("/networks/")) return network ? [200, this.told(network)] : [404, {}];
    return [200, path === "/_ping" ? "OK" : { ApiVersion: "1.47", Version: "0" }];
  }

  private create(body: string): string {
    const Id = String((this.made += 1)).padStart(64, "0");
    const defaults = {
      Scope: "local",
      Internal: false,
      EnableIPv6: false,
      Labels: {},
      Options: {},
    };
    const asked = JSON.parse(body) as Network;
    // It adds them to each network that has not its own (moby daemon/network.go, createNetwork).
    const Options = { ...this.defaults[asked.Driver], ...asked.Options };
    this.networks.set(Id, { ...defaults, ...asked, Options, Id });
    return Id;
  }

  /** Docker tells of IPv4 first, in whatever order it was asked. */
  private told(network: Network): Network {
    const isOf6 = ({ Subnet }: Ipam): boolean => Subnet.includes(":");
    const sorted = [...network.IPAM.Config].sort((a, b) => Number(isOf6(a)) - Number(isOf6(b)));
    const chosen = sorted.map((config) => ({
      ...config,
      Gateway: config.Gateway ?? firstHost(config.Subnet),
    }));
    const Config = this.release >= 29 ? chosen : sorted;
    return { ...network, IPAM: { ...network.IPAM, Config } };
  }

  /** The newest network of this name. */
  find(name: string): Network | undefined {
    return [...this.networks.values()].reverse().find((network) => network.Name === name);
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `tcp://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}

describe("the networks of a node", () => {
  const daemon = new Daemon();
  const NAME = "development-secondary";
  let host: string;
  beforeAll(async () => {
    host = await daemon.listen();
  });
  afterAll(() => {
    daemon.server.close();
  });

  /** The stack, whose state says this of the network; undefined: it is new, or the state cannot be read. */
  async function open(
    stack: string,
    recorded?: readonly RecordedPool[],
    override: object = {},
  ): ReturnType<BarePulumi["open"]> {
    return bare.open(stack, () => {
      const provider = new docker.Provider("daemon", { host });
      const machine = new pulumi.Stash("machine", { input: "machine" });
      const node = prodNode(override);
      const known = recorded && ({ networks: { [NAME]: recorded } } as unknown as RecordedNode);
      const args = { node, machine, recorded: known };
      new ContainerNetworks("n", args, { providers: { docker: provider } });
      return Promise.resolve({});
    });
  }

  const withIpv6 = (subnet: string): object => ({ networks: { [NAME]: { ipv6: { subnet } } } });

  test.each([26, 29])("of Docker %i are left alone by an up and a refresh", async (release) => {
    daemon.release = release;
    const stack = await open(`docker-${release}`);
    await stack.up();
    for (const operation of ["refresh", "up", "preview"] as const)
      await stack[operation]({ expectNoChanges: true });
  });

  test("of a daemon that adds options to every network are left alone too", async () => {
    const options = { [MTU]: "1400", "com.docker.network.container_iface_prefix": "lan" };
    const defaults = { bridge: options };
    Object.assign(daemon, { release: 29, defaults });
    const override = { engine: { daemon: { "default-network-opts": defaults } } };
    const stack = await open("defaults", undefined, override);
    await stack.up();
    expect(daemon.find(NAME)?.Options).toMatchObject(options);
    for (const operation of ["refresh", "up", "preview"] as const)
      await stack[operation]({ expectNoChanges: true });
    daemon.defaults = {};
  });

  test.each([26, 29])(
    "of Docker %i with IPv6 have both subnets, and are left alone by an up and a refresh",
    async (release) => {
      daemon.release = release;
      const subnet = "fd25:28::/64";
      const stack = await open(`docker-${release}-6`, undefined, withIpv6(subnet));
      await stack.up();
      const made = daemon.find(NAME);
      expect(made?.EnableIPv6).toBe(true);
      expect(made?.IPAM.Config).toHaveLength(2);
      expect(made?.IPAM.Config).toContainEqual({ Subnet: subnet, Gateway: "fd25:28::1" });
      const told = [
        { subnet, gateway: "fd25:28::1" },
        { subnet: "172.19.0.0/24", gateway: "172.19.0.1" },
      ];
      for (const recorded of [undefined, told]) {
        const again = await open(`docker-${release}-6`, recorded, withIpv6(subnet));
        for (const operation of ["refresh", "up", "preview"] as const)
          await again[operation]({ expectNoChanges: true });
      }
    },
  );

  test("get IPv6 only by another network", async () => {
    daemon.release = 29;
    await (await open("later")).up();
    const before = daemon.find(NAME)?.Id;
    await (await open("later", undefined, withIpv6("fd25:28::/64"))).up();
    expect(daemon.networks.has(before ?? "")).toBe(false);
    expect(daemon.find(NAME)).toMatchObject({ EnableIPv6: true });
  });

  test("made before the gateway was declared are not replaced, when Docker tells it", async () => {
    const subnet = "172.19.0.0/24";
    const [untold, told] = [
      { subnet, gateway: "" },
      { subnet, gateway: "172.19.0.1" },
    ];
    daemon.release = 26;
    await (await open("older", [untold])).up();
    expect(daemon.find(NAME)?.IPAM.Config).toEqual([{ Subnet: subnet }]);
    for (const recorded of [[untold], undefined])
      await (await open("older", recorded)).preview({ expectNoChanges: true });
    daemon.release = 29;
    await (await open("older", [untold])).refresh();
    const stack = await open("older", [told]);
    for (const operation of ["up", "refresh"] as const)
      await stack[operation]({ expectNoChanges: true });
  });
});
