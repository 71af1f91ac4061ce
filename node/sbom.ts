import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { assignVariables } from "./scripts";
import { variablesOf } from "./stdin";
import { bind, type Script } from "./steps";

/** Where a node keeps what the image of a container is made of; the backup of the configuration has its folder. */
export const sbomFile = (container: string): string => `/etc/docker/sbom/${container}.cdx.json`;

/** Keeps on the node what the image of a container is made of. */
export function imageSbomStep(container: string): Script {
  return bind("image-sbom", { CONTAINER: container }, 180, { wait: 1800 });
}

/**
 * The variables of the step's check mode. Only the digest of the file goes to the node: the text is as long as the image has parts.
 *
 * @param stdin standard input of the step
 */
export function sbomCheck(stdin: unknown): string {
  const { CONTAINER, SBOM = "" } = variablesOf(stdin);
  // As the shell writes it: without the line ends that a scanner may put after it, and with one of its own.
  const text =
    SBOM && `${gunzipSync(Buffer.from(SBOM, "base64")).toString().replace(/\n+$/, "")}\n`;
  const digest = text && createHash("sha256").update(text).digest("hex");
  return assignVariables({ CONTAINER, DIGEST: digest }).join("\n");
}
