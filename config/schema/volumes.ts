import { z } from "zod";

/** One of `volumes`. */
export const volumeSchema = z.strictObject({
  labels: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      "Labels, set at creation. Docker cannot change them later, so a change does nothing.",
    ),
});
