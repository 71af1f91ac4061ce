/** Checks of the Proxmox VE API: it answers, its certificate verifies, its version is new enough, the token has its rights. */
import { effectivePrivileges, listRequirements, type Requirement } from "../privileges";
import { AnswerError } from "../../../clients/answer";
import { ask as answerTo, ClusterError } from "../../../clients/proxmox";
import { filteredNodes, isFirewallOn, TURN_ON } from "../../../clients/proxmox-firewall";
import { permissions, version as versionAnswer } from "../../../clients/proxmox-answers";
import { fail, nodesOf, pass, skip, type Check, type Context, type Finding } from "../types";
import { isAtLeast } from "../../../clients/versions";
import { secretOf, writeCommand } from "../../../config/secrets";

/**
 * The first release whose API downloads a disk image as content type `import`: libpve-storage-perl 8.3.6,
 * "import: allow upload of guest images files into import storage". 8.2 and 8.3 know the content type, but only for ESXi
 * and OVA.
 */
const OLDEST = "8.4";

/** Node's codes for TLS errors that mean: the certificate is not accepted. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/;

export const clusterChecks: readonly Check[] = [
  { id: "api", title: "Proxmox VE API", run: askCluster(checkApi) },
  { id: "version", title: "Proxmox VE version", run: askCluster(checkVersion) },
  { id: "privileges", title: "Privileges of the token", run: askCluster(checkPrivileges) },
  { id: "firewall", title: "Firewall of the datacenter", run: askCluster(checkFirewall) },
];

type Ask = (context: Context, get: (path: string) => Promise<unknown>) => Promise<Finding>;

/** Wraps a check that asks the cluster. It is skipped if there is no cluster to ask, or no answer. */
export function askCluster(ask: Ask): Check["run"] {
  return async (context) => {
    const { cluster } = context;
    if (!cluster) return skip("needs a valid configuration and its API token");
    try {
      return await ask(context, (path) => cluster.get(path));
    } catch (error) {
      if (error instanceof ClusterError || error instanceof AnswerError)
        return skip(`the API gives no answer: ${error.message}`);
      throw error;
    }
  };
}

async function checkApi(
  context: Context,
  get: (path: string) => Promise<unknown>,
): Promise<Finding> {
  const { endpoint = "", insecure } = context.configuration.settings?.proxmox ?? {};
  try {
    await get("/version");
    const trust = insecure ? "certificate not verified (insecure)" : "certificate verified";
    return pass(`${endpoint} answers, ${trust}`);
  } catch (error) {
    if (error instanceof ClusterError) return explainFailure(error, endpoint, context.stack);
    throw error;
  }
}

/** Says why the API cannot be used, and how to fix it. */
function explainFailure(error: ClusterError, endpoint: string, stack: string): Finding {
  const { hostname } = new URL(endpoint);
  if (error.status === 401) {
    const renew = writeCommand(secretOf("proxmoxApiToken"), stack);
    return fail("the API token is not accepted", `${renew}  # see docs/how-to/prepare-proxmox.md`);
  }
  if (CERTIFICATE.test(error.code)) {
    const target = "/usr/local/share/ca-certificates/pve-root-ca.crt";
    return fail(
      `the certificate does not verify: ${error.message}`,
      `scp root@${hostname}:/etc/pve/pve-root-ca.pem ${target} && update-ca-certificates`,
    );
  }
  const detail = `${endpoint} does not answer as an API: ${error.message}`;
  return fail(detail, `curl -kI ${new URL("/api2/json/version", endpoint).href}`);
}

/** The first release with rules of high availability and the privilege to replicate one VM. */
const AVAILABILITY = "9.0";

async function checkVersion(
  context: Context,
  get: (path: string) => Promise<unknown>,
): Promise<Finding> {
  const { version: found } = await answerTo(get, "/version", versionAnswer);
  const isKept = nodesOf(context).some(
    ([, { machine }]) => machine.highAvailability?.nodes ?? machine.replication,
  );
  const [what, oldest] = isKept
    ? ["machine.highAvailability.nodes or machine.replication", AVAILABILITY]
    : ["downloading an image", OLDEST];
  if (isAtLeast(found, oldest)) return pass(found);
  return fail(
    `${found}; ${what} needs ${oldest} or later`,
    "apt update && apt full-upgrade  # on every Proxmox node",
  );
}

async function checkPrivileges(
  context: Context,
  get: (path: string) => Promise<unknown>,
): Promise<Finding> {
  const needed = listRequirements(nodesOf(context));
  const missing: Requirement[] = [];
  for (const path of new Set(needed.map((one) => one.path))) {
    const question = `/access/permissions?path=${encodeURIComponent(path)}`;
    const held = effectivePrivileges(await answerTo(get, question, permissions), path);
    missing.push(...needed.filter((one) => one.path === path && !held.has(one.privilege)));
  }
  if (missing.length === 0)
    return pass(`the token has all ${needed.length} privileges that the program needs`);
  const lines = missing.map(({ path, privilege, reason }) => `${path} ${privilege}: ${reason}`);
  return fail(
    `${missing.length} of ${needed.length} missing:\n${lines.join("\n")}`,
    `npx docker-node doctor --print-role --stack ${context.stack} | ssh root@<Proxmox node> bash -s`,
  );
}

async function checkFirewall(
  { configuration }: Context,
  get: (path: string) => Promise<unknown>,
): Promise<Finding> {
  const names = filteredNodes(configuration.settings?.nodes ?? {}).join(", ");
  if (names === "") return skip("no node has network.firewall");
  if (await isFirewallOn(get)) return pass("on");
  return fail(
    `off, so Proxmox enforces no firewall rule of ${names}`,
    `${TURN_ON}  # keep your own access: docs/how-to/prepare-proxmox.md`,
  );
}
