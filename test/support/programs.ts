/** Programs of a test's own on the PATH: small scripts in place of `ssh`, `pulumi` and the like. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { makeScratch } from "./scratch";

export interface Programs {
  /** Where the programs are, and what they write down. */
  readonly folder: string;
  /** Puts a bash script in place of a program; `$FOLDER` is the folder. */
  add(name: string, script: string): void;
  /** Writes a file into the folder. */
  write(name: string, text: string): void;
  /** Reads a file that a program wrote; empty when there is none. */
  read(name: string): string;
  /** Puts the PATH back and removes the folder. */
  dispose(): void;
}

/** Puts an empty folder in front of the PATH. */
export function usePrograms(): Programs {
  const before = process.env.PATH ?? "";
  const folder = makeScratch();
  process.env.PATH = `${folder}${delimiter}${before}`;
  const at = (name: string): string => join(folder, name);
  return {
    folder,
    add: (name, script) => {
      writeFileSync(at(name), `#!/bin/bash\nFOLDER='${folder}'\n${script}\n`, { mode: 0o755 });
    },
    write: (name, text) => {
      writeFileSync(at(name), text);
    },
    read: (name) => (existsSync(at(name)) ? readFileSync(at(name), "utf8") : ""),
    dispose: () => {
      process.env.PATH = before;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
