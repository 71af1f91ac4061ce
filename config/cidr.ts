import { IPv4, IPv6, isValid, parse } from "ipaddr.js";

/** An IPv4 network: its base address and prefix length. */
export interface Network {
  readonly base: string;
  readonly prefix: number;
}

/** True for `a.b.c.d/nn` with legal octets and prefix, no leading zeros; host bits may be set. */
export function isCidr(text: string): boolean {
  return IPv4.isValidCIDRFourPartDecimal(text) && !/\/0\d/.test(text);
}

/** True for a dotted IPv4 address of four octets. */
export function isAddress(text: string): boolean {
  return IPv4.isValidFourPartDecimal(text);
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

/** The network an interface address such as `10.25.20.24/24` lies in. */
export function networkOf(cidr: string): Network {
  const [, prefix] = IPv4.parseCIDR(cidr);
  return { base: IPv4.networkAddressFromCIDR(cidr).toString(), prefix };
}

/** The address part of an interface address: `10.25.20.24/24` gives `10.25.20.24`. */
export function addressOf(cidr: string): string {
  return IPv4.parseCIDR(cidr)[0].toString();
}

/** The first address a host can have: `172.19.0.0/24` gives `172.19.0.1`. */
export function firstHost(cidr: string): string {
  const { base, prefix } = networkOf(cidr);
  // A /31 has no base of its own (RFC 3021); every other base is even, so that nothing carries over.
  return prefix >= 31 ? base : base.replace(/\d+$/, (octet) => String(Number(octet) + 1));
}

/** Canonical text: `172.18.0.1/24` gives `172.18.0.0/24`. */
export function toCanonical(cidr: string): string {
  const { base, prefix } = networkOf(cidr);
  return `${base}/${prefix}`;
}

/** True when the address (or every address of the network) lies inside `outer`. */
export function contains(outer: string, inner: string): boolean {
  const net = networkOf(outer);
  const [base, prefix] = inner.includes("/")
    ? [networkOf(inner).base, networkOf(inner).prefix]
    : [inner, 32];
  return prefix >= net.prefix && IPv4.parse(base).match(IPv4.parse(net.base), net.prefix);
}

/** True when two networks share an address. */
export function overlaps(a: string, b: string): boolean {
  return contains(a, toCanonical(b)) || contains(b, toCanonical(a));
}

/** True when `address` can be given to a host: inside the network, neither its base nor its broadcast. */
export function isHostOf(cidr: string, address: string): boolean {
  if (!contains(cidr, address)) return false;
  const broadcast = IPv4.broadcastAddressFromCIDR(cidr).toString();
  return (
    networkOf(cidr).prefix >= 31 || (address !== networkOf(cidr).base && address !== broadcast)
  );
}
