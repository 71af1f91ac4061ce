/**
 * Dials a host, through a proxy if one is given, and again until it answers. While it dials it does not say why it has to.
 *
 * As upstream does: every failure to connect counts, also a refused login or a wrong host key;
 * `dialErrorLimit` allows so many failures, and one more ends the attempts; they start 0.1 s apart
 * and slow down to one in 5 s (pulumi-command#199, #234, #1238).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "ssh2";
import { messageOf } from "./operations";
import type { Operation } from "./operations";
import { askAgent, checkKeys, connect } from "./ssh";
import type { Connection, Endpoint, Socket } from "./ssh";

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 5000;

/**
 * Runs one attempt after another until one succeeds, the limit is passed or the operation is over.
 */
async function withRetry<T>(
  { signal, log }: Operation,
  what: string,
  limit: number,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let dials = 1, delay = FIRST_DELAY_MS; ; dials++, delay *= 1.5) {
    try {
      return await attempt();
    } catch (error) {
      const reason = messageOf(error);
      if (limit > -1 && dials > limit) {
        throw new Error(`after ${limit} failed attempts: ${reason}`, { cause: error });
      }
      const count = `${dials}/${limit === -1 ? "inf" : limit}`;
      log("status", `${what} ${count} failed: retrying`);
      await sleep(Math.min(delay, LAST_DELAY_MS), undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    }
  }
}

function forward(proxy: Client, { host, port }: Endpoint): Promise<Socket> {
  return new Promise((resolve, reject) => {
    proxy.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      if (error) reject(error);
      else resolve(channel);
    });
  });
}

async function dial(operation: Operation, to: Connection, proxy?: Client): Promise<Client> {
  const what = proxy ? "Dial from proxy" : "Dial";
  return withRetry(operation, what, to.dialErrorLimit, async () =>
    connect(to, operation.signal, proxy && (await forward(proxy, to))),
  );
}

/** Runs `use` on a client of its own. As upstream 1.2.1 it closes no connection: they end with the plugin. */
export async function withClient<T>(
  operation: Operation,
  connection: Connection,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const { proxy } = connection;
  for (const endpoint of proxy ? [connection, proxy] : [connection]) {
    checkKeys(endpoint);
    await askAgent(endpoint);
  }
  if (!proxy) return use(await dial(operation, connection));
  const through = await prefixErrors("proxy", dial(operation, proxy));
  return use(await prefixErrors("proxy", dial(operation, connection, through)));
}

function prefixErrors<T>(prefix: string, promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw new Error(`${prefix}: ${messageOf(error)}`, { cause: error });
  });
}
