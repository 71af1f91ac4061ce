/** A way to the lab's Proxmox VE that has tokens of its own: the lab's node knows one alone, and no API makes another. */
import { request } from "node:https";
import { pipeline } from "node:stream";
import type { Lab } from "../../lab/lib/services";
import { answering, close, listen, selfSigned } from "../support/portainer";

export interface ProxmoxGate {
  readonly endpoint: string;
  /** Tokens that are let in, `id=secret`; a test may change them. */
  readonly tokens: Set<string>;
  close(): void;
}

export async function openGate({ endpoint, apiToken }: Lab): Promise<ProxmoxGate> {
  const tokens = new Set<string>();
  const server = answering(selfSigned(), (asked, answer) => {
    const [, token = ""] = /^PVEAPIToken=(.*)$/.exec(asked.headers.authorization ?? "") ?? [];
    if (!tokens.has(token)) {
      answer.writeHead(401, "permission denied - invalid PVE token").end();
      return;
    }
    const headers = { ...asked.headers, authorization: `PVEAPIToken=${apiToken}` };
    const options = { method: asked.method, headers, rejectUnauthorized: false };
    const passed = request(new URL(asked.url ?? "/", endpoint), options, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.statusMessage, found.headers);
      pipeline(found, answer, () => undefined);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  return {
    ...{ endpoint: await listen(server), tokens },
    close: () => {
      close(server);
    },
  };
}
