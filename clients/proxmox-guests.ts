/** The guests of a Proxmox cluster. */
import type { z } from "zod";
import { ask } from "./proxmox";
import { guests } from "./proxmox-answers";

/** Where Proxmox lists the guests of every node. */
export const GUESTS = "/cluster/resources?type=vm";

/** A VM or a container, on whatever Proxmox node it runs. */
export type ListedGuest = z.output<typeof guests>[number];

/**
 * Lists the guests that the token may see, on every Proxmox node.
 * @throws ClusterError or AnswerError
 */
export function listGuests(get: (path: string) => Promise<unknown>): Promise<ListedGuest[]> {
  return ask(get, GUESTS, guests);
}
