import { z } from "zod";
import { isAddress, isAddress6, isCidr, isCidr6 } from "../cidr";

/* Values of daemon.json as dockerd parses them. */

const isAnyAddress = (text: string): boolean => isAddress(text) || isAddress6(text);

/** IPv4, `address/length`; the error shows the example. */
export const cidrText = (example: string): z.ZodString =>
  z.string().refine(isCidr, { error: `an IPv4 address with prefix length, such as ${example}` });

/** IPv6, `address/length`; the error shows the example. */
export const cidr6Text = (example: string): z.ZodString =>
  z.string().refine(isCidr6, { error: `an IPv6 address with prefix length, such as ${example}` });

/** `address/length` of either family. */
export const anyCidr = z.string().refine((text) => isCidr(text) || isCidr6(text), {
  error: "an address with prefix length, such as 172.20.0.0/16 or fd00:20::/56",
});

/** An address of either family. */
export const anyAddress = z
  .string()
  .refine(isAnyAddress, { error: "an IPv4 or IPv6 address, such as 10.25.20.1" });

/** An IPv4 address. */
export const ipv4 = z.string().refine(isAddress, { error: "an IPv4 address, such as 10.25.20.1" });

/** A path without `.`, `..` and characters that a shell or systemd would read in another way. */
export const absolutePath = z.string().regex(/^(\/(?!\.{1,2}(\/|$))[\w.@-]+)+$/, {
  error: "an absolute path without . and .., such as /var/lib/docker",
});

/** Whether a text is a size as go-units reads it (RAMInBytes): a number, then a unit. */
export const isSize = (text: string): boolean =>
  /^\d+(\.\d+)? ?([kmgtp]?b?|[kmgtp]ib)$/i.test(text) && Number.parseFloat(text) > 0;

const SIZE = 'a size as text, such as "64m" or "20GB"';

/** A number of bytes with a unit, see `isSize`. */
export const size = z.string({ error: SIZE }).refine(isSize, { error: SIZE });

/** dockerd decodes these into map[string]string: `"max-file": 3` does not decode. */
export const stringMap = z.record(z.string(), z.string());

/** Whether a text is `key=value` with a key. */
export const isPair = (text: string): boolean => /^[^=\s]+=/.test(text);
