/** Looks at a node over SSH: its host key first, then everything else through a connection that pins it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { shellQuote } from "../../node/scripts";
import { bareKey, sshOptions } from "../../config/node";
import type { Run } from "../../clients/process";
import { runScript, type Target } from "../../clients/ssh";
import { parseFacts, type Facts } from "./facts";

/**
 * Parses `user@host:port`; user and port may be left out.
 * @throws Error when it is anything else
 */
export function parseTarget(text: string, user: string): Target {
  const [, name, host, port = "22"] =
    /^(?:([a-z_][\w-]*)@)?([\w.-]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (!host || Number(port) < 1 || Number(port) > 65535)
    throw new Error(`--ssh ${text}: allowed is user@host:port, such as ubuntu@10.25.20.24:22`);
  return { user: name ?? user, host, port: Number(port) };
}

/** The ed25519 host key that answers, `type base64`: that of ready.sh and of every later connection. */
export async function scanHostKey({ host, port }: Target, run: Run): Promise<string> {
  const args = ["-T", "20", "-t", "ed25519", "-p", String(port), host];
  const { code, stdout } = await run("ssh-keyscan", args);
  if (code === undefined) throw new Error("ssh-keyscan is missing; apt-get install openssh-client");
  const line = stdout.split("\n").find((one) => one !== "" && !one.startsWith("#"));
  const [, type, key] = line?.split(/\s+/) ?? [];
  if (!type || !key) throw new Error(`no sshd with an ed25519 host key answers at ${host}:${port}`);
  return `${type} ${key}`;
}

/**
 * Checks a given host key. It becomes `ssh.hostKey`, and inspect.sh compares it with the node's own.
 * @throws Error when it is of another type
 */
export function requireKey(given: string): string {
  if (/^ssh-ed25519 [A-Za-z0-9+/=]+( |$)/.test(given)) return bareKey(given);
  throw new Error(
    `--host-key ${given}: allowed is the node's ed25519 host key, the text of /etc/ssh/ssh_host_ed25519_key.pub there`,
  );
}

/** As `ssh-keygen -l` shows it: `SHA256:…`. */
export function fingerprintOf(hostKey: string): string {
  const blob = Buffer.from(hostKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/**
 * Runs inspect.sh as root on the node.
 * @throws Error with what ssh or sudo said
 */
export async function inspect(
  target: Target,
  hostKey: string,
  privateKeyFile: string,
): Promise<Facts> {
  const script = readFileSync(join(__dirname, "inspect.sh"), "utf8");
  const { user, host, port } = target;
  const options = sshOptions({ ssh: { privateKeyFile } }, hostKey);
  const said = await runScript(target, options, `NODE_USER=${shellQuote(user)}\n${script}`);
  const facts = parseFacts(said);
  if (!facts.hostKey.startsWith(hostKey))
    throw new Error(
      `the host key that answered is not the node's own: is ${host}:${port} the node?`,
    );
  return facts;
}
