import { IPv6 } from "ipaddr.js";
import { isAddress, isAddress6, isCidr, isCidr6 } from "./cidr";

/* IPv6 addresses as a node and its firewall have them. */

/** What an address is to others, as ipaddr.js names the ranges (RFC 4291, RFC 4193). */
const rangeOf = (address: string): string => IPv6.parse(address).range();

/** True for an IPv6 address with the length of its network's prefix, without a zone, that does not stand for an IPv4 one. */
export const isNetwork6 = (text: string): boolean =>
  isCidr6(text) && rangeOf(text.split("/")[0] ?? "") !== "ipv4Mapped";

/** True for an address or a network of either family. */
export const isNetworkText = (text: string): boolean =>
  isAddress(text) || isCidr(text) || isNetwork6(text) || isNetwork6(`${text}/128`);

/** True for an address that one machine has and others reach without naming an interface. */
export const isReachable6 = (text: string): boolean =>
  isAddress6(text) &&
  !["ipv4Mapped", "unspecified", "loopback", "multicast", "linkLocal"].includes(rangeOf(text));

/** True for an address that is only valid on one link, such as that of a router (fe80::/10). */
export const isLinkLocal6 = (text: string): boolean =>
  isAddress6(text) && rangeOf(text) === "linkLocal";
