/** TLS and passwords before the lab's registry: the certificate is signed by nobody that a node trusts by itself. */
import { request } from "node:http";
import type { Server } from "node:https";
import { pipeline } from "node:stream";
import { NETWORK, TLS_REGISTRY_PORT, type Lab } from "../../lab/lib/services";
import { answering, close, selfSigned } from "../support/portainer";

export interface PrivateRegistry {
  /** Host and port, as a node reaches it. */
  readonly host: string;
  readonly caCertificate: string;
  close(): void;
}

/** Starts it. It lets in a user with one of these passwords. */
export async function startPrivateRegistry(
  { registryPorts }: Lab,
  user: string,
  passwords: readonly string[],
): Promise<PrivateRegistry> {
  const identity = selfSigned(["127.0.0.1", NETWORK.registry]);
  const accepted = passwords.map(
    (password) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
  );
  const server: Server = answering(identity, (asked, answer) => {
    const { authorization = "", ...headers } = asked.headers;
    if (!accepted.includes(authorization)) {
      answer.writeHead(401, { "www-authenticate": 'Basic realm="lab"' }).end();
      return;
    }
    const { method, url: path } = asked;
    const port = registryPorts.plain;
    const passed = request({ host: "127.0.0.1", port, method, path, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.headers);
      pipeline(found, answer, () => undefined);
    });
    passed.on("error", () => answer.destroy());
    passed.end();
  });
  await new Promise<void>((resolve) => server.listen(registryPorts.tls, "127.0.0.1", resolve));
  const host = `${NETWORK.registry}:${TLS_REGISTRY_PORT}`;
  return {
    host,
    caCertificate: identity.cert,
    close: () => {
      close(server);
    },
  };
}
