/** What a report tells of a node and of a stack: plain data without secrets. */
import type { Row as BackupRow } from "../backups/evidence";
import type { Figures } from "../benchmark/report";
import type { Alert } from "../../clients/prometheus";
import type { Result } from "../validate/row";

/** A part that could be gathered, or the reason why not. */
export type Known<T> = { readonly value: T } | { readonly reason: string };

/** The machine, as declared. */
export interface MachineFacts {
  readonly vmId: number;
  readonly proxmoxNode: string;
  readonly size: string;
  readonly disks: readonly string[];
  /** Of its first NIC, over IPv4, then over IPv6. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  /** Its further NICs, in sentences. */
  readonly nics: readonly string[];
}

/** What `docker info` says, of the machine too. */
export interface DockerFacts {
  readonly release: string;
  readonly system: string;
  readonly kernel: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly storage: string;
  readonly logging: string;
  readonly liveRestore: boolean;
}

export interface ContainerFacts {
  readonly name: string;
  readonly image: string;
  readonly running: boolean;
  /** Undefined without a health check. */
  readonly health?: string;
}

export interface NetworkFacts {
  readonly name: string;
  readonly driver: string;
  readonly subnets: readonly string[];
  readonly internal: boolean;
  readonly members: readonly { readonly container: string; readonly address: string }[];
}

export interface SecurityFacts extends Figures {
  readonly open: readonly { readonly id: string; readonly title: string; readonly what: string }[];
}

/** A vulnerability that blocks an image. */
export interface VulnerabilityFacts {
  readonly id: string;
  readonly severity: string;
  readonly container: string;
  /** From 0 to 4, and why. */
  readonly exposure: number;
  readonly because: readonly string[];
  readonly what: string;
  /** Version that mends it; empty while there is none. */
  readonly fixed: string;
}

/** Scans of a node's images. */
export interface ImageFacts {
  /** How many were scanned. */
  readonly scanned: number;
  readonly waived: number;
  /** The most exposed first. */
  readonly open: readonly VulnerabilityFacts[];
  /** Why others were not scanned. */
  readonly unknown: readonly string[];
}

export interface WaiverFacts {
  readonly id: string;
  readonly container?: string;
  /** With an id of a vulnerability of an image: which, and of what. */
  readonly vulnerability?: string;
  readonly image?: string;
  readonly reason: string;
  readonly control: string;
  readonly owner: string;
  readonly expires: string;
  /** Whole days it still holds; negative when it has expired. */
  readonly daysLeft: number;
}

/** The last rehearsal of the restores. */
export interface DrillFacts {
  /** When its figures were written, ISO 8601. */
  readonly at: string;
  readonly rehearsals: readonly {
    readonly kind: string;
    readonly ok: boolean;
    /** Seconds it took, and may take. */
    readonly rto: { readonly measured: number; readonly required: number };
    /** Seconds of work that were lost, and may be. */
    readonly rpo: { readonly measured: number; readonly required: number };
    readonly error?: string;
  }[];
}

/** A resource that is not as Pulumi recorded it. */
export interface ChangeFacts {
  readonly action: string;
  readonly type: string;
  readonly name: string;
  readonly properties: readonly string[];
}

export interface DriftFacts {
  readonly changes: readonly ChangeFacts[];
  /** What differs on the node itself, in sentences. */
  readonly looks: readonly string[];
  /** What could not be looked at, and why. */
  readonly problems: readonly string[];
}

/** An alert that fires on the node. */
export type AlertFacts = Omit<Alert, "node">;

export interface NodeReport {
  readonly name: string;
  readonly machine: MachineFacts;
  readonly docker: Known<DockerFacts>;
  readonly networks: Known<readonly NetworkFacts[]>;
  readonly containers: Known<readonly ContainerFacts[]>;
  readonly security: Known<SecurityFacts>;
  /** Undefined where the node's images are not scanned. */
  readonly images?: Known<ImageFacts>;
  readonly waivers: readonly WaiverFacts[];
  /** Undefined where the node declares none. */
  readonly backups?: Known<readonly BackupRow[]>;
  readonly drill: Known<DrillFacts>;
  /** Undefined where no Prometheus was named. */
  readonly alerts?: Known<readonly AlertFacts[]>;
  readonly validation: readonly Result[];
  readonly drift: Known<DriftFacts>;
}

export interface StackReport {
  readonly stack: string;
  /** When it was made, ISO 8601. */
  readonly at: string;
  readonly nodes: readonly NodeReport[];
}
