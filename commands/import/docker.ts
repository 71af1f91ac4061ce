/** Turns the Docker that runs into its configuration. */
import { publicKey } from "../../config/schema/fields";
import { withoutOutsideRuntime } from "../../config/outside";
import type { Tree } from "../../config/tree";
import type { Facts } from "./facts";
import type { Findings } from "./finding";

const OFFICIAL = [
  "docker-ce",
  "docker-ce-cli",
  "containerd.io",
  "docker-buildx-plugin",
  "docker-compose-plugin",
];

/** The section `engine` without `daemon`, which is merged with other defaults. */
export function dockerOf(facts: Facts, user: string, findings: Findings): Tree {
  const { change, adopt, refuse } = findings;
  const source = facts.packages["docker-ce"] ? "official" : "distribution";
  const name = source === "official" ? "docker-ce" : "docker.io";
  const version = upstreamOf(facts.packages[name] ?? "");
  const missing = source === "official" ? OFFICIAL.filter((one) => !(one in facts.packages)) : [];
  if (!version) refuse("Docker", "is from neither package docker-ce nor docker.io");
  else adopt("docker", `Docker ${version} (${name}); daemon.json as it is, no restart`);
  if (missing.length > 0) change("packages", `${missing.join(", ")} get installed`);
  if (!facts.holds.includes(name))
    change("packages", `${name} and what belongs to it get held at their version`);
  checkUnit(facts, findings);
  change(
    "sshd",
    "MaxStartups and MaxSessions are raised, one connection a resource; sshd reloads, sessions go on",
  );
  if (!facts.dockerGroup.includes(user))
    refuse(
      "group docker",
      `${user} is not in it, so nothing can be read as ${user}: usermod -aG docker ${user}`,
    );
  const groupMembers = facts.dockerGroup.filter((member) => member !== user);
  return { source, version, groupMembers: [...groupMembers].sort() };
}

function checkUnit({ unit: properties, info }: Facts, { change, leave, refuse }: Findings): void {
  if (properties.UnitFileState !== "enabled") change("docker.service", "gets enabled at boot");
  const tcp = /(?:-H|--host)[= ](tcp:\S+)/.exec(properties.ExecStart ?? "")?.[1];
  if (tcp) leave("docker.service", `listens on ${tcp} by its unit; a node should not`);
  if (info && info.swarm !== "inactive")
    refuse("swarm", `is ${info.swarm}; it excludes live-restore`);
  if (info?.liveRestore === false)
    leave(
      "live-restore",
      "is off: a restart of dockerd stops containers until engine.daemon has it",
    );
}

/** `5:29.10.0-1~ubuntu.24.04~noble` is 29.10.0 (node/install.sh, `upstream`). */
export function upstreamOf(version: string): string {
  return version.replace(/^\d+:/, "").replace(/[-+~].*$/, "");
}

/** daemon.json as found, without what the program adds by itself; a missing file counts as an empty one. */
export function daemonOf({ daemonJson = "{}" }: Facts, { refuse }: Findings): Tree {
  try {
    return withoutOutsideRuntime(JSON.parse(daemonJson) as Tree);
  } catch (error) {
    refuse("daemon.json", `is not JSON: ${(error as Error).message}`);
    return {};
  }
}

/** Public keys that the configuration can declare. A key with options stays in the file, but cannot be declared. */
export function publicKeysOf(facts: Facts, user: string, { leave, refuse }: Findings): string[] {
  const lines = facts.authorizedKeys.filter((line) => !line.startsWith("#"));
  const plain = lines.filter((line) => publicKey.safeParse(line).success);
  const keys = [...new Set(plain)];
  const others = lines.length - plain.length;
  if (others > 0) leave("authorized keys", `${others} of ${user} with options stay, undeclared`);
  if (keys.length === 0) refuse("authorized keys", `${user} has none that could be declared`);
  return keys;
}
