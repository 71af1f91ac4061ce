"""The answer to a packet that a rule rejects (PVE/Firewall.pm, PVEFW-reject): a TCP reset, or ICMP that says why."""

import struct
from typing import Optional

from .packet import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP, UDP, Header, Malformed, read_header

# How much of the packet an ICMP error quotes (RFC 1812, 4.3.2.3 and RFC 4443, 2.4 as Linux does it).
QUOTED = {4: 576 - 28, 6: 1280 - 48}
# Type and code: port unreachable for UDP, administratively prohibited for the rest.
REASONS = {4: {UDP: (3, 3), None: (3, 10)}, 6: {UDP: (1, 4), None: (1, 1)}}


def answer(frame: bytes) -> Optional[bytes]:
    """The frame that goes back; None for groups, ICMP, resets and fragments, which get no answer."""
    if frame[0] & 1:
        return None
    try:
        header = read_header(frame[14:])
    except Malformed:
        return None
    if not header.first or header.protocol in (ICMP, ICMPV6):
        return None
    payload = _reset(header) if header.protocol == TCP else _reason(header, frame[14:])
    return frame[6:12] + frame[:6] + frame[12:14] + _packet(header, payload) if payload else None


def _reset(header: Header) -> Optional[bytes]:
    """nf_reject_ip_tcphdr_put."""
    data = header.payload
    source, target, sequence, acknowledged, offset, flags = struct.unpack('!HHIIBB', data[:14])
    if flags & RST:
        return None
    length = len(data) - (offset >> 4) * 4 + bool(flags & SYN) + bool(flags & FIN)
    numbers = (acknowledged, 0, RST) if flags & ACK else (0, (sequence + length) & 0xffffffff, RST | ACK)
    tcp = struct.pack('!HHIIBBHHH', target, source, numbers[0], numbers[1], 0x50, numbers[2], 0, 0, 0)
    return _summed(tcp, 16, _pseudo(header, TCP, len(tcp)))


def _reason(header: Header, packet: bytes) -> bytes:
    reasons = REASONS[header.version]
    kind, code = reasons.get(header.protocol, reasons[None])
    icmp = struct.pack('!BBHI', kind, code, 0, 0) + packet[:QUOTED[header.version]]
    return _summed(icmp, 2, b'' if header.version == 4 else _pseudo(header, ICMPV6, len(icmp)))


def _packet(header: Header, payload: bytes) -> bytes:
    """The IP header of the answer, with source and destination exchanged."""
    if header.version == 6:
        protocol = TCP if header.protocol == TCP else ICMPV6
        return struct.pack('!IHBB', 6 << 28, len(payload), protocol, 64) + header.target + header.source + payload
    protocol = TCP if header.protocol == TCP else ICMP
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + header.target + header.source
    return _summed(ip, 10, b'') + payload


def _pseudo(header: Header, protocol: int, length: int) -> bytes:
    if header.version == 6:
        return header.target + header.source + struct.pack('!II', length, protocol)
    return header.target + header.source + struct.pack('!HH', protocol, length)


def _summed(data: bytes, at: int, pseudo: bytes) -> bytes:
    """The data with their checksum filled in (RFC 1071)."""
    whole = pseudo + data + bytes(len(data) % 2)
    total = sum(struct.unpack(f'!{len(whole) // 2}H', whole))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return data[:at] + struct.pack('!H', ~total & 0xffff) + data[at + 2:]
