import { program } from "./program";

/** Stack outputs: see `NodeOutputs` in components/docker-node.ts. */
export const { nodes } = program();
