import { USUAL_CAPABILITIES } from "../capabilities";
import { isSystem } from "../exposure";
import type { NodeConfig } from "../schema";
import { userIdOf, workloadsOf, type Named } from "../workloads";
import type { Downgrade, Weakness } from "./downgrade";

/* Values that give a workload more than it has by itself. */

type Row = Downgrade<NodeConfig>;

/** What of one workload is weak: where it stands below the workload, and its value. */
type Find = (one: Named, node: NodeConfig) => readonly (readonly [path: string, value: unknown])[];

const makeRow = (kind: string, allowed: string, meaning: string, find: Find): Row => ({
  id: `workload-${kind}`,
  allowed,
  meaning,
  ofContainers: true,
  find: (node) =>
    workloadsOf(node).flatMap((one) =>
      find(one, node).map(([path, value]): Weakness => {
        const [container] = one;
        return { path: `workloads/${container}/${path}`, value, container };
      }),
    ),
});

const isRoot: Find = ([, workload], { engine }) =>
  userIdOf(workload) === 0 && engine.daemon["userns-remap"] === undefined
    ? [["user", workload.user]]
    : [];

const findCapabilities: Find = ([, workload]) =>
  workload.capabilities.flatMap((name, index) =>
    USUAL_CAPABILITIES.includes(name) ? [] : [[`capabilities/${index}`, name] as const],
  );

const systemBinds: Find = ([, { binds }]) =>
  binds.flatMap(({ source }, index) =>
    isSystem(source) ? [[`binds/${index}/source`, source] as const] : [],
  );

const SECRET_NAME = /(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIALS?|(API|PRIVATE|ACCESS)_?KEY)$/i;

/** A URL with a user and a password (RFC 3986, userinfo). */
const WITH_PASSWORD = /:\/\/[^/?#\s:@]*:[^/?#\s@]+@/;

const secretVariables: Find = ([, { env }]) =>
  Object.entries(env).flatMap(([name, value]) =>
    (SECRET_NAME.test(name) && value !== "") || WITH_PASSWORD.test(value)
      ? [[`env/${name}`, "[hidden]"] as const]
      : [],
  );

/** The rows, in the order of the page. */
export const WORKLOAD_DOWNGRADES: readonly Row[] = [
  makeRow(
    "root",
    "another user than 0, or daemon.userns-remap",
    "Root of the workload is root of the node.",
    isRoot,
  ),
  makeRow("writable-root", "true", "Whoever breaks in can put programs there.", ([, workload]) =>
    workload.readOnlyRoot ? [] : [["readOnlyRoot", false]],
  ),
  makeRow(
    "capabilities",
    `those that Docker gives by itself: ${USUAL_CAPABILITIES.join(", ")}`,
    "The workload may do what only root of a machine does.",
    findCapabilities,
  ),
  makeRow(
    "system-binds",
    "a folder of the workload's own, such as /srv/web",
    "It sees folders of the system or a socket of Docker's, which makes it root of the node.",
    systemBinds,
  ),
  makeRow(
    "secret-variables",
    "a file in `secrets`; many programs read NAME_FILE",
    "Whoever may inspect the container, or reads the stack file, sees the secret.",
    secretVariables,
  ),
];
