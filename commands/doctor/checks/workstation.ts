/** Checks of the machine that runs the program. */
import { findOpenSsh } from "../../../clients/openssh";
import { findStaleAgent, UNSET_AGENT } from "../../../clients/ssh-agent";
import { isAtLeast, isInRange } from "../../../clients/versions";
import { fail, pass, skip, warn, type Check, type Context, type Finding } from "../types";

/** The oldest release with which the pinned SDK's Automation API and `deletedWith` with outputs work. */
const OLDEST_PULUMI = "3.200.0";

/** Plugins of the program: npm package, and the download server if Pulumi does not publish the plugin itself. */
const PLUGINS: Readonly<Record<string, { package: string; server?: string }>> = {
  proxmoxve: {
    package: "@muhlba91/pulumi-proxmoxve",
    server: "github://api.github.com/muhlba91/pulumi-proxmoxve",
  },
  docker: { package: "@pulumi/docker" },
  command: { package: "@pulumi/command" },
};

export const workstationChecks: readonly Check[] = [
  { id: "node", title: "Node.js", run: checkNode },
  { id: "pulumi", title: "Pulumi CLI", run: checkPulumi },
  ...Object.keys(PLUGINS).map((name) => ({
    id: `plugin-${name}`,
    title: `Pulumi plugin ${name}`,
    run: (context: Context) => checkPlugin(context, name),
  })),
  { id: "ssh", title: "OpenSSH", run: checkSsh },
  { id: "ssh-agent", title: "ssh-agent", run: checkAgent },
];

async function checkSsh({ run }: Context): Promise<Finding> {
  const ssh = await findOpenSsh(run);
  return "version" in ssh ? pass(ssh.version) : fail(ssh.found, ssh.fix);
}

async function checkAgent({ environment }: Context): Promise<Finding> {
  const socket = environment["SSH_AUTH_SOCK"];
  if (!socket) return pass("none; the program reads keys from files");
  const complaint = await findStaleAgent(socket);
  if (complaint === undefined) return pass(socket);
  return fail(`SSH_AUTH_SOCK names ${socket}, which does not answer: ${complaint}`, UNSET_AGENT);
}

function checkNode({ nodeVersion: version, manifest }: Context): Finding {
  const range = manifest.engines.node;
  if (isInRange(version, range)) return pass(version);
  return fail(`${version} is not in the supported range ${range}`, "nvm install 22 && nvm use 22");
}

async function checkPulumi({ run }: Context): Promise<Finding> {
  const { code, stdout } = await run("pulumi", ["version"]);
  const install = "curl -fsSL https://get.pulumi.com | sh";
  if (code !== 0) return fail("pulumi is not on the PATH", install);
  const version = stdout.trim();
  if (isAtLeast(version, OLDEST_PULUMI)) return pass(version);
  return fail(`${version} is older than ${OLDEST_PULUMI}`, install);
}

interface Installed {
  readonly name: string;
  readonly kind: string;
  readonly version?: string;
}

async function checkPlugin(
  { run, manifest, environment }: Context,
  name: string,
): Promise<Finding> {
  const { package: sdk = "", server } = PLUGINS[name] ?? {};
  const wanted = manifest.dependencies[sdk] ?? "";
  const { code, stdout } = await run("pulumi", ["plugin", "ls", "--json"]);
  if (code !== 0) return skip("needs the Pulumi CLI");
  const installed = (JSON.parse(stdout) as Installed[])
    .filter((found) => found.kind === "resource" && found.name === name)
    .map(({ version = "" }) => version.replace(/^v/, ""));
  if (installed.includes(wanted)) return pass(wanted);
  const fix = `pulumi plugin install resource ${name} ${wanted}${server ? ` --server ${server}` : ""}`;
  const others = installed.length > 0 ? ` (installed: ${installed.join(", ")})` : "";
  if (environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] === "true")
    return fail(`${wanted} is not installed${others}`, fix);
  return warn(`${wanted} is not installed${others}; the first up downloads it`, fix);
}
