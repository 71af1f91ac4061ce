import { z } from "zod";
import type { Problem } from "./problems";

/*
 * Texts that other programs parse: a URL in apt's sources, a host in an ssh command line, a domain in a property string
 * of Proxmox. Each type allows what its field needs, and no character with a meaning there.
 */

/** An http(s) URL without white space, quotes or control characters: `new URL` alone would drop those. */
export const httpUrl = (protocol: "http" | "https" = "http"): z.ZodString =>
  z.string().regex(protocol === "https" ? HTTPS : HTTP, {
    error: `an ${protocol} URL without spaces, such as ${protocol}://host.example.org/path`,
  });

const HTTP = /^https?:\/\/([\w.-]+|\[[\da-fA-F:]+\])(:\d{1,5})?(\/[\w.~:/?#[\]@!$&()*+,;=%-]*)?$/;
const HTTPS = new RegExp(HTTP.source.replace("https?", "https"));

/** A label of a host's name (RFC 1123). */
export const LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

/** A host's or domain's name, or an IPv4 address. */
export const hostName = z.string().regex(new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})*$`), {
  error: "a host name, such as node.example.org, or an IPv4 address",
});

/** ssh expands `%` and `${}` in the name of a key file and reads a leading `-` as an option. */
export const keyFile = z.string().regex(/^(?!-)(?!.*\$\{)[^%\n]+$/, {
  error: "a path that does not begin with - and holds neither %, ${ nor a line feed",
});

/** Text on one line, as Proxmox keeps it: without white space around it. */
export const oneLine = z
  .string()
  .trim()
  .regex(/^[^\n]*$/, { error: "one line of text" });

const DEEPEST = 32;
/** Control characters other than tab and line feed, and single surrogates, which UTF-8 cannot encode. */
const UNPRINTABLE = /(?![\n\t])[\p{Cc}\p{Cs}]/u;

/**
 * Finds what no field allows: characters that a shell or a terminal drops or obeys, the key `__proto__`, and nesting
 * deeper than 32 levels.
 */
export function findHostile(value: unknown, path: readonly PropertyKey[]): Problem[] {
  if (typeof value === "string" && UNPRINTABLE.test(value))
    return [{ path, value, allowed: "text without control characters, in valid Unicode" }];
  if (typeof value !== "object" || value === null) return [];
  if (path.length > DEEPEST)
    return [{ path, value: "…", allowed: `at most ${DEEPEST} levels of nesting` }];
  return Object.entries(value).flatMap(([key, item]) => {
    const inner = [...path, key];
    if (key === "__proto__" || UNPRINTABLE.test(key))
      return [{ path: inner, value: item, allowed: "another name for the key" }];
    return findHostile(item, inner);
  });
}
