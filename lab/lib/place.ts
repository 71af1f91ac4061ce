/** Where an instance lives: its directory and its loopback ports. Its Pulumi state names them in many places. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Instance } from "./instance";

export interface Place {
  readonly stateDir: string;
  /** By service: the names of the port files. */
  readonly ports: Readonly<Record<string, number>>;
}

/** Reads the ports that an instance was given. */
export function placeOf({ stateDir }: Instance): Place {
  const files = fs.readdirSync(stateDir).filter((name) => name.endsWith(".port"));
  const ports = files.map((file) => [
    file.slice(0, -".port".length),
    Number(fs.readFileSync(path.join(stateDir, file), "utf8")),
  ]);
  return { stateDir, ports: Object.fromEntries(ports) as Place["ports"] };
}

/** A key of an object in JSON that is JSON itself: so Pulumi writes out a secret. */
const SECRET_TEXT = "plaintext";

/** The same value in another place: paths below the directory, loopback addresses, and numbers called `port`. */
export function movePlace(value: unknown, from: Place, to: Place): unknown {
  const ports = new Map(Object.entries(from.ports).map(([name, port]) => [port, to.ports[name]]));
  const portFor = (old: number): number => ports.get(old) ?? old;
  const directory = from.stateDir.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const textFor = (old: string): string =>
    old
      .replace(new RegExp(`${directory}(?![\\w.-])`, "g"), () => to.stateDir)
      .replace(
        /127\.0\.0\.1:(\d+)/g,
        (_, digits: string) => `127.0.0.1:${portFor(Number(digits))}`,
      );
  const moveEach = (old: unknown, key = ""): unknown => {
    if (typeof old === "number" && key === "port") return portFor(old);
    if (typeof old === "string" && key === SECRET_TEXT)
      return JSON.stringify(moveEach(JSON.parse(old)));
    if (typeof old === "string") return textFor(old);
    if (Array.isArray(old)) return old.map((item) => moveEach(item));
    if (typeof old !== "object" || old === null) return old;
    return Object.fromEntries(
      Object.entries(old).map(([name, item]) => [name, moveEach(item, name)]),
    );
  };
  return moveEach(value);
}
