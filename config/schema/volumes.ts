import { z } from "zod";

/** One of `volumes`. */
export const volumeSchema = z.strictObject({
  labels: z
    .record(z.string(), z.string())
    .default({})
    .describe("Given at creation. Docker cannot change them afterwards, so a change does nothing."),
});
