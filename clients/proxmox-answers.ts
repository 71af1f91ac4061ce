/** Shapes of the answers of Proxmox VE, as far as the program reads them (https://pve.proxmox.com/pve-docs/api-viewer/). */
import { z } from "zod";

/** 0 or 1, which Proxmox writes as number, text or boolean. */
const flag = z.union([z.number(), z.string(), z.boolean()]).optional();

/** `GET /cluster/resources?type=vm`: a guest. */
export const guests = z.array(
  z.looseObject({
    vmid: z.coerce.number().optional(),
    type: z.string().optional(),
    name: z.string().optional(),
    node: z.string().optional(),
    status: z.string().optional(),
  }),
);

/** `GET /nodes/{node}/qemu/{vmid}/config` */
export const guestConfig = z.record(z.string(), z.union([z.string(), z.number()]));

/** `GET /nodes/{node}/qemu/{vmid}/firewall/rules` */
export const firewallRules = z.array(z.unknown());

/** `GET /cluster/firewall/options`; without `enable` it is off. */
export const firewallOptions = z.looseObject({ enable: z.coerce.number().default(0) });

/** `GET /nodes/{node}/tasks/{upid}/status` */
export const task = z.looseObject({ status: z.string(), exitstatus: z.string().optional() });

/** `GET /nodes/{node}/storage/{storage}/content` */
export const content = z.array(
  z.looseObject({
    volid: z.string(),
    ctime: z.coerce.number(),
    vmid: z.union([z.number(), z.string()]).optional(),
    protected: flag,
  }),
);

/** `GET /storage` */
export const storages = z.array(
  z.looseObject({
    storage: z.string(),
    "max-protected-backups": z.union([z.number(), z.string()]).optional(),
  }),
);

/** `GET /nodes/{node}/storage` */
export const datastores = z.array(
  z.looseObject({
    storage: z.string(),
    type: z.string(),
    content: z.string(),
    active: flag,
    avail: z.number().optional(),
    /** Every Proxmox node has the same files. */
    shared: flag,
  }),
);

/** `GET /access/permissions`: path → privilege → whether it is handed down. */
export const permissions = z.record(z.string(), z.record(z.string(), z.unknown()));

/** `GET /nodes` */
export const members = z.array(z.looseObject({ node: z.string(), status: z.string().optional() }));

/** `GET /nodes/{node}/network` */
export const interfaces = z.array(
  z.looseObject({
    iface: z.string(),
    type: z.string(),
    bridge_vlan_aware: flag,
    bridge_vids: z.string().optional(),
    /** Only where it is declared. */
    mtu: z.coerce.number().optional(),
  }),
);

/** `GET /version` */
export const version = z.looseObject({ version: z.string() });
