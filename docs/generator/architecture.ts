/** docs/explanation/architecture.svg: which folder imports which, as dependency-cruiser finds it in the source. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const FOLDERS = [
  ...["index.ts", "clients", "commands", "components", "config", "contract"],
  ...["examples", "lab", "node", "policies"],
];

/** The picture, drawn by Graphviz from what dependency-cruiser says. */
export async function drawArchitecture(root: string): Promise<string> {
  const { Graphviz } = await import("@hpcc-js/wasm-graphviz");
  const graphviz = await Graphviz.load();
  const svg = graphviz.layout(readDependencies(root), "svg", "dot");
  // Graphviz names its own version in a comment: another version may draw the same picture.
  return `${svg.replace(/<!--[\s\S]*?-->\n?/g, "").trimEnd()}\n`;
}

/** Folders and their imports in Graphviz's language; packages are left out. */
function readDependencies(root: string): string {
  const options = ["--config", "test/tools/arrows.cjs", "--output-type", "dot"];
  const ours = `^(${FOLDERS.join("|")})`;
  const scope = ["--collapse", "^[^/]+/", "--exclude", "node_modules", "--include-only", ours];
  const depcruise = join(root, "node_modules/.bin/depcruise");
  return execFileSync(depcruise, [...options, ...scope, ...FOLDERS], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
}
