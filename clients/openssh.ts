/** The OpenSSH of the workstation, which Docker's provider and the commands start. */
import type { Run } from "./process";
import { isAtLeast } from "./versions";

/** Release that introduced `KnownHostsCommand`, which pins the host key (release notes of 8.5, 2021-03-03). */
const OLDEST = "8.5";

/** The version that was found. Otherwise what is wrong with it, and how to fix it. */
export type OpenSsh =
  { readonly version: string } | { readonly found: string; readonly fix: string };

/** Asks the `ssh` on the PATH for its version. */
export async function findOpenSsh(run: Run): Promise<OpenSsh> {
  const { code, stdout, stderr } = await run("ssh", ["-V"]);
  const version = /OpenSSH_(?:for_Windows_)?(\d+\.\d+)/.exec(`${stdout}${stderr}`)?.[1];
  if (code !== 0 || !version)
    return { found: "OpenSSH is not on the PATH", fix: "apt install openssh-client" };
  if (isAtLeast(version, OLDEST)) return { version };
  return {
    found: `${version} is older than ${OLDEST}, and has no KnownHostsCommand, so the Docker provider could not connect`,
    fix: `use a system with OpenSSH ${OLDEST} or later, such as Ubuntu 22.04 or RHEL 9`,
  };
}
