/** Shapes of Portainer's answers, as far as the program reads them (https://app.swaggerhub.com/apis/portainer/portainer-ce). */
import { z } from "zod";

/** `GET /system/status` */
export const status = z.looseObject({ Version: z.string() });

/** `GET /endpoints`, which Portainer's pages call environments. */
export const environment = z.looseObject({
  Id: z.int(),
  Name: z.string(),
  URL: z.string(),
  /** 2: a Docker behind an agent (`AgentOnDockerEnvironment`). */
  Type: z.int(),
});
export const environments = z.array(environment);
export type Environment = Readonly<z.output<typeof environment>>;

/** `GET /endpoints/<id>/docker/containers/json`, which Docker answers. */
export const containers = z.array(z.looseObject({ Id: z.string() }));

/** `GET /endpoint_groups` */
export const group = z.looseObject({ Id: z.int(), Name: z.string() });
export const groups = z.array(group);

/** `GET /tags`: here it is `ID`. */
export const tag = z.looseObject({ ID: z.int(), Name: z.string() });
export const tags = z.array(tag);

/** The body of an error. */
export const problem = z.looseObject({
  message: z.string().default(""),
  details: z.string().default(""),
});
