/** docs/reference/configuration.md, from the schema. */
import { REFUSED_KEYS, documentedDaemonSchema } from "../../config/daemon";
import { nodeSchema, proxmoxSchema } from "../../config/schema";
import { composeSchema } from "../../config/schema/compose";
import { waiversSchema } from "../../config/schema/waivers";
import { stackWorkloadsSchema } from "../../config/schema/workloads";
import { SECRETS, type Secret } from "../../config/secrets";
import { schemaSection, tableRow } from "./schema-table";

const INTRO = `# Configuration

Generated from \`config/schema/\` by \`npm run docs\`; do not edit.

The keys of a stack file, \`Pulumi.<stack>.yaml\`. \`docker-node:defaults\` holds what nodes share, \`docker-node:nodes\` the nodes
by name. Both have the shape below. Maps merge, everything else replaces, and \`null\` removes a value. The program checks every
key before it touches anything. An unknown key is an error, also one of \`docker-node:\` that stands beside these.

\`docker-node:configVersion\` says which format the file has. This page describes \`1\`, which is also the default. The program refuses
a version that it does not know, so that an older release does not misread a newer file.

Editors complete and check a stack file by [schema/stack.schema.json](../../schema/stack.schema.json). Name it in the first line, as
the files here do; where docker-node is a package, name the file of the package:

\`\`\`yaml
# yaml-language-server: $schema=schema/stack.schema.json
\`\`\`

It knows what is right for one field. What several fields must agree on only the program checks.

## Secrets

Each is set by \`pulumi config set --secret <name> <value>\`; a file's text by \`… <name> < <file>\`.

| secret | meaning | needed | goes to | value |
|---|---|---|---|---|
`;

function secretRow({ name, meaning, when, usedBy, example }: Secret): string {
  return tableRow([`\`docker-node:${name}\``, meaning, when, usedBy, `\`${example}\``]);
}

/** The whole page. */
export function configurationPage(): string {
  const parts = [
    `${INTRO}${SECRETS.map(secretRow).join("\n")}`,
    "",
    schemaSection("docker-node:proxmox", proxmoxSchema),
    "",
    schemaSection("docker-node:waivers[]", waiversSchema.element),
    "",
    `${WAIVERS}\n`,
    schemaSection("docker-node:nodes.<name>", nodeSchema),
    "",
    schemaSection("docker-node:workloads.<name>", stackWorkloadsSchema.valueType),
    "",
    schemaSection("docker-node:compose.<name>", composeSchema.valueType),
    "",
    `${SUBNETS}\n`,
    `${IPV6}\n`,
    schemaSection("engine.daemon", documentedDaemonSchema),
    "",
    DAEMON,
    "",
    refusedKeys(),
  ];
  return `${parts.join("\n")}\n`;
}

const WAIVERS = `A value that weakens a node is refused unless a waiver names it. [Security](security.md) lists which values those
are, and says what becomes of a waiver.`;

const SUBNETS = `### Subnets of Docker

Docker routes \`bip\`, \`fixed-cidr\`, \`default-address-pools\` and bridge networks to bridges of the node, and so would answers to
whoever else is there. Therefore none of them may hold the node's own network, \`managementNetworks\`, a rule's \`source\`,
\`dnsServers\`, or one of these where it is an address: \`ssh.endpoint\`, a mirror, a registry, Prometheus, the Portainer server, the backup server, the
primary. A source that is a whole private block or more (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16; of IPv6 fd00::/8 or 2000::/3)
does not count: it says who may come, and every subnet of Docker lies in such a block. IPv6 subnets are held to the same. Choose
Docker's subnets apart from those whom you let in.`;

const IPV6 = `### IPv6

\`network.ipv6\` gives the node a static IPv6 address beside the IPv4 one:

\`\`\`yaml
network:
  ipv6: { address: fd25:10::19/64, gateway: fd25:10::1 }
  dnsServers: [10.25.20.1, fd25:10::53]
  firewall:
    managementNetworks: [10.25.10.0/24, fd25:1::/64]
    rules:
      - { port: "443", source: fd25::/16 }
\`\`\`

- The program, Portainer and Prometheus reach the node over IPv4, and the agent listens there alone. The output \`ipv6Address\` is for others.
- Only a static address: outputs and rules need one that is known, and whether a node listens to a router's announcements depends on its
  image. \`override.machine.initialization\` takes \`auto\`. Lists are replaced, so repeat the IPv4 one, and give \`network.firewall\` a rule
  \`{ proto: icmp, source: "fe80::/10" }\`: a bridge that asks who listens and gets no answer stops passing neighbours' questions on.
  DHCPv6 is not supported with \`network.firewall\`: Proxmox and the node both drop its answers.
- A first NIC whose network has a router that announces itself takes an address and a default route from it as well, and may use that
  address as its source. Further NICs do not.
- Sources of rules and \`managementNetworks\` are of either family, and a rule without a source opens its port for both.
- The program comes over IPv4, so one of \`managementNetworks\` has to be of IPv4, unless a rule opens port 22 over IPv4 or \`ssh.endpoint\`
  is declared.
- A container on docker0 without IPv6 gets the IPv4 servers of \`dnsServers\` alone, and without any it would ask Google's. So IPv6 servers
  alone are refused, unless \`engine.daemon\` has \`dns\`, \`ipv6\` or \`bridge: none\`.
- docker0, and networks that others make on the node: \`ipv6\`, \`fixed-cidr-v6\`, \`bip6\`, \`ip6tables\` and IPv6 pools in
  \`default-address-pools\`, all in \`engine.daemon\`. None of them may overlap the node's network.
- A declared network: \`networks.<name>.ipv6\`, beside IPv4; see [Give containers IPv6](../how-to/change-a-node.md#give-containers-ipv6).
  Its addresses are written as RFC 5952 and Docker do, in lower case and shortened. Docker tells them in this way, and another spelling
  would be a difference that replaces the network.
- The address of a VM that is adopted stays as it is in the guest.`;

const DAEMON = `The keys are those of dockerd's daemon.json. A node that names none gets the [specified values](specification.md#2-docker).
What belongs to a value goes with it: \`log-opts\` of the defaults when \`log-driver\` is another one, \`storage-opts\` when
\`storage-driver\` is, \`icc\` with \`iptables: false\`, \`bip\` with \`bridge: none\` or with pools that it does not fit into.

- Reload: a running dockerd takes another value over. A key that is taken out needs a restart.
- Restart: containers go on while \`live-restore\` is true.
- \`bridge: none\` is refused with \`portainer\`, \`monitoring.cadvisor\` and \`backups\`: their containers are on docker0.
- With \`userns-remap: null\` and \`storage-driver: null\`, Docker 29 keeps images and what containers write in containerd's store:
  \`/var/lib/containerd\` on the system disk, which has to have 16 GiB then. \`machine.dockerDisk\` has the volumes.`;

function refusedKeys(): string {
  const refused = Object.entries(REFUSED_KEYS).map(([key, reason]) =>
    tableRow([`\`${key}\``, reason]),
  );
  return ["### Refused keys", "", "| key | reason |", "|---|---|", ...refused].join("\n");
}
