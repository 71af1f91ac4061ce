import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { RUNTIME_PARTS, SCRIPTS, partsOf } from "../../node/scripts";
import {
  bootStep,
  confirmFirewallStep,
  dockerSteps,
  firewallStep,
  readyStep,
} from "../../node/steps";
import { selfSigned } from "../support/portainer";
import { prodNode } from "../support/settings";

const FOLDER = join(__dirname, "../../node");

/** The scripts below `node/`, without `.sh`. */
const files = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".sh"))
  .map((name) => name.slice(0, -".sh".length));

test("every script that can be run is named, and every name is a script or a part of one", () => {
  const used = new Set([...SCRIPTS.flatMap((name) => partsOf(name)), ...RUNTIME_PARTS]);
  // What is in backup/ goes into the image of the backup container.
  const alone = files.filter((file) => !used.has(file) && !file.startsWith("backup/"));
  expect(alone).toEqual([]);
  expect([...used].filter((name) => !files.includes(name))).toEqual([]);
});

describe("the table of node/README.md", () => {
  const cells = (line: string): string[] => line.split("|").map((cell) => cell.trim());
  const quoted = (cell = ""): string[] =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

  /** `daemon/*.sh` stands for all scripts of the folder, and `firewall/{guard,units}.sh` for two. */
  function expand(pattern: string): string[] {
    const [, before = "", some, after = ""] = /^(.*)\{(.*)\}(.*)$/.exec(pattern) ?? [];
    if (some !== undefined) return some.split(",").flatMap((one) => expand(before + one + after));
    const name = pattern.replace(/\.sh$/, "");
    return name.endsWith("/*") ? files.filter((file) => dirname(file) === dirname(name)) : [name];
  }

  /** What it says of each script, by the last file that is sent. */
  const rows = new Map(
    readFileSync(join(FOLDER, "README.md"), "utf8")
      .split("\n")
      .map(cells)
      .filter(([, , sent = ""]) => sent.startsWith("`lib.sh`"))
      .map(([, , sent, variables]) => {
        const parts = quoted(sent).flatMap(expand);
        return [parts.at(-1) ?? "", { parts, variables: quoted(variables) }];
      }),
  );

  test("has every script of the graph, with the files that are sent", () => {
    const ofGraph = SCRIPTS.filter((name) => !name.includes("/") || name === "firewall/confirm");
    expect([...rows.keys()].sort()).toEqual([...ofGraph].sort());
    for (const name of ofGraph)
      expect([...(rows.get(name)?.parts ?? [])].sort()).toEqual(partsOf(name).sort());
  });

  test("has every variable that a step of a node gives", () => {
    const registries = { "registry.example.org": { caCertificate: selfSigned().cert } };
    const nics = [{ bridge: "vmbr1", address: "10.30.0.24/24" }];
    const node = prodNode({ registries, network: { nics } });
    const steps = [readyStep(), bootStep(node), ...dockerSteps(node), firewallStep(node)];
    const missing = [...steps, confirmFirewallStep(node)].flatMap(({ script, variables }) =>
      Object.keys(variables)
        .filter((name) => !["LIMIT", "LOCK_TIMEOUT"].includes(name))
        .filter((name) => !rows.get(script)?.variables.includes(name))
        .map((name) => `${script}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});
