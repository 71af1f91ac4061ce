import { z } from "zod";
import { reloads, restarts } from "../key";
import { mirror, proxy, registry } from "../registries";
import { size } from "../values";

const FIELDS = ["id", "parent", "type", "description", "inuse", "shared", "private"];

const AGES = ["until", "unused-for"];

/** Go's time.ParseDuration, without signs. */
const DURATION = /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/;

const fieldOf = (filter: string): string => filter.split("=", 1)[0] ?? "";

/** dockerd does not start with an age it cannot read, and ignores fields it does not know. */
const isFilter = (filter: string): boolean => {
  const value = filter.slice(fieldOf(filter).length + 1);
  return AGES.includes(fieldOf(filter))
    ? DURATION.test(value)
    : value !== "" && FIELDS.includes(fieldOf(filter));
};

const isOnce = (fields: readonly string[]): boolean => new Set(fields).size === fields.length;

/** Which records a rule is about (toBuildkitPruneInfo and cacheFields in moby daemon/internal/builder-next/builder.go). */
const filters = z
  .array(
    z.string().refine(isFilter, {
      error: `until=<duration>, such as until=48h, or <field>=<value> with a field of the cache: ${FIELDS.join(", ")}`,
    }),
  )
  .refine(
    (all) => isOnce(all.map(fieldOf).map((field) => (AGES.includes(field) ? "age" : field))),
    {
      error: "each field once, and one of until and unused-for",
    },
  );

const rule = z.strictObject({
  all: z.boolean().optional(),
  filter: filters.optional(),
  keepStorage: size.optional(),
  reservedSpace: size.optional(),
  maxUsedSpace: size.optional(),
  minFreeSpace: size.optional(),
});

/** Values of `builder` (moby daemon/config/builder.go). */
const builder = z.strictObject({
  gc: z
    .strictObject({
      enabled: z.boolean().optional(),
      defaultKeepStorage: size.optional(),
      defaultReservedSpace: size.optional(),
      defaultMaxUsedSpace: size.optional(),
      defaultMinFreeSpace: size.optional(),
      policy: z.array(rule).min(1).optional(),
    })
    .optional(),
  entitlements: z
    .strictObject({
      "network-host": z.boolean().optional(),
      "security-insecure": z.boolean().optional(),
      device: z.boolean().optional(),
    })
    .optional(),
});

const positive = z.int().min(1);

/** Keys about images: their sources and how they are built. */
export const REGISTRY_KEYS = {
  builder: restarts(builder, "Cache of BuildKit and what builds are allowed to do."),
  "insecure-registries": reloads(
    z.array(registry),
    "Registries that may use plain HTTP or a certificate that does not verify.",
  ),
  "max-concurrent-downloads": reloads(positive, "Layers of a pull at a time."),
  "max-concurrent-uploads": reloads(positive, "Layers of a push at a time."),
  "max-download-attempts": reloads(positive, "Tries for a layer."),
  proxies: restarts(
    z.strictObject({
      "http-proxy": proxy.optional(),
      "https-proxy": proxy.optional(),
      "no-proxy": z.string().optional(),
    }),
    "Proxies of dockerd itself, for pulls and pushes.",
    { since: "23.0" },
  ),
  "registry-mirrors": reloads(z.array(mirror), "Asked before Docker Hub."),
} as const;
