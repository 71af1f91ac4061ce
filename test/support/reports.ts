/** Reports with made-up findings, as docker-node report gathers them. */
import type { Row as BackupRow } from "../../commands/backups/evidence";
import type { NodeReport, StackReport } from "../../commands/report/model";
import type { Result } from "../../commands/validate/row";

/** Text of a part of a node's page, one space between words. */
export function textOfPart(page: string, id: string): string {
  const [, found = ""] =
    new RegExp(`<section aria-labelledby="${id}">([^]*?)</section>`).exec(page) ?? [];
  return found
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

const HOUR = 3600;

/** When every report of the tests was made. */
export const AT = "2026-11-28T04:05:06.000Z";

const row = (more: Partial<Result>): Result => ({
  ...{ node: "proj-docker02", id: "iops", title: "Writes to a volume", how: "fio", state: "held" },
  ...{ threshold: "> 1000 IOPS", figure: "5000 IOPS for 15 s" },
  ...more,
});

const backup = (more: Partial<BackupRow>): BackupRow => ({
  ...{ kind: "volume", item: "portainer_data", usedBy: ["portainer_agent"], state: "ok" },
  ...{ snapshot: "host/volumes/2026-11-28", age: 2 * HOUR, rpo: 24 * HOUR },
  ...more,
});

/** A node with everything in order. */
export const GOOD: NodeReport = {
  name: "proj-docker02",
  machine: {
    ...{ vmId: 2024, proxmoxNode: "pve01", size: "6 cores, 16 GiB" },
    disks: ["64 GiB on local-lvm", "200 GiB on local-lvm"],
    ...{ addresses: ["10.25.20.24"], gateways: ["10.25.20.1"], nics: [] },
  },
  docker: {
    value: {
      ...{ release: "29.1.3", system: "Ubuntu 24.04.3 LTS", kernel: "6.8.0-88-generic" },
      ...{ processors: 6, memoryBytes: 16 * 1024 ** 3 },
      ...{ storage: "overlay2", logging: "json-file", liveRestore: true },
    },
  },
  networks: {
    value: [
      {
        ...{ name: "bridge", driver: "bridge", subnets: ["172.17.0.0/16"], internal: false },
        members: [{ container: "portainer_agent", address: "172.17.0.2" }],
      },
      {
        ...{ name: "proj-backend", driver: "bridge", subnets: ["172.20.0.0/24"], internal: true },
        members: [
          { container: "a-database-with-a-long-name", address: "172.20.0.3" },
          { container: "web", address: "172.20.0.2" },
        ],
      },
      {
        ...{ name: "proj-frontend", driver: "bridge", subnets: ["172.19.0.0/24"], internal: false },
        members: [{ container: "web", address: "172.19.0.2" }],
      },
    ],
  },
  containers: {
    value: [
      { name: "a-database-with-a-long-name", image: "postgres:17@sha256:0", running: true },
      { name: "portainer_agent", image: "portainer/agent:2.39.1@sha256:1", running: true },
      { name: "stopped", image: "busybox:1", running: false },
      { name: "web", image: "nginx:1.29@sha256:2", running: true, health: "healthy" },
    ],
  },
  security: {
    value: {
      ...{ checks: 117, passed: 66, raw: 9, waived: 9, net: 0, person: 42 },
      open: [],
    },
  },
  waivers: [
    {
      ...{ id: "cis-docker-2.12", reason: "Docker has no plugin", control: "SSH keys alone" },
      ...{ owner: "platform", expires: "2027-05-31", daysLeft: 184 },
    },
  ],
  backups: {
    value: [
      backup({}),
      backup({ kind: "bind mount", item: "/run/docker.sock", state: "no data", age: undefined }),
    ],
  },
  drill: {
    value: {
      at: "2026-11-20T10:00:00.000Z",
      rehearsals: [
        {
          ...{ kind: "volume", ok: true },
          ...{ rto: { measured: 90, required: 900 }, rpo: { measured: 30, required: 86400 } },
        },
      ],
    },
  },
  alerts: { value: [] },
  validation: [
    row({}),
    row({
      id: "primary",
      title: "Primary node",
      state: "not declared",
      figure: undefined,
      threshold: undefined,
    }),
  ],
  drift: { value: { changes: [], looks: [], problems: [] } },
};

/** Late backups, an expired waiver, a finding, a row that is not held, drift, and a container that is unhealthy. */
export const BAD: NodeReport = {
  ...GOOD,
  name: "proj-docker01",
  containers: {
    value: [{ name: "web", image: "nginx:1.29@sha256:2", running: true, health: "unhealthy" }],
  },
  security: {
    value: {
      ...{ checks: 117, passed: 65, raw: 10, waived: 9, net: 1, person: 42 },
      open: [{ id: "5.4", title: "it has no added capability", what: "web: SYS_ADMIN" }],
    },
  },
  waivers: [
    {
      ...{ id: "cis-docker-5.13", container: "web", reason: "it writes", control: "a volume" },
      ...{ owner: "web", expires: "2026-11-01", daysLeft: -27 },
    },
    {
      ...{ id: "cis-docker-2.13", reason: "json-file", control: "journal", owner: "platform" },
      ...{ expires: "2026-12-08", daysLeft: 10 },
    },
  ],
  backups: { value: [backup({ state: "late", age: 30 * HOUR, detail: "last run failed: full" })] },
  drill: {
    value: {
      at: "2026-11-20T10:00:00.000Z",
      rehearsals: [
        {
          ...{ kind: "vm", ok: false, error: "no snapshot" },
          ...{ rto: { measured: 0, required: 3600 }, rpo: { measured: 0, required: 86400 } },
        },
      ],
    },
  },
  alerts: {
    value: [
      {
        ...{ name: "DockerNodeDockerDown", severity: "critical", since: "2026-11-28T03:00:00Z" },
        summary: "proj-docker01: dockerd does not answer",
      },
    ],
  },
  validation: [row({ state: "not held", figure: "12 IOPS for 15 s" })],
  drift: {
    value: {
      changes: [
        {
          ...{ action: "update", name: "proj-docker01-vm", properties: ["cpu.cores"] },
          type: "proxmoxve:index/vmLegacy:VmLegacy",
        },
      ],
      looks: ["/etc/docker/daemon.json debug: true on the node, absent as declared"],
      problems: ["storage: could not be checked"],
    },
  },
};

const reason = "10.25.20.25: Connection timed out";

/** Nothing could be gathered. */
export const UNKNOWN: NodeReport = {
  ...GOOD,
  name: "proj-docker03",
  ...{ docker: { reason }, networks: { reason }, containers: { reason }, security: { reason } },
  ...{ backups: { reason: "PBS_RESTORE_TOKEN_ID is not set" }, drill: { reason: "no file" } },
  validation: [row({ state: "not measured", figure: undefined, reason })],
  alerts: { reason: "http://mon01:9090/api/v1/alerts cannot be read: no route" },
  drift: { reason: "the Pulumi CLI does not start" },
};

export const STACK: StackReport = { stack: "prod", at: AT, nodes: [GOOD, BAD, UNKNOWN] };

/** The same report with this text in place of every other. */
export function hostile<T>(value: T, text: string): T {
  if (typeof value === "string") return text as T;
  if (Array.isArray(value)) return value.map((one: unknown) => hostile(one, text)) as T;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, keep(key, one, text)]);
  return Object.fromEntries(entries) as T;
}

/** Times and states are the program's own words. */
const keep = (key: string, value: unknown, text: string): unknown =>
  ["at", "since", "state"].includes(key) ? value : hostile(value, text);
