import { z } from "zod";
import { restarts } from "../key";
import { anyAddress, anyCidr, cidrText, cidr6Text, ipv4, stringMap } from "../values";

const addressPool = z.strictObject({ base: anyCidr, size: z.int().min(8).max(126) });

const DOMAIN = /^(?=.{1,254}$)(?=.*[a-zA-Z])([a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?\.?)+$/;

const domain = z.string().refine((text) => text === "." || DOMAIN.test(text), {
  error: "a domain, such as example.org, or . for none",
});

/** resolv.conf(5): a name, or a name and a number. */
const resolverOption = z.string().regex(/^[a-z][a-z0-9-]*(:\d+)?$/, {
  error: "an option of resolv.conf, such as ndots:2 or rotate",
});

const mark = z.string().regex(/^(0x[\da-fA-F]{1,8}|\d{1,10})(\/(0x[\da-fA-F]{1,8}|\d{1,10}))?$/, {
  error: "a firewall mark, or mark/mask, such as 0x1/0x3",
});

const docker0 = { docker0: true } as const;

/** Keys about networks of containers, and their routes to other networks. */
export const NETWORK_KEYS = {
  "allow-direct-routing": restarts(
    z.boolean(),
    "Other machines may reach published ports at the containers' own addresses.",
    { since: "28.2" },
  ),
  bip: restarts(cidrText("172.18.0.1/24"), "Address of docker0, with its network.", docker0),
  bip6: restarts(cidr6Text("fd00:18::1/64"), "IPv6 address of docker0, with its network.", {
    ...docker0,
    since: "28.0",
  }),
  bridge: restarts(z.literal("none"), "none: no docker0, networks have to be declared.", docker0),
  "bridge-accept-fwmark": restarts(mark, "Packets with this mark may reach containers.", {
    since: "29.0",
  }),
  "default-address-pools": restarts(
    z.array(addressPool).min(1),
    "Address ranges from which networks without a declared subnet get one.",
  ),
  "default-network-opts": restarts(
    z.record(z.string(), stringMap),
    "Driver options of new networks, by driver. Declared networks get them explicitly, so a change replaces those networks.",
    { since: "24.0" },
  ),
  dns: restarts(z.array(anyAddress), "Name servers of containers."),
  "dns-opts": restarts(z.array(resolverOption), "Options of their resolver."),
  "dns-search": restarts(z.array(domain), "Domains they search."),
  "firewall-backend": restarts(
    z.enum(["iptables", "nftables"]),
    "The firewall that dockerd uses. With nftables there is no chain DOCKER-USER; put your own rules into your own tables.",
    {
      since: "29.0",
    },
  ),
  "fixed-cidr": restarts(cidrText("172.18.0.128/25"), "Part of docker0's network.", docker0),
  "fixed-cidr-v6": restarts(cidr6Text("fd00:18::/64"), "IPv6 network of docker0.", docker0),
  "host-gateway-ips": restarts(
    z.array(anyAddress).min(1).max(2),
    "Addresses that the name host-gateway stands for: one for IPv4, one for IPv6.",
    { since: "28.0" },
  ),
  icc: restarts(z.boolean(), "Containers on docker0 reach one another.", docker0),
  ip: restarts(ipv4, "Address that ports of docker0 are published on.", docker0),
  "ip-forward": restarts(z.boolean(), "dockerd turns forwarding on."),
  "ip-forward-no-drop": restarts(
    z.boolean(),
    "dockerd does not change the policy of FORWARD, and the node's own firewall lets pass what is neither from nor to a container.",
    { since: "28.0" },
  ),
  "ip-masq": restarts(z.boolean(), "Masquerading on docker0.", docker0),
  ip6tables: restarts(z.boolean(), "dockerd makes IPv6 rules."),
  iptables: restarts(z.boolean(), "dockerd makes firewall rules."),
  ipv6: restarts(z.boolean(), "IPv6 on docker0.", docker0),
  mtu: restarts(z.int().min(576).max(65535), "MTU of docker0.", docker0),
  "network-control-plane-mtu": restarts(
    z.int().min(500).max(65535),
    "MTU of the network between Swarm managers.",
  ),
  "userland-proxy": restarts(z.boolean(), "Runs a proxy process for every published port."),
} as const;
