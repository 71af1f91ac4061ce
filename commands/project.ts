/** This package, and the Pulumi project that commands work on. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What package.json says of versions. */
export interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
}

/** The nearest folder above this file with a package.json; compiled files lie one level deeper. */
function packageFolder(folder = __dirname): string {
  return existsSync(join(folder, "package.json")) ? folder : packageFolder(dirname(folder));
}

/** package.json of this package. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8")) as Manifest;
}

/** Directory of the Pulumi project: this repository, or the current one where this is an installed package. */
export const ROOT = existsSync(join(packageFolder(), "Pulumi.yaml"))
  ? packageFolder()
  : process.cwd();
