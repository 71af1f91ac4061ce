/** Checks of the stack's configuration, its secrets and its private keys. */
import { bareKey, homePath } from "../../../config/node";
import { readPrivateKey } from "../../../config/private-keys";
import { findShortSecrets, missingSecrets } from "../../../config/secret-needs";
import { secretOf, writeCommand, type Secret } from "../../../config/secrets";
import { warnOfEnding } from "../../../config/waivers/days";
import { fail, nodesOf, pass, skip, warn, type Check, type Context, type Finding } from "../types";

/** `user@realm!token=uuid` (pveum(1)). */
const TOKEN = /^[^\s@!=]+@[\w.-]+![A-Za-z][\w.-]*=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const configurationChecks: readonly Check[] = [
  { id: "configuration", title: "Configuration", run: checkConfiguration },
  { id: "waivers", title: "Waivers", run: checkWaivers },
  { id: "secrets", title: "Secrets", run: checkSecrets },
];

/** One check for each private key file of the nodes. */
export function keyChecks(context: Context): Check[] {
  const files = new Map<string, string[][]>();
  for (const [, { ssh }] of nodesOf(context)) {
    files.set(ssh.privateKeyFile, [...(files.get(ssh.privateKeyFile) ?? []), ssh.publicKeys]);
  }
  return [...files].map(([file, keys]) => ({
    id: `ssh-key:${file}`,
    title: `SSH key ${file}`,
    run: ({ run }) => checkKey(run, file, keys),
  }));
}

function checkConfiguration({ configuration: { settings, problems }, stack }: Context): Finding {
  if (!settings) {
    const several = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
    return fail(
      `${several}:\n${problems.join("\n")}`,
      `edit Pulumi.${stack}.yaml; docs/reference/configuration.md describes its keys`,
    );
  }
  const names = Object.keys(settings.nodes);
  return pass(`${names.length} ${names.length === 1 ? "node" : "nodes"}: ${names.join(", ")}`);
}

/** Warns of waivers that end soon. The check of the configuration reports invalid ones. */
function checkWaivers({ configuration: { settings }, stack, now }: Context): Finding {
  if (!settings) return skip("needs a valid configuration");
  const soon = warnOfEnding(settings.waivers, now);
  if (soon.length > 0)
    return warn(soon.join("\n"), `edit docker-node:waivers in Pulumi.${stack}.yaml`);
  const count = settings.waivers.length;
  return pass(count === 0 ? "none" : `${count}, none ends soon`);
}

function checkSecrets({ configuration, stack, environment }: Context): Finding {
  const { sealed, apiToken, texts = {}, keys = [], settings } = configuration;
  if (sealed !== undefined) return fail(`cannot be read: ${sealed}`, explainReading(sealed, stack));
  const failSecret = (secret: Secret, what: string): Finding =>
    fail(`${secret.name} ${what}`, writeCommand(secret, stack));
  const [missing] = missingSecrets((name) => keys.includes(name), settings);
  if (missing) return failSecret(missing, "is not set");
  if (!TOKEN.test(apiToken ?? ""))
    return failSecret(secretOf("proxmoxApiToken"), "does not have the form user@realm!token=uuid");
  const [short] = findShortSecrets((name) => texts[name], settings);
  if (short) return failSecret(short, `is shorter than ${short.minLength} characters`);
  return environment["PULUMI_CONFIG_PASSPHRASE"] === ""
    ? warnOfPassphrase()
    : pass("set and readable");
}

/** Pulumi accepts an empty passphrase, but it protects nothing. */
function warnOfPassphrase(): Finding {
  return {
    status: "warn",
    detail: "readable, but the stack's passphrase is empty",
    fix: "pulumi stack change-secrets-provider passphrase",
  };
}

/** The command that makes the secrets readable, by Pulumi's reason why they are not. */
function explainReading(reason: string, stack: string): string {
  if (/no stack named/.test(reason)) return `pulumi stack init ${stack}`;
  if (/passphrase/.test(reason))
    return "export PULUMI_CONFIG_PASSPHRASE_FILE=<file with the passphrase>";
  if (/CLI is missing/.test(reason)) return "curl -fsSL https://get.pulumi.com | sh";
  return "pulumi login";
}

/** Checks a key as the program does, then asks OpenSSH whether it can read the key. */
async function checkKey(
  run: Context["run"],
  file: string,
  wanted: readonly (readonly string[])[],
): Promise<Finding> {
  const problem = wanted
    .map((publicKeys) => readPrivateKey(file, publicKeys))
    .find((key) => "fix" in key);
  if (problem && "fix" in problem) return fail(problem.found, problem.fix);
  const { code, stdout } = await run("ssh-keygen", ["-y", "-P", "", "-f", homePath(file)]);
  if (code === undefined) return skip("needs ssh-keygen");
  if (code !== 0) return fail("ssh-keygen cannot read it", `ssh-keygen -p -N '' -f ${file}`);
  return pass(bareKey(stdout).split(" ")[0] ?? "");
}
