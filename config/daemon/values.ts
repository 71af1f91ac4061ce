import { IPv4, IPv6 } from "ipaddr.js";
import { z } from "zod";
import { isAddress, isCidr } from "../cidr";

/* Values of daemon.json as dockerd parses them. */

/** Whether a text is an IPv6 address with a prefix length. Host bits may be set. */
export function isCidr6(text: string): boolean {
  return text.includes(":") && IPv6.isValidCIDR(text);
}

const isAnyAddress = (text: string): boolean =>
  isAddress(text) || (text.includes(":") && IPv6.isValid(text) && !text.includes("%"));

/** Whether a network holds an address (with or without a prefix length) of the same family. */
export function holds(network: string, address: string): boolean {
  const [family, outer] = parseNetwork(network);
  const [other, inner] = parseNetwork(address);
  if (family !== other || inner.prefix < outer.prefix) return false;
  return inner.bytes.match(outer.bytes, outer.prefix);
}

/** Whether two networks share an address. */
export const meet = (a: string, b: string): boolean => holds(a, b) || holds(b, a);

interface Prefix {
  readonly bytes: IPv4 | IPv6;
  readonly prefix: number;
}

function parseNetwork(text: string): ["IPv4" | "IPv6", Prefix] {
  const [address = "", length] = text.split("/");
  const family = address.includes(":") ? "IPv6" : "IPv4";
  const bytes = family === "IPv6" ? IPv6.parse(address) : IPv4.parse(address);
  return [family, { bytes, prefix: Number(length ?? (family === "IPv6" ? 128 : 32)) }];
}

/** Whether an address with a prefix length is the network itself. */
export function isBase(cidr: string): boolean {
  const [address = ""] = cidr.split("/");
  const base = address.includes(":")
    ? IPv6.networkAddressFromCIDR(cidr)
    : IPv4.networkAddressFromCIDR(cidr);
  const self = address.includes(":") ? IPv6.parse(address) : IPv4.parse(address);
  return base.toString() === self.toString();
}

export const cidrText = (example: string): z.ZodString =>
  z.string().refine(isCidr, { error: `an IPv4 address with prefix length, such as ${example}` });

export const cidr6Text = (example: string): z.ZodString =>
  z.string().refine(isCidr6, { error: `an IPv6 address with prefix length, such as ${example}` });

export const anyCidr = z.string().refine((text) => isCidr(text) || isCidr6(text), {
  error: "an address with prefix length, such as 172.20.0.0/16 or fd00:20::/56",
});

export const anyAddress = z
  .string()
  .refine(isAnyAddress, { error: "an IPv4 or IPv6 address, such as 10.25.20.1" });

export const ipv4 = z.string().refine(isAddress, { error: "an IPv4 address, such as 10.25.20.1" });

export const absolutePath = z.string().regex(/^(\/(?!\.{1,2}(\/|$))[\w.@-]+)+$/, {
  error: "an absolute path without . and .., such as /var/lib/docker",
});

/** Whether a text is a size as go-units reads it (RAMInBytes): a number, then a unit. */
export const isSize = (text: string): boolean =>
  /^\d+(\.\d+)? ?([kmgtp]?b?|[kmgtp]ib)$/i.test(text) && Number.parseFloat(text) > 0;

const SIZE = 'a size as text, such as "64m" or "20GB"';

export const size = z.string({ error: SIZE }).refine(isSize, { error: SIZE });

/** dockerd decodes these into map[string]string: `"max-file": 3` does not decode. */
export const stringMap = z.record(z.string(), z.string());

/** Whether a text is `key=value` with a key. */
export const isPair = (text: string): boolean => /^[^=\s]+=/.test(text);
