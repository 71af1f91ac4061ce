/** An open stack for commands, without node, backup server or secrets behind it. */
import type { Opened } from "../../commands/site/open";
import type { Settings } from "../../config/load";

/** The stack `prod`. `geheim` is its secret, no node answers, and there are no credentials; `parts` say what differs. */
export function openedWith(settings: Settings, parts: Partial<Opened> = {}): Opened {
  return {
    stack: "prod",
    settings,
    site: () => {
      throw new Error("PBS_RESTORE_TOKEN_ID is not set");
    },
    shell: () => {
      throw new Error("no node is to be asked");
    },
    published: () => ({}),
    scanSecrets: () => ({ passwords: {} }),
    portainer: () => {
      throw new Error("portainer.environment is not declared");
    },
    redact: (text) => text.replaceAll("geheim", "[secret]"),
    ...parts,
  };
}
