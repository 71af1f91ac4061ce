import { IPv4, IPv6, fromByteArray, isValid, parse } from "ipaddr.js";

/* Addresses and networks of both families. Those of different families have nothing in common. */

/** A network: its base address and prefix length. */
export interface Network {
  readonly base: string;
  readonly prefix: number;
}

/** True for `a.b.c.d/nn` with legal octets and prefix, no leading zeros; host bits may be set. */
export function isCidr(text: string): boolean {
  return IPv4.isValidCIDRFourPartDecimal(text) && !/\/0\d/.test(text);
}

/** True for an IPv6 address with a prefix length, no leading zeros, without a zone; host bits may be set. */
export function isCidr6(text: string): boolean {
  return /^[^%]*:[^%]*$/.test(text) && IPv6.isValidCIDR(text) && !/\/0\d/.test(text);
}

/** True for a dotted IPv4 address of four octets. */
export function isAddress(text: string): boolean {
  return IPv4.isValidFourPartDecimal(text);
}

/** True for an IPv6 address without a zone. */
export function isAddress6(text: string): boolean {
  return /^[^%]*:[^%]*$/.test(text) && IPv6.isValid(text);
}

/**
 * An address of either family as rules name it: without a zone, and as IPv4 if IPv6 only carries it (`::ffff:10.25.10.5`,
 * RFC 4291). Undefined for any other text.
 */
export function plainAddress(text: string): string | undefined {
  const [address = ""] = text.split("%");
  if (!isValid(address)) return undefined;
  const parsed = parse(address);
  const isCarried = parsed instanceof IPv6 && parsed.isIPv4MappedAddress();
  return (isCarried ? parsed.toIPv4Address() : parsed).toString();
}

const familyOf = (text: string): typeof IPv4 | typeof IPv6 => (text.includes(":") ? IPv6 : IPv4);

/** The network an interface address such as `10.25.20.24/24` lies in. */
function networkOf(cidr: string): Network {
  const [, prefix] = familyOf(cidr).parseCIDR(cidr);
  return { base: familyOf(cidr).networkAddressFromCIDR(cidr).toString(), prefix };
}

/** The address part of an interface address: `10.25.20.24/24` gives `10.25.20.24`. */
export function addressOf(cidr: string): string {
  return familyOf(cidr).parseCIDR(cidr)[0].toString();
}

/** The first address a host can have: `172.19.0.0/24` gives `172.19.0.1`, `fd00:19::/64` gives `fd00:19::1`. */
export function firstHost(cidr: string): string {
  const { base, prefix } = networkOf(cidr);
  const octets = parse(base).toByteArray();
  const last = octets.length - 1;
  // A /31 has no base of its own (RFC 3021), nor has a /127 (RFC 6164); every other base is even, so that nothing carries over.
  if (prefix >= 8 * octets.length - 1) return base;
  return fromByteArray(octets.map((octet, at) => (at === last ? octet + 1 : octet))).toString();
}

/** Canonical text: `172.18.0.1/24` gives `172.18.0.0/24`, `FD00:18::1/64` gives `fd00:18::/64` (RFC 5952). */
export function toCanonical(cidr: string): string {
  const { base, prefix } = networkOf(cidr);
  return `${base}/${prefix}`;
}

/** True for an address, and for a network without host bits. */
export function isBase(text: string): boolean {
  return !text.includes("/") || addressOf(text) === networkOf(text).base;
}

/** An address and its prefix length; without one, that of the whole address. */
function parsePrefix(text: string): readonly [IPv4 | IPv6, number] {
  const [address = "", length] = text.split("/");
  const parsed = parse(address);
  return [parsed, Number(length ?? 8 * parsed.toByteArray().length)];
}

/** True when the address (or every address of the network) lies inside `outer`. */
export function contains(outer: string, inner: string): boolean {
  const [net, prefix] = parsePrefix(outer);
  const [base, length] = parsePrefix(inner);
  return net.kind() === base.kind() && length >= prefix && base.match(net, prefix);
}

/** True when two networks share an address. */
export function overlaps(a: string, b: string): boolean {
  return contains(a, b) || contains(b, a);
}

/**
 * True when `address` can be given to a host: inside the network, neither its base nor its broadcast. IPv6 has no broadcast,
 * and the base is every router's (RFC 4291, section 2.6.1).
 */
export function isHostOf(cidr: string, address: string): boolean {
  if (!contains(cidr, address)) return false;
  const { base, prefix } = networkOf(cidr);
  const isBase = contains(address, base);
  if (cidr.includes(":")) return prefix >= 127 || !isBase;
  const broadcast = IPv4.broadcastAddressFromCIDR(cidr).toString();
  return prefix >= 31 || (!isBase && address !== broadcast);
}
