import { CONTAINER_KEYS } from "./containers";
import { LOGGING_KEYS } from "./logging";
import { NETWORK_KEYS } from "./network";
import { REGISTRY_KEYS } from "./registries";
import { STORAGE_KEYS } from "./storage";

/**
 * The keys of daemon.json that this program accepts, by name: their values (moby daemon/config/config.go at v29) and
 * the effect of a change. The schema, the plan and `node/daemon.sh` all read this table.
 *
 * A reload applies the keys that docs.docker.com/reference/cli/dockerd lists under "Configuration reload behavior".
 * `authorization-plugins` is left out on purpose, see `refused.ts`.
 */
export const DAEMON_KEYS = {
  ...CONTAINER_KEYS,
  ...LOGGING_KEYS,
  ...NETWORK_KEYS,
  ...REGISTRY_KEYS,
  ...STORAGE_KEYS,
} as const;
