import { IPv6 } from "ipaddr.js";
import { isAddress, isCidr } from "./cidr";
import { isCidr6 } from "./daemon/values";

/* IPv6 addresses as a node and its firewall have them. */

/** What an address of this kind is to others; ranges as ipaddr.js names them (RFC 4291, RFC 4193). */
const rangeOf = (address: string): string => IPv6.parse(address).range();

/** True for an IPv6 address with the length of its network's prefix, without a zone, that does not stand for an IPv4 one. */
export function isNetwork6(text: string): boolean {
  return isCidr6(text) && !text.includes("%") && rangeOf(text.split("/")[0] ?? "") !== "ipv4Mapped";
}

/** True for an IPv6 address without prefix length and zone that does not stand for an IPv4 one. */
const isAddress6 = (text: string): boolean =>
  !text.includes("/") && isNetwork6(`${text}/128`);

/** True for an address or a network of either family. */
export const isNetworkText = (text: string): boolean =>
  isAddress(text) || isCidr(text) || isAddress6(text) || isNetwork6(text);

/** True for an address that one machine has and others reach without naming an interface. */
export const isReachable6 = (text: string): boolean =>
  isAddress6(text) &&
  !["unspecified", "loopback", "multicast", "linkLocal"].includes(rangeOf(text));

export const isLinkLocal6 = (text: string): boolean =>
  isAddress6(text) && rangeOf(text) === "linkLocal";

/** The address part of an interface address, in its one canonical form: `FD25:10:0::19/64` gives `fd25:10::19`. */
export function addressOf6(cidr: string): string {
  return IPv6.parseCIDR(cidr)[0].toString();
}

/** Canonical text of the network: `fd25:10::19/64` gives `fd25:10::/64`. */
export function networkOf6(cidr: string): string {
  return `${IPv6.networkAddressFromCIDR(cidr).toString()}/${IPv6.parseCIDR(cidr)[1]}`;
}

/** True when `address` can be given to a host: inside the network, and not the one of its routers (RFC 4291, 2.6.1). */
export function isHostOf6(cidr: string, address: string): boolean {
  const [base, prefix] = IPv6.parseCIDR(networkOf6(cidr));
  const parsed = IPv6.parse(address);
  return parsed.match(base, prefix) && (prefix >= 127 || parsed.toString() !== base.toString());
}
