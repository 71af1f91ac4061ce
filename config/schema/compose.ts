import { z } from "zod";
import { hostLabel, variable } from "./fields";
import { placeSchema } from "./placement";

const filePath = z.string().regex(/^(?!-)(?!.*:\/\/)[^\n]+$/, {
  error: "the path of a file, from the folder of the stack file",
});

const project = z.strictObject({
  files: z
    .array(filePath)
    .min(1)
    .describe(
      "Compose files, from the folder of the stack file. A later one changes those before.",
    ),
  profiles: z
    .array(z.string().min(1))
    .default([])
    .describe("Profiles whose services are there too."),
  variables: z
    .record(variable, z.string())
    .default({})
    .describe("Values of `${…}` in the files. Neither `.env` nor the environment is read."),
  services: z
    .record(hostLabel, z.record(z.string(), z.unknown()))
    .default({})
    .describe(
      "Keys of a workload that compose has no word for, by service, such as `readySeconds`. They win over the files.",
    ),
  place: placeSchema
    .prefault({})
    .describe("Where it runs. All services of a project are on the same node."),
});

/** `docker-node:compose`, by name of the project. */
export const composeSchema = z.record(hostLabel, project);

/** A compose project with its defaults. */
export type ComposeProject = z.infer<typeof project>;
