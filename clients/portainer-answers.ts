/** Shapes of Portainer's answers, as far as the program reads them (https://app.swaggerhub.com/apis/portainer/portainer-ce). */
import { z } from "zod";

/** `GET /system/status` */
export const status = z.looseObject({ Version: z.string() });

/** `GET /endpoints`, which Portainer's pages call environments. */
export const environment = z.looseObject({
  Id: z.int(),
  Name: z.string(),
  URL: z.string(),
  /** How Portainer and the agent meet: `KINDS`. */
  Type: z.int(),
  GroupId: z.int().default(1),
  TagIds: z
    .array(z.int())
    .nullish()
    .transform((ids) => ids ?? []),
  /** For an agent that reaches Portainer: where it does, and what it has to show there. Base64 of `url|tunnel|fingerprint|id` (portainer/api, chisel/key.go). */
  EdgeKey: z.string().default(""),
  /** The agent's own name, which the first one to ask gives. No other may ask afterwards (http/security/bouncer.go). */
  EdgeID: z.string().default(""),
  /** Whether that agent has asked lately (internal/endpointutils). */
  Heartbeat: z.boolean().default(false),
});
/** `GET /endpoints`: a page of them. */
export const environments = z.array(environment);

/** Types of environments: a Docker behind an agent that Portainer reaches, and one behind an agent that reaches Portainer (portainer.go). */
export const KINDS = { agent: 2, edge: 4 } as const;
/** An environment, parsed. */
export type Environment = Readonly<z.output<typeof environment>>;

/** `GET /endpoints/<id>/docker/containers/json`, which Docker answers. */
export const containers = z.array(z.looseObject({ Id: z.string() }));

/** `GET /endpoint_groups` */
export const group = z.looseObject({ Id: z.int(), Name: z.string() });
/** `GET /endpoint_groups`: all of them. */
export const groups = z.array(group);

/** `GET /tags`: here it is `ID`. */
export const tag = z.looseObject({ ID: z.int(), Name: z.string() });
/** `GET /tags`: all of them. */
export const tags = z.array(tag);

/** The body of an error. */
export const problem = z.looseObject({
  message: z.string().default(""),
  details: z.string().default(""),
});
