/** A registry on loopback with an authority of its own and a password, as distribution's token specification describes it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { answering, listen, type Identity } from "./portainer";
import type { Server } from "node:https";

export interface PrivateRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly server: Server;
  /** Its requests, with the kind of credentials that came. */
  readonly asked: string[];
}

const header = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** Starts one. With `tokens` it wants a token, which it gives for the password; else the password itself. */
export async function privateRegistry(
  identity: Identity,
  { user, password, tokens = false }: { user: string; password: string; tokens?: boolean },
): Promise<PrivateRegistry> {
  const asked: string[] = [];
  let url = "";
  const wanted = (request: IncomingMessage): boolean =>
    tokens && !request.url?.startsWith("/token")
      ? request.headers.authorization === "Bearer granted"
      : request.headers.authorization === header(user, password);
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const kind = request.headers.authorization?.split(" ")[0] ?? "nothing";
    asked.push(`${request.method ?? ""} ${request.url ?? ""} with ${kind}`);
    const challenge = tokens ? `Bearer realm="${url}/token",service="s"` : 'Basic realm="r"';
    if (wanted(request)) response.end('{"token":"granted"}');
    else response.writeHead(401, { "www-authenticate": challenge }).end("{}");
  };
  const server = answering(identity, answer);
  url = await listen(server);
  return { host: url.replace("https://", ""), server, asked };
}
