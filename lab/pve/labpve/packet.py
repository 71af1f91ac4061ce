"""An IP packet as the firewall reads it: addresses, ports, and the connection it belongs to."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Optional

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FIN, SYN, RST, ACK = 1, 2, 4, 16
# Protocols whose header begins with the source and the destination port: TCP, UDP, DCCP, SCTP, UDP-Lite.
WITH_PORTS = (TCP, UDP, 33, 132, 136)
# The answer to a question of ICMP: echo, timestamp, information, address mask; echo of IPv6 (nf_conntrack_proto_icmp*.c).
ANSWERS = {ICMP: {8: 0, 13: 14, 15: 16, 17: 18}, ICMPV6: {128: 129}}
# ICMP errors, which quote the packet that they are about.
ERRORS = {ICMP: (3, 4, 5, 11, 12), ICMPV6: (1, 2, 3, 4)}
# Multicast listener and neighbour discovery belong to no connection (nf_conntrack_proto_icmpv6.c, noct_valid_new).
UNTRACKED = (130, 131, 132, 133, 134, 135, 136, 137, 143)
# IPv6's extension headers that another header follows: hop by hop, routing, destination options.
EXTENSIONS = (0, 43, 60)
FRAGMENT_HEADER = 44


class Malformed(ValueError):
    """A packet that no system would accept."""


class Kind(Enum):
    """How the table of connections treats a packet."""

    OPENING = auto()    # may begin a connection
    FOLLOWING = auto()  # belongs to a connection, or is dropped
    ERROR = auto()      # is about another packet
    UNTRACKED = auto()
    FRAGMENT = auto()   # goes where its first fragment went


@dataclass
class Header:
    """What IPv4 and IPv6 have in common. `ident` is the datagram's name if this is a fragment of it, else empty."""

    version: int
    protocol: int
    source: bytes
    target: bytes
    payload: bytes
    ident: bytes = b''
    first: bool = True


@dataclass
class Packet:
    """A packet, and the key of its connection in either direction; `about` is the packet that an ICMP error quotes."""

    header: Header
    kind: Kind
    ports: tuple[int, int] = (-1, -1)
    icmp: int = -1
    flags: int = 0
    key: bytes = b''
    reverse: bytes = b''
    about: Optional['Packet'] = None


def read_header(data: bytes, quoted: bool = False) -> Header:
    """The header of an IP packet; a quoted packet may be cut off. Raises Malformed if it is not an IP packet."""
    try:
        header = _ipv4(data, quoted) if data[0] >> 4 == 4 else _ipv6(data, quoted)
    except IndexError:
        raise Malformed('header cut off') from None
    return header


def _ipv4(data: bytes, quoted: bool) -> Header:
    start, end = (data[0] & 15) * 4, int.from_bytes(data[2:4], 'big')
    if not 20 <= start <= end or len(data) < (start if quoted else end):
        raise Malformed('IPv4 length')
    fragment, source, target = int.from_bytes(data[6:8], 'big'), data[12:16], data[16:20]
    ident = source + target + data[9:10] + data[4:6] if fragment & 0x3fff else b''
    return Header(4, data[9], source, target, data[start:end], ident, not fragment & 0x1fff)


def _ipv6(data: bytes, quoted: bool) -> Header:
    end = 40 + int.from_bytes(data[4:6], 'big')
    if data[0] >> 4 != 6 or len(data) < (40 if quoted else end):
        raise Malformed('IPv6 length')
    header = Header(6, data[6], data[8:24], data[24:40], data[40:end])
    while header.first and header.protocol in (*EXTENSIONS, FRAGMENT_HEADER):
        rest = header.payload
        length = 8 if header.protocol == FRAGMENT_HEADER else 8 + rest[1] * 8
        if len(rest) < length:
            raise Malformed('IPv6 extension header')
        if header.protocol == FRAGMENT_HEADER:
            header.ident = header.source + header.target + rest[4:8]
            header.first = int.from_bytes(rest[2:4], 'big') < 8
        header.protocol, header.payload = rest[0], rest[length:]
    return header


def read(data: bytes, quoted: bool = False) -> Packet:
    """Parse a packet; raises Malformed if it is not one."""
    header = read_header(data, quoted)
    if not header.first:
        return Packet(header, Kind.FRAGMENT)
    if header.protocol == (ICMP if header.version == 4 else ICMPV6):
        return _icmp(header)
    if header.protocol in WITH_PORTS:
        return _with_ports(header, quoted)
    return _tracked(header, Kind.OPENING, bytes(4), bytes(4))


def _tracked(header: Header, kind: Kind, tail: bytes, back: bytes) -> Packet:
    source, target = header.source, header.target
    return Packet(header, kind, key=source + target + tail, reverse=target + source + back)


def _with_ports(header: Header, quoted: bool) -> Packet:
    data = header.payload
    if len(data) < (4 if quoted else 20 if header.protocol == TCP else 8):
        raise Malformed('ports cut off')
    source, target = data[:2], data[2:4]
    packet = _tracked(header, Kind.OPENING, source + target, target + source)
    packet.ports = int.from_bytes(source, 'big'), int.from_bytes(target, 'big')
    if header.protocol == TCP and not quoted:
        packet.flags = data[13]
        # A first SYN, or data of a connection older than the firewall (nf_conntrack_proto_tcp.c, nf_conntrack_tcp_loose).
        packet.kind = Kind.OPENING if packet.flags & (FIN | SYN | RST | ACK) in (SYN, ACK) else Kind.FOLLOWING
    return packet


def _icmp(header: Header) -> Packet:
    data = header.payload
    if len(data) < 8:
        raise Malformed('ICMP cut off')
    kind, questions = data[0], ANSWERS[header.protocol]
    if kind in ERRORS[header.protocol]:
        packet = Packet(header, Kind.ERROR, about=_quoted(data[8:]))
    elif header.protocol == ICMPV6 and kind in UNTRACKED:
        packet = Packet(header, Kind.UNTRACKED)
    elif kind in questions:
        packet = _tracked(header, Kind.OPENING, data[4:6] + bytes([kind, 0]), data[4:6] + bytes([questions[kind], 0]))
    else:
        packet = _tracked(header, Kind.FOLLOWING, data[4:6] + bytes([kind, 0]), b'')
    packet.icmp = kind
    return packet


def _quoted(data: bytes) -> Optional[Packet]:
    try:
        return read(data, quoted=True)
    except Malformed:
        return None
