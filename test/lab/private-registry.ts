/** TLS before the lab's registry, with or without passwords: the certificate is signed by nobody that a node trusts by itself. */
import { request } from "node:http";
import type { Server } from "node:https";
import { pipeline } from "node:stream";
import { NETWORK, TLS_REGISTRY_PORT, type Lab } from "../../lab/lib/services";
import { answering, close, selfSigned } from "../support/portainer";

export interface LabRegistry {
  /** Host and port, as a node reaches it. */
  readonly host: string;
  readonly caCertificate: string;
  /** The paths that it was asked for and let somebody have, in order. */
  readonly asked: readonly string[];
  close(): void;
}

/** Starts one that lets in a user with one of these passwords. */
export function startPrivateRegistry(
  lab: Lab,
  user: string,
  passwords: readonly string[],
): Promise<LabRegistry> {
  const accepted = passwords.map(
    (password) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
  );
  return start(lab, (authorization) => accepted.includes(authorization));
}

/** Starts one that lets in everybody, such as a mirror of Docker Hub. */
export const startMirror = (lab: Lab): Promise<LabRegistry> => start(lab, () => true);

async function start(
  { registryPorts }: Lab,
  letsIn: (authorization: string) => boolean,
): Promise<LabRegistry> {
  const identity = selfSigned(["127.0.0.1", NETWORK.registry]);
  const paths: string[] = [];
  const server: Server = answering(identity, (asked, answer) => {
    const { authorization = "", ...headers } = asked.headers;
    if (!letsIn(authorization)) {
      answer.writeHead(401, { "www-authenticate": 'Basic realm="lab"' }).end();
      return;
    }
    const { method, url: path = "/" } = asked;
    paths.push(path);
    const port = registryPorts.plain;
    const passed = request({ host: "127.0.0.1", port, method, path, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.headers);
      pipeline(found, answer, () => undefined);
    });
    passed.on("error", () => answer.destroy());
    passed.end();
  });
  await new Promise<void>((resolve) => server.listen(registryPorts.tls, "127.0.0.1", resolve));
  return {
    host: `${NETWORK.registry}:${TLS_REGISTRY_PORT}`,
    caCertificate: identity.cert,
    asked: paths,
    close: () => {
      close(server);
    },
  };
}
