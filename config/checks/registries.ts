import { certificatesIn } from "../certificates";
import { attempt } from "../partial";
import { keyText } from "../problems";
import { DOCKER_HUB } from "../registries";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Checks the authorities of registries: none for Docker Hub, and none that has expired. */
export function checkAuthorities({ registries }: NodeConfig, report: Report, now: Date): void {
  for (const [host, registry] of Object.entries(registries))
    attempt(() => {
      const path = `registries/${host}/caCertificate`;
      const { caCertificate } = registry;
      if (caCertificate === undefined) return;
      if (host === DOCKER_HUB)
        report(
          path,
          "a certificate",
          "leave it out: dockerd trusts only public authorities for it",
        );
      for (const { validTo, subject } of certificatesIn(caCertificate))
        if (Date.parse(validTo) < now.getTime())
          report(path, `${subject}, until ${validTo}`, "a certificate that has not expired");
    });
}

type FleetReport = (node: string, path: string, value: unknown, allowed: string) => void;

/** Nodes share the password of a registry, so they have to share its user. */
export function checkUsers(): (name: string, node: NodeConfig, report: FleetReport) => void {
  const first = new Map<string, readonly [user: string, node: string]>();
  return (name, { registries }, report) => {
    for (const [host, { username }] of Object.entries(registries)) {
      if (username === undefined) continue;
      const [user, other] = first.get(host) ?? [username, name];
      first.set(host, [user, other]);
      if (user !== username)
        report(
          name,
          `registries/${host}/username`,
          username,
          `${user}, as for ${keyText(other)}: nodes share the registry's password`,
        );
    }
  };
}
