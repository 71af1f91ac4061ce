/** Guests that are suspended to disk, and go on from there. */
import { call, type Access } from "../../clients/proxmox";
import { openProxmox, waitForTask } from "../../clients/proxmox-backups";
import { listGuests } from "../../clients/proxmox-guests";
import type { Lab } from "./services";

type ProxmoxApi = Pick<Lab, "endpoint" | "apiToken">;

const POLL_MS = 200;

const accessTo = ({ endpoint, apiToken }: ProxmoxApi): Access => ({
  ...{ endpoint, apiToken },
  insecure: true,
  timeoutMs: 60_000,
});

interface Listed {
  readonly node: string;
  readonly vmId: number;
}

async function listGuestsThat(access: Access, status: "running" | "stopped"): Promise<Listed[]> {
  const all = await listGuests((path) => call(access, "GET", path));
  return all
    .filter((guest) => guest.status === status)
    .map(({ node = "", vmid = 0 }) => ({ node, vmId: vmid }));
}

/** Suspends every running guest to disk; their processes end. */
export async function suspendGuests(lab: ProxmoxApi): Promise<void> {
  const access = accessTo(lab);
  const get = (path: string): Promise<unknown> => call(access, "GET", path);
  for (const { node, vmId } of await listGuestsThat(access, "running")) {
    const path = `/nodes/${node}/qemu/${vmId}/status/suspend`;
    const upid = await call(access, "POST", path, { todisk: 1 });
    await waitForTask(get, String(upid), POLL_MS);
  }
}

/** Lets every guest that is suspended to disk go on; its clock is right again if it has the guest agent. */
export async function wakeGuests(lab: ProxmoxApi): Promise<void> {
  const access = accessTo(lab);
  for (const { node, vmId } of await listGuestsThat(access, "stopped")) {
    const proxmox = openProxmox(access, node, POLL_MS);
    if ((await proxmox.guest(vmId))?.lock === "suspended") await proxmox.start(vmId);
  }
}
