/** What a node says it listens on: node/validation/reach.sh. */
import { z } from "zod";
import { isLoopback } from "../../config/exposure";

export const listeningSchema = z.array(z.object({ address: z.string(), port: z.number() }));

export type Listening = z.output<typeof listeningSchema>;

/** TCP ports that others may reach, if nothing filters them. */
export const openPorts = (listening: Listening): number[] =>
  listening.filter(({ address }) => !isLoopback(address)).map(({ port }) => port);
