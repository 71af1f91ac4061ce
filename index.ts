import { program } from "./program";

/** Stack outputs: see outputs.ts and docs/reference/outputs.md. */
export const { contract, nodes } = program();
