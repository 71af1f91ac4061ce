import { CONTAINER_KEYS } from "./containers";
import { LOGGING_KEYS } from "./logging";
import { NETWORK_KEYS } from "./network";
import { REGISTRY_KEYS } from "./registries";
import { STORAGE_KEYS } from "./storage";

/**
 * The keys of daemon.json this program knows, by their own names: what they may hold (moby
 * daemon/config/config.go at v29) and what a change of them does. The values, the plan and
 * `node/daemon.sh` all go by this table.
 *
 * A reload takes over what docs.docker.com/reference/cli/dockerd names under "Configuration reload
 * behavior". `authorization-plugins` is missing on purpose, see `refused.ts`.
 */
export const DAEMON_KEYS = {
  ...CONTAINER_KEYS,
  ...LOGGING_KEYS,
  ...NETWORK_KEYS,
  ...REGISTRY_KEYS,
  ...STORAGE_KEYS,
} as const;
