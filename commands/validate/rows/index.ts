/** All rows, in the order they are tried and shown. */
import type { Row } from "../row";
import { containers, daemon, networks, testContainer, volumes } from "./docker";
import { images } from "./images";
import { acrossNodes, cpu, diskSpace, latency, memory, writes } from "./performance";
import { agent, discovery, discoveryAcross, portainer, ports, primary, reboot } from "./platform";
import { backups, benchmark, drift } from "./stack";

/** All rows, in the order in which they are measured and shown. */
export const ROWS: readonly Row[] = [
  ...[daemon, testContainer, containers, networks, volumes],
  ...[cpu, memory, latency, acrossNodes, writes, diskSpace],
  ...[ports, agent, portainer, primary, discovery, discoveryAcross],
  ...[benchmark, images, backups, reboot, drift],
];
