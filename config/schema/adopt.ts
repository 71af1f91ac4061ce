import { z } from "zod";
import { dockerName } from "./fields";

const dockerId = z.string().regex(/^[0-9a-f]{64}$/, {
  error: "a full Docker id, 64 hex digits: `docker inspect --format '{{.Id}}' NAME`",
});

/** `adopt` of a node: what exists already and is taken over. */
export const adoptSchema = z.strictObject({
  networks: z
    .record(dockerName, dockerId)
    .default({})
    .describe("Ids of Docker networks that exist already, by name."),
  volumes: z.array(dockerName).default([]).describe("Volumes that exist already."),
  agent: dockerId
    .optional()
    .describe(
      "Id of the `portainer_agent` that runs already. It is kept as it was started. Without this key, the declared agent replaces it.",
    ),
});
