import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { isMade, scanRequests, type ScanRequest } from "../../config/image-scan";
import type { NodeConfig } from "../../config/schema";
import type { Waiver } from "../../config/schema/waivers";
import { nameResource, PART } from "../../config/names";
import { imageSbomStep, sbomFile } from "../../node/sbom";
import { runModule } from "../shared/workstation";
import type { DockerHost } from "./docker-host";
import { deletePath, runNodeScript, type Repairs } from "./node-script";
import type { Passwords } from "./provider";

/** What the scans of a node's images need. */
export interface ImageScansArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Waivers of the stack. */
  waivers?: readonly Waiver[];
  /** Passwords of registries by host; required for those with a user. */
  registryPasswords?: Passwords;
  /** Token of the Trivy server; required where the node declares one. */
  scannerToken?: pulumi.Input<string>;
  dockerHost: DockerHost;
  /** The machine whose Docker runs the images. */
  machine: pulumi.Resource;
  /** What makes a step run again, to repair the node. */
  repairs?: Repairs;
}

/** What has to succeed before an image is pulled, by container. */
export type ImageScans = Readonly<Partial<Record<string, pulumi.Resource>>>;

/**
 * Scans the images of a node on the workstation (`commands/image-scan`), before they are pulled: the node needs neither a scanner
 * nor a way to its database. A scan runs again when the image, its exposure, its waivers or the way to scan change. What an image
 * is made of is kept on the node, for its backup. None if the node declares no scan.
 */
export function scanImages(
  name: string,
  args: ImageScansArgs,
  opts: { parent: pulumi.Resource },
): ImageScans {
  const requests = scanRequests(name, args.node, args.waivers ?? []);
  const made = requests.filter((request) => isMade(args.node, request));
  const scans = made.map((request) => {
    const scan = scanImage(nameResource(name, `scan-${request.container}`), request, args, opts);
    const sbom = nameResource(PART.sbom, request.container);
    keepSbom(nameResource(name, sbom), request, scan, args, opts);
    return [request.container, scan] as const;
  });
  return Object.fromEntries(scans);
}

function scanImage(
  name: string,
  request: ScanRequest,
  args: ImageScansArgs,
  opts: pulumi.CustomResourceOptions,
): command.local.Command {
  return new command.local.Command(
    name,
    {
      create: runModule("image-scan"),
      environment: { IMAGE_SCAN: JSON.stringify(request), ...secretsFor(request, args) },
      // The earlier output is as long as the image has parts, and no variable may be.
      addPreviousOutputInEnv: false,
      logging: command.local.Logging.Stderr,
    },
    { ...opts, customTimeouts: { create: LIMIT, update: LIMIT } },
  );
}

/** Longer than one scan takes: scans wait for one another. */
const LIMIT = "60m";

function secretsFor(
  { scan, registries }: ScanRequest,
  { registryPasswords = {}, scannerToken }: ImageScansArgs,
): Record<string, pulumi.Input<string>> {
  const passwords = Object.keys(registries).flatMap((host) => {
    const password = registryPasswords[host];
    return password === undefined ? [] : [[host, password] as const];
  });
  const written = pulumi.all(Object.fromEntries(passwords)).apply((all) => JSON.stringify(all));
  return {
    ...(passwords.length > 0 ? { IMAGE_SCAN_PASSWORDS: pulumi.secret(written) } : {}),
    ...(scan.server && scannerToken ? { IMAGE_SCAN_TOKEN: pulumi.secret(scannerToken) } : {}),
  };
}

function keepSbom(
  name: string,
  { container }: ScanRequest,
  scan: command.local.Command,
  { dockerHost, machine, repairs }: ImageScansArgs,
  opts: pulumi.CustomResourceOptions,
): void {
  const { connection } = dockerHost;
  const step = imageSbomStep(container);
  const variables = scan.stdout.apply((text) => ({
    ...step.variables,
    SBOM: (JSON.parse(text) as { sbom?: string }).sbom ?? "",
  }));
  const remove = deletePath(sbomFile(container), "-f");
  const run = { ...step, variables, connection, machine, remove, repairs };
  runNodeScript(name, run, { ...opts, dependsOn: [dockerHost] });
}
