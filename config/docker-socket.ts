import { BACKUP_CONTAINER } from "./backups";
import { PROXY_CONTAINER } from "./monitoring";
import { AGENT_CONTAINER, NEXT_AGENT_CONTAINER } from "./portainer";

/** Names of the program's containers that mount Docker's socket. */
export const SOCKET_USERS = [
  ...[AGENT_CONTAINER, NEXT_AGENT_CONTAINER],
  ...[BACKUP_CONTAINER, PROXY_CONTAINER],
];
