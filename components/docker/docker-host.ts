import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { nameResource, PART } from "../../config/names";
import { authoritiesOf } from "../../config/registries";
import { DOCKER_HOST } from "../../config/resource-types";
import type { NodeConfig } from "../../config/schema";
import {
  accessStep,
  bootStep,
  confirmFirewallStep,
  daemonStep,
  firewallStep,
  hardeningStep,
  installStep,
  nicsStep,
  readyStep,
  registriesStep,
  storageStep,
  type Script,
} from "../../node/steps";
import type { RecordedNode } from "../../node/recorded";
import { connect, connectFirst, pinKey, type Connection } from "./gate";
import { runNodeScript, type Repairs } from "./node-script";

/** What Docker on a node needs. */
export interface DockerHostArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Private key for SSH. */
  privateKey: pulumi.Input<string>;
  /** The machine Docker runs on. */
  machine: pulumi.Resource;
  /** What the stack's state has of the node; undefined for a new one. */
  recorded?: RecordedNode;
  /** What makes steps run again, to repair the node. */
  repairs?: Repairs;
}

/** Facts of the running daemon; `node/daemon.sh` prints them. */
export interface DaemonFacts {
  readonly serverVersion: string;
  readonly apiVersion: string;
  readonly storageDriver: string;
  readonly dockerRootDir: string;
  /** Number of the group that may use Docker's socket. */
  readonly dockerGroup: string;
}

/**
 * Sets up Docker on a machine, over SSH: waits for the boot, prepares the storage, installs and holds the packages, writes
 * daemon.json and starts dockerd, sets up access, hardens, filters what comes in. Each step is idempotent and waits for the one before.
 */
export class DockerHost extends pulumi.ComponentResource {
  /** The node's SSH host key, pinned from the first connection on. */
  readonly hostKey: pulumi.Output<string>;
  /** SSH to the node, host key pinned. */
  readonly connection: Connection;
  /** Facts of the running daemon. */
  readonly facts: pulumi.Output<DaemonFacts>;

  constructor(name: string, args: DockerHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super(DOCKER_HOST, name, {}, opts);
    const ready = waitUntilReady(name, args, this);
    this.hostKey = pinKey(args.node, ready);
    this.connection = { ...connect(args.node, args.privateKey), hostKey: this.hostKey };
    const step = this.makeStepper(name, args);
    const boot = step("boot", bootStep(args.node), ready);
    if (hasNics(args)) step("nics", nicsStep(args.node), boot);
    const storage = step("storage", storageStep(args.node), boot);
    const install = step("install", installStep(args.node), storage);
    const daemon = step("daemon", daemonStep(args.node), install);
    const access = step("access", accessStep(args.node), daemon);
    if (trustsRegistries(args)) step("registries", registriesStep(args.node), daemon);
    const hardening = step("hardening", hardeningStep(args.node), access);
    const firewall = step("firewall", firewallStep(args.node), hardening);
    if (args.node.network.firewall?.onNode)
      step("firewall-confirm", confirmFirewallStep(args.node), firewall);
    this.facts = daemon.stdout.apply(parseFacts);
    this.registerOutputs({ hostKey: this.hostKey, facts: this.facts });
  }

  private makeStepper(name: string, { machine, repairs }: DockerHostArgs) {
    const { connection } = this;
    return (step: string, script: Script, after: pulumi.Resource): command.remote.Command =>
      runNodeScript(
        nameResource(name, step),
        { ...script, connection, machine, repairs },
        { parent: this, dependsOn: [after] },
      );
  }
}

/** A node that has had further NICs keeps the step, which removes what it wrote for them. */
const hasNics = ({ node, recorded }: DockerHostArgs): boolean =>
  node.network.nics.length > 0 || recorded?.stdin.nics !== undefined;

/** A node that has had authorities keeps the step, which removes them. */
const trustsRegistries = ({ node, recorded }: DockerHostArgs): boolean =>
  authoritiesOf(node).size > 0 || recorded?.stdin.registries !== undefined;

/**
 * Runs before every other step on the node. It keeps dialling for as long as a first boot may take (pulumi-command#234),
 * then waits for cloud-init and prints the host key. It runs once: a newer program does not run it again.
 */
function waitUntilReady(
  name: string,
  { node, privateKey, machine, recorded }: DockerHostArgs,
  parent: pulumi.Resource,
): command.remote.Command {
  const connection = pulumi.secret(privateKey).apply((key) => connectFirst(node, key, recorded));
  return runNodeScript(
    nameResource(name, PART.ready),
    { ...readyStep(), connection, machine },
    { parent, dependsOn: [machine], ignoreChanges: ["create", "stdin"] },
  );
}

function parseFacts(stdout: string): DaemonFacts {
  return JSON.parse(stdout) as DaemonFacts;
}
