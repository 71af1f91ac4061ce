import { readFileSync } from "node:fs";
import type { Settings } from "./load";
import { homePath } from "./node";
import { ConfigError } from "./problems";

/**
 * The private key of every node, by node name. Read before anything is touched.
 * @throws ConfigError for a file that cannot be read
 */
export function readPrivateKeys({ nodes }: Settings): Readonly<Record<string, string>> {
  const entries = Object.entries(nodes).map(([name, { ssh }]) => [
    name,
    readPrivateKey(name, ssh.privateKeyFile),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function readPrivateKey(node: string, file: string): string {
  try {
    return readFileSync(homePath(file), "utf8");
  } catch {
    const path = ["nodes", node, "ssh", "privateKeyFile"];
    throw new ConfigError([{ path, value: file, allowed: "a readable file with the private key" }]);
  }
}
