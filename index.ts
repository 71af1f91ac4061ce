import { program } from "./program";

/** Stack outputs: see outputs.ts and docs/outputs.md. */
export const { contract, nodes } = program();
