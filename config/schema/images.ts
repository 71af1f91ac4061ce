import { z } from "zod";
import { isRegistry } from "../images";

const registry = z
  .string()
  .regex(/^[a-z0-9.-]+(:\d{1,5})?(\/[a-z0-9._-]+)*$/, {
    error: "a registry, or a part of one, such as registry.example.org:5000 or docker.io/portainer",
  })
  .refine((name) => isRegistry(name.split("/")[0] ?? ""), {
    error: "a name that begins with the registry's host, such as docker.io/portainer",
  });

/** `images` of a node. */
export const imagesSchema = z.strictObject({
  registries: z
    .array(registry)
    .min(1)
    .describe(
      "Registries, or parts of them, that images may come from. An image from elsewhere takes a waiver with id `image-registry`.",
    ),
});
