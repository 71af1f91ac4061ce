import type { WorkloadPort } from "../../config/workloads";
import type { RecordedPort } from "../../node/recorded";

/** A published port, as the Docker provider wants it. */
type PortArgs = Required<RecordedPort>;

/**
 * The ports of a workload's container. If they are those of the state, they have its order: of TCP and UDP on one port the provider
 * reads now one and now the other first (terraform-provider-docker, byPortAndProtocol), and it replaces the container for another order.
 *
 * @param recorded ports of its container in the state
 */
export function publishedPorts(
  declared: readonly WorkloadPort[],
  recorded: readonly RecordedPort[] = [],
): PortArgs[] {
  const ports = declared.map(toArgs);
  const places = recorded.map(describePort);
  const placeOf = (port: PortArgs): number => places.indexOf(describePort(port));
  const areRecorded = ports.length === recorded.length && ports.every((port) => placeOf(port) >= 0);
  return areRecorded ? ports.toSorted((a, b) => placeOf(a) - placeOf(b)) : ports;
}

const toArgs = ({ address, port, containerPort, protocol }: WorkloadPort): PortArgs => ({
  ...{ internal: containerPort, external: port, ip: address, protocol },
});

const describePort = ({ internal, external, ip, protocol }: RecordedPort): string =>
  JSON.stringify([ip, external, internal, protocol]);
