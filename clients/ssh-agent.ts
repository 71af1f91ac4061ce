/** The ssh-agent of the environment. The command plugin connects to it even if it has a key. */
import { connect } from "node:net";

/**
 * Why the socket that SSH_AUTH_SOCK names cannot be used; undefined when it answers, or none is named. Upstream's command plugin
 * 1.2.1 connects to it before it looks at the key (provider/pkg/provider/remote/connection.go), so every script would fail.
 */
export function findStaleAgent(socket = process.env.SSH_AUTH_SOCK): Promise<string | undefined> {
  if (!socket) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const connection = connect(socket);
    const end = (complaint?: string): void => {
      connection.destroy();
      resolve(complaint);
    };
    connection.setTimeout(5000, () => {
      end("no answer within 5 s");
    });
    connection.once("connect", () => {
      end();
    });
    connection.once("error", ({ message }) => {
      end(message);
    });
  });
}

/** The command that fixes it. */
export const UNSET_AGENT = "unset SSH_AUTH_SOCK";
