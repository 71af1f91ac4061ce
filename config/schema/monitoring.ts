import { z } from "zod";
import { absolutePath, address, pinnedImage, port } from "./fields";

/** `monitoring` of a node: what Prometheus reads there. */
export const monitoringSchema = z.strictObject({
  scrapers: z
    .array(address)
    .min(1)
    .describe("Addresses of the Prometheus servers; the firewall lets only them read metrics."),
  nodeExporter: z
    .strictObject({ port: port.default(9100) })
    .optional()
    .describe(
      "Processors, memory, disks and network of the machine: node-exporter, the distribution's package.",
    ),
  cadvisor: z
    .strictObject({
      image: pinnedImage,
      port: port.default(9101),
      proxy: z
        .strictObject({ image: pinnedImage })
        .describe(
          "Between cAdvisor and Docker; it passes on only what cAdvisor reads. HAProxy's image on Alpine, of `docker.io/library/haproxy`.",
        ),
    })
    .optional()
    .describe("Processors, memory, disks and network of each container: cAdvisor, a container."),
  docker: z
    .strictObject({ port: port.default(9323) })
    .optional()
    .describe("dockerd's own metrics. Sets `metrics-addr` to the node's address."),
  health: z
    .strictObject({
      directory: absolutePath
        .default("/var/lib/prometheus/node-exporter")
        .describe("Folder from which node-exporter's textfile collector reads."),
    })
    .optional()
    .describe(
      "Health of containers and Docker, age of backups, changes by hand, certificate, clock and a needed reboot, as files for node-exporter.",
    ),
});
