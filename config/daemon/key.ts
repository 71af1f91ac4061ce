import type { z } from "zod";

/** What a key of daemon.json is, beside the values it may hold. */
interface Traits {
  /** A change moves the daemon to another layout, in which its existing data is hidden. */
  readonly hides?: true;
  /** Describes docker0, which dockerd leaves as it is while containers run on it. */
  readonly docker0?: true;
  /** First release of Docker that knows the key, such as "28.0". Earlier releases do not start with it. */
  readonly since?: string;
}

/** A key of daemon.json. */
export interface Key<T extends z.ZodType = z.ZodType> extends Traits {
  readonly schema: T;
  /** What dockerd needs in order to apply another value. */
  readonly effect: "reload" | "restart";
  readonly doc: string;
}

/** A key that a running dockerd takes over (SIGHUP). */
export function reloads<T extends z.ZodType>(schema: T, doc: string, traits: Traits = {}): Key<T> {
  return { schema, effect: "reload", doc, ...traits };
}

/** A key that only a restart of dockerd takes over. */
export function restarts<T extends z.ZodType>(schema: T, doc: string, traits: Traits = {}): Key<T> {
  return { schema, effect: "restart", doc, ...traits };
}

type Shape<K extends Readonly<Record<string, Key>>> = {
  [P in keyof K]: z.ZodOptional<K[P]["schema"]>;
};

/** The keys as the shape of an object, each optional and described. */
export function shapeOf<K extends Readonly<Record<string, Key>>>(keys: K): Shape<K> {
  const entries = Object.entries(keys).map(([name, key]) => [
    name,
    key.schema.optional().describe(describeKey(key)),
  ]);
  return Object.fromEntries(entries) as Shape<K>;
}

function describeKey({ doc, effect, hides, since }: Key): string {
  const notes = [
    effect === "reload" ? "Reload." : "Restart.",
    ...(hides ? ["A change hides existing data."] : []),
    ...(since ? [`Docker ${since} and newer.`] : []),
  ];
  return [doc, ...notes].join(" ");
}
