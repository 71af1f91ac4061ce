"""The firewall of a NIC: what it lets through in each direction, as Proxmox VE compiles it (pve-firewall, PVE/Firewall.pm)."""

import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional

from fakepve.firewall import PROTOCOLS, SERVICES

from .packet import ICMP, ICMPV6, UDP, Packet
from .vlans import net_options, raw_mac

Config = dict[str, Any]
# The fields of a rule that the switch obeys. `log` and `comment` do not change what passes.
MODELLED = {'type', 'action', 'enable', 'proto', 'source', 'dest', 'sport', 'dport', 'comment', 'log', 'ipversion'}
# Ports of client and server in DHCP by IP version.
DHCP = {4: (68, 67), 6: (546, 547)}
ROUTER_ADVERTISEMENT = 134
NEIGHBOURS = (133, 135, 136)  # router solicitation, neighbour solicitation and advertisement


class Verdict(Enum):
    """What becomes of a packet."""

    ACCEPT = 'ACCEPT'
    DROP = 'DROP'
    REJECT = 'REJECT'


@dataclass(frozen=True)
class Rule:
    """A rule for one direction. An empty tuple matches anything; an address range is version, first, last."""

    verdict: Verdict
    protocol: Optional[int]
    sources: tuple[tuple[int, int, int], ...]
    targets: tuple[tuple[int, int, int], ...]
    sports: tuple[tuple[int, int], ...]
    dports: tuple[tuple[int, int], ...]

    def matches(self, packet: Packet) -> bool:
        """Does the rule match the packet?"""
        header, (sport, dport) = packet.header, packet.ports
        return (self.protocol in (None, header.protocol)
                and _contains(self.sources, header.version, header.source)
                and _contains(self.targets, header.version, header.target)
                and (not self.sports or any(first <= sport <= last for first, last in self.sports))
                and (not self.dports or any(first <= dport <= last for first, last in self.dports)))


def _contains(ranges: tuple[tuple[int, int, int], ...], version: int, address: bytes) -> bool:
    number = int.from_bytes(address, 'big')
    return not ranges or any(of == version and first <= number <= last for of, first, last in ranges)


def unmodelled(rule: Config) -> Optional[str]:
    """The first field that the switch would not obey, if any; an alias or an IP set is one."""
    if rule.get('type') not in ('in', 'out'):
        return 'type'
    unknown = sorted(key for key in rule if rule[key] is not None and key not in MODELLED)
    named = [key for key in ('source', 'dest') if rule.get(key) and not rule[key][0].isdigit() and ':' not in rule[key]]
    protocol = rule.get('proto')
    ports = ['dport'] if rule.get('dport') and _protocol(protocol) in (ICMP, ICMPV6) else []
    return next(iter([*unknown, *named, *ports]), None)


def _protocol(name: Any) -> Optional[int]:
    if not name:
        return None
    text = str(name)
    return int(text) if text.isdigit() else {**PROTOCOLS, 'icmpv6': ICMPV6}[text]


def _addresses(text: Any) -> tuple[tuple[int, int, int], ...]:
    """A list of addresses and networks, or one range."""
    found = []
    for part in filter(None, str(text or '').split(',')):
        first, _, last = part.partition('-')
        network = ipaddress.ip_network(first, strict=False)
        end = ipaddress.ip_address(last) if last else network.broadcast_address
        found.append((network.version, int(network.network_address), int(end)))
    return tuple(found)


def _ports(text: Any) -> tuple[tuple[int, int], ...]:
    """A list of ports, ranges and names of services."""
    found = []
    for part in filter(None, str(text or '').split(',')):
        first, _, last = part.partition(':')
        start = int(first) if first.isdigit() else SERVICES[first]
        found.append((start, int(last or start)))
    return tuple(found)


def compile_rule(rule: Config) -> Rule:
    """Compile a rule of the API; it is valid, and the switch obeys all its fields."""
    return Rule(Verdict(rule['action']), _protocol(rule.get('proto')), _addresses(rule.get('source')),
                _addresses(rule.get('dest')), _ports(rule.get('sport')), _ports(rule.get('dport')))


@dataclass(frozen=True, eq=False)
class Gate:
    """One direction of a NIC: which packets may open a connection (generate_tap_rules_direction)."""

    outward: bool
    dhcp: bool
    ndp: bool
    radv: bool
    # The only address the NIC may send from, if addresses are filtered: IPv6's link-local one.
    link_local: Optional[bytes]
    rules: tuple[Rule, ...]
    policy: Verdict

    def judge(self, packet: Packet) -> Verdict:
        """The verdict on a packet of no known connection."""
        if self._is_dhcp(packet):
            return Verdict.ACCEPT
        if self.outward and self._is_forged(packet):
            return Verdict.DROP
        if self._is_discovery(packet):
            return Verdict.ACCEPT
        return next((rule.verdict for rule in self.rules if rule.matches(packet)), self.policy)

    def _is_dhcp(self, packet: Packet) -> bool:
        client, server = DHCP[packet.header.version]
        wanted = (client, server) if self.outward else (server, client)
        return self.dhcp and packet.header.protocol == UDP and packet.ports == wanted

    def _is_forged(self, packet: Packet) -> bool:
        announced = packet.header.protocol == ICMPV6 and packet.icmp == ROUTER_ADVERTISEMENT and not self.radv
        return announced or self.link_local not in (None, packet.header.source)

    def _is_discovery(self, packet: Packet) -> bool:
        known = packet.icmp in NEIGHBOURS or packet.icmp == ROUTER_ADVERTISEMENT and not (self.outward and not self.radv)
        return self.ndp and packet.header.protocol == ICMPV6 and known


@dataclass(frozen=True, eq=False)
class Filter:
    """The firewall of a NIC. `mac` is the only address it may send from; None if addresses are not filtered."""

    mac: Optional[bytes]
    inward: Gate
    outward: Gate


def link_local(mac: bytes) -> bytes:
    """The IPv6 address that a hardware address stands for (mac_to_linklocal)."""
    return bytes.fromhex('fe80000000000000') + bytes([mac[0] ^ 2]) + mac[1:3] + b'\xff\xfe' + mac[3:]


def filter_of(net: str, datacenter: Config, options: Config, rules: list[Config]) -> Optional[Filter]:
    """The firewall of a netN value; None where Proxmox filters nothing: any of the three switches is off.

    Each rule is valid, and the switch obeys its fields. Options that are absent are as PVE/Firewall.pm takes them.
    """
    switches = (datacenter.get('enable'), options.get('enable'), net_options(net).get('firewall') == '1')
    if not all(switches):
        return None
    mac = raw_mac(net)
    common: dict[str, Any] = {
        'dhcp': bool(options.get('dhcp', 1)), 'ndp': bool(options.get('ndp', 1)), 'radv': bool(options.get('radv')),
        'link_local': link_local(mac) if options.get('ipfilter') else None}
    inward, outward = (tuple(compile_rule(rule) for rule in rules if rule.get('enable') and rule['type'] == kind)
                       for kind in ('in', 'out'))
    return Filter(mac if options.get('macfilter', 1) else None,
                  Gate(False, rules=inward, policy=Verdict(options.get('policy_in', 'DROP')), **common),
                  Gate(True, rules=outward, policy=Verdict(options.get('policy_out', 'ACCEPT')), **common))
