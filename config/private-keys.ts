/** Checks the private key of a node: finds everything that would refuse it later, before anything is touched. */
import { createPrivateKey } from "node:crypto";
import { readFileSync, statSync, type Stats } from "node:fs";
import { utils, type ParsedKey } from "ssh2";
import { groupByNode } from "./causes";
import type { Settings } from "./load";
import { bareKey, homePath } from "./node";
import { ConfigError, type Problem } from "./problems";

/** What is wrong with a private key file. */
export interface KeyProblem {
  /** What is allowed. */
  readonly allowed: string;
  /** What was found. */
  readonly found: string;
  /** A command or another way to fix it. */
  readonly fix: string;
}

/** A private key as the program needs it. */
export interface PrivateKey {
  readonly text: string;
  /** Its public half, type and base64. */
  readonly publicKey: string;
}

const toProblem = (allowed: string, found: string, fix: string): KeyProblem => ({
  allowed,
  found,
  fix,
});

/**
 * Reads a private key file as strictly as its users do: the command plugin (golang.org/x/crypto/ssh), and OpenSSH, which
 * the Docker provider starts. Nobody can be asked for a passphrase.
 *
 * @param file as configured; `~` is the home directory
 * @param publicKeys if given, the public half has to be among them, because the node accepts no other key
 */
export function readPrivateKey(
  file: string,
  publicKeys?: readonly string[],
): PrivateKey | KeyProblem {
  const read = readText(file);
  if (typeof read !== "string") return read;
  const form = formProblem(file, read);
  if (form) return form;
  const publicKey = publicHalf(read);
  if (!publicKey) return explainUnreadable(file, read);
  if (publicKeys && !publicKeys.map(bareKey).includes(publicKey))
    return toProblem(
      "the private half of one of ssh.publicKeys, which are the keys the node accepts",
      "its public half is not in ssh.publicKeys",
      `add to ssh.publicKeys: ${publicKey}`,
    );
  return { text: read, publicKey };
}

function explainUnreadable(file: string, text: string): KeyProblem {
  const parsed: unknown = utils.parseKey(text);
  const said = parsed instanceof Error ? parsed.message : "";
  const locked = /ENCRYPTED/.test(text) || /encrypted/i.test(said);
  return toProblem(
    "a private key without passphrase, as OpenSSH writes it",
    locked
      ? "it has a passphrase; the program needs a key without passphrase"
      : "not a private key without passphrase, as the program needs one",
    `ssh-keygen -p -N '' -f ${file}`,
  );
}

function readText(file: string): string | KeyProblem {
  const path = homePath(file);
  const generate = `ssh-keygen -t ed25519 -f ${file}`;
  try {
    const status = statSync(path);
    return modeProblem(file, status) ?? readFileSync(path, "utf8");
  } catch (error) {
    const gone = (error as NodeJS.ErrnoException).code === "ENOENT";
    const found = gone ? "there is no such file" : (error as Error).message;
    return toProblem("a readable file with the private key", found, generate);
  }
}

/** OpenSSH checks the mode only of files that the user owns (authfile.c, sshkey_perm_ok). */
function modeProblem(file: string, { mode, uid }: Stats): KeyProblem | undefined {
  if ((mode & 0o077) === 0 || uid !== process.getuid?.()) return undefined;
  const found = `others may read it (mode ${(mode & 0o777).toString(8)}); ssh refuses it`;
  return toProblem("a file nobody else may read", found, `chmod 600 ${file}`);
}

/** Finds mistakes in the form of the file. A parser would only report "error in libcrypto". */
function formProblem(file: string, text: string): KeyProblem | undefined {
  const isPrivate = text.includes("PRIVATE KEY");
  if (text.trim() === "")
    return toProblem("a private key", "the file is empty", `ssh-keygen -t ed25519 -f ${file}`);
  if (!isPrivate && !(utils.parseKey(text) instanceof Error))
    return toProblem(
      "the private key",
      "the file holds the public half",
      `name the other file: ${file.replace(/\.pub$/, "")}`,
    );
  if (isPrivate && text.includes("\r"))
    return toProblem(
      "a private key whose lines end in a newline alone",
      "its lines end as on Windows, which ssh refuses",
      `sed -i 's/\\r$//' ${file}`,
    );
  if (isPrivate && !text.endsWith("\n"))
    return toProblem(
      "a private key whose last line ends in a newline",
      "its last line has no newline at its end, which ssh refuses",
      `echo >> ${file}`,
    );
  return undefined;
}

/** Type and base64 of the public half. Undefined for a key with a passphrase, or one that OpenSSH cannot read. */
function publicHalf(text: string): string | undefined {
  // This parser reads PuTTY's format, but OpenSSH does not.
  if (!/^-----BEGIN [A-Z ]*PRIVATE KEY-----$/m.test(text)) return undefined;
  // By its types the parser returns one key. For formats that hold several it returns a list.
  const parsed = utils.parseKey(explainTraditional(text)) as ParsedKey | ParsedKey[] | Error;
  if (parsed instanceof Error) return undefined;
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return key?.isPrivateKey() ? `${key.type} ${key.getPublicSSH().toString("base64")}` : undefined;
}

/** Converts PKCS #8, which ssh2 cannot read, to the older form of the key's algorithm, which it can. */
function explainTraditional(text: string): string {
  if (!text.includes("BEGIN PRIVATE KEY")) return text;
  try {
    const key = createPrivateKey(text);
    const type = key.asymmetricKeyType === "rsa" ? "pkcs1" : "sec1";
    return key.export({ type, format: "pem" }) as string;
  } catch {
    return "";
  }
}

/**
 * Reads the private keys of all nodes, by node.
 * @throws ConfigError that names every node whose key cannot be used, and how to fix it
 */
export function readPrivateKeys({
  nodes,
}: Pick<Settings, "nodes">): Readonly<Record<string, string>> {
  const problems: Problem[] = [];
  const texts: Record<string, string> = {};
  for (const [name, { ssh }] of Object.entries(nodes)) {
    const key = readPrivateKey(ssh.privateKeyFile, ssh.publicKeys);
    if ("text" in key) texts[name] = key.text;
    else problems.push(asProblem(name, ssh.privateKeyFile, key));
  }
  if (problems.length > 0) throw new ConfigError(groupByNode(problems));
  return texts;
}

function asProblem(node: string, value: string, { allowed, found, fix }: KeyProblem): Problem {
  const path = ["nodes", node, "ssh", "privateKeyFile"];
  return { path, value, allowed: `${allowed}; this one: ${found} (${fix})` };
}
