/**
 * One attempt to connect to a host over ssh.
 *
 * `perDialTimeout` covers the TCP connection alone, as upstream's does though it is documented "for each dial attempt": a server that
 * accepts and stays silent holds the attempt up until the resource's time is over (pulumi-command#199, #268).
 */
import { once } from "node:events";
import { connect as connectTo, type Socket as TcpSocket } from "node:net";
import { Client, utils } from "ssh2";
import type { AuthenticationType, ConnectConfig, ParsedKey } from "ssh2";

export interface Endpoint {
  host: string;
  port: number;
  user: string;
  password?: string;
  privateKey?: string;
  privateKeyPassword?: string;
  agentSocketPath?: string;
  hostKey?: string;
  /** -1: no limit. */
  dialErrorLimit: number;
  /** Seconds for the TCP connection of one attempt; 0: no limit. */
  perDialTimeout: number;
}

export interface Connection extends Endpoint {
  proxy?: Endpoint;
}

export type Socket = NonNullable<ConnectConfig["sock"]>;

function parseKey(text: string, what: string, passphrase?: string): ParsedKey {
  // The types promise one key; the parser answers with a list for formats that hold several.
  const parsed = utils.parseKey(text, passphrase) as ParsedKey | ParsedKey[] | Error;
  if (parsed instanceof Error) throw new Error(`failed to parse ${what}: ${parsed.message}`);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (!key) throw new Error(`failed to parse ${what}: it holds no key`);
  return key;
}

/** Fails at once on keys no attempt could use; only the attempts themselves are repeated. */
export function checkKeys({ privateKey, privateKeyPassword, hostKey }: Endpoint): void {
  if (privateKey !== undefined) parseKey(privateKey, "private key", privateKeyPassword);
  if (hostKey) parseKey(hostKey.trim(), "host key");
}

/** Asks the server for the expected kind of key only, and accepts no other key. */
function hostKeyConfig(line: string, onMismatch: () => void): ConnectConfig {
  const key = parseKey(line.trim(), "host key");
  const expected = key.getPublicSSH();
  const hostVerifier = (actual: Buffer): boolean => {
    if (!actual.equals(expected)) onMismatch();
    return actual.equals(expected);
  };
  // As upstream 1.2.1: of an RSA key this means SHA-1, which no current sshd offers.
  const names = [key.type];
  // A cast, because the type lists the names it knows.
  const algorithms = { serverHostKey: names } as ConnectConfig["algorithms"];
  return { hostVerifier, algorithms };
}

/** The ways to log in that the settings allow, in upstream's order: the private key first. */
function authConfig(endpoint: Endpoint): ConnectConfig {
  const { password, privateKey, privateKeyPassword } = endpoint;
  const agent = endpoint.agentSocketPath ?? process.env["SSH_AUTH_SOCK"];
  const authHandler: AuthenticationType[] = ["none"];
  if (privateKey !== undefined) authHandler.push("publickey");
  if (password !== undefined) authHandler.push("password", "keyboard-interactive");
  if (privateKey === undefined && agent) authHandler.push("agent");
  const passphrase = privateKeyPassword;
  return { password, privateKey, passphrase, agent, authHandler, tryKeyboard: true };
}

/** Upstream 1.2.1 connects to the agent before it dials, whether there is a key or not, and fails where that does not answer. */
export async function askAgent({ agentSocketPath }: Endpoint): Promise<void> {
  const path = agentSocketPath ?? process.env["SSH_AUTH_SOCK"];
  if (!path) return;
  const socket = connectTo(path);
  try {
    await once(socket, "connect");
  } catch (error) {
    throw new Error(`dial unix ${path}: ${(error as Error).message}`, { cause: error });
  } finally {
    socket.destroy();
  }
}

function connectConfig(endpoint: Endpoint, onMismatch: () => void): ConnectConfig {
  const { user: username, hostKey } = endpoint;
  const expectation = hostKey ? hostKeyConfig(hostKey, onMismatch) : {};
  // No limit: the handshake and the login have none.
  return { username, readyTimeout: 0, ...authConfig(endpoint), ...expectation };
}

/** Connects within the time for one attempt, or fails with the reason. */
async function connectTcp(
  { host, port, perDialTimeout }: Endpoint,
  signal: AbortSignal,
): Promise<TcpSocket> {
  const limit = perDialTimeout > 0 ? [AbortSignal.timeout(perDialTimeout * 1000)] : [];
  const socket = connectTo({ host, port });
  try {
    await once(socket, "connect", { signal: AbortSignal.any([signal, ...limit]) });
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    if (!limit[0]?.aborted) throw error;
    throw new Error(`dial tcp ${host}:${port}: i/o timeout`, { cause: error });
  }
}

async function waitForClose(client: Client): Promise<never> {
  await once(client, "close");
  throw new Error("ssh: the connection was closed");
}

/**
 * Connects, or fails with the reason; `sock` is a connection that exists already, such as one
 * through a proxy.
 */
export async function connect(
  endpoint: Endpoint,
  signal: AbortSignal,
  sock?: Socket,
): Promise<Client> {
  const stream = sock ?? (await connectTcp(endpoint, signal));
  const client = new Client();
  const seen = { mismatch: false };
  client.on("keyboard-interactive", (_name, _text, _language, prompts, answer) => {
    answer(prompts.map(() => endpoint.password ?? ""));
  });
  // A later failure ends the sessions, and they say why.
  client.on("error", () => undefined);
  try {
    client.connect({ ...connectConfig(endpoint, () => (seen.mismatch = true)), sock: stream });
    // Waiting to fill packets, as sockets do by default, makes a session four times as slow.
    client.setNoDelay(true);
    await Promise.race([once(client, "ready", { signal }), waitForClose(client)]);
    return client;
  } catch (error) {
    client.destroy();
    signal.throwIfAborted();
    throw seen.mismatch ? new Error("ssh: handshake failed: ssh: host key mismatch") : error;
  }
}
