"""Frames built by hand: Ethernet, 802.1Q, ARP, IPv4, IPv6, TCP, UDP, ICMP."""

import socket
import struct

MAC, OTHER = bytes.fromhex('bc2411000024'), bytes.fromhex('bc2411000023')
BROADCAST = b'\xff' * 6
GUEST, HOST, STRANGER = '10.25.20.24', '10.25.20.1', '10.25.20.99'
GUEST6, HOST6 = 'fd00::24', 'fd00::1'
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data: bytes) -> bytes:
    """RFC 1071; of data with a right checksum in them it is zero."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack('!H', ~total & 0xffff)


def address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ':' in text else socket.AF_INET, text)


def ethernet(payload: bytes, kind: int, source: bytes = MAC, target: bytes = OTHER) -> bytes:
    return target + source + struct.pack('!H', kind) + payload


def tagged(frame: bytes, vlan: int) -> bytes:
    return frame[:12] + struct.pack('!HH', 0x8100, vlan) + frame[12:]


def arp(source: bytes = MAC) -> bytes:
    """A request for HOST."""
    return ethernet(struct.pack('!HHBBH', 1, 0x800, 6, 4, 1) + source + address(GUEST) + bytes(6) + address(HOST), 0x806,
                    source, BROADCAST)


def ip(source: str, target: str, protocol: int, payload: bytes, fragment: int = 0, ident: int = 1) -> bytes:
    """A packet of either version; `fragment` is the field of IPv4."""
    if ':' in source:
        return struct.pack('!IHBB', 6 << 28, len(payload), protocol, 64) + address(source) + address(target) + payload
    header = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol, 0)
    header += address(source) + address(target)
    return header[:10] + checksum(header) + header[12:] + payload


def frame(packet: bytes, source: bytes = MAC, target: bytes = OTHER) -> bytes:
    return ethernet(packet, 0x86dd if packet[0] >> 4 == 6 else 0x800, source, target)


def tcp_data(sport: int, dport: int, flags: int = SYN, data: bytes = b'', sequence: int = 1000, ack: int = 0) -> bytes:
    return struct.pack('!HHIIBBHHH', sport, dport, sequence, ack, 0x50, flags, 65535, 0, 0) + data


def tcp(source: str, sport: int, target: str, dport: int, flags: int = SYN, data: bytes = b'') -> bytes:
    return frame(ip(source, target, 6, tcp_data(sport, dport, flags, data)))


def udp(source: str, sport: int, target: str, dport: int, data: bytes = b'question') -> bytes:
    return frame(ip(source, target, 17, struct.pack('!HHHH', sport, dport, 8 + len(data), 0) + data))


def icmp(source: str, target: str, kind: int, ident: int = 7, data: bytes = b'') -> bytes:
    """ICMP of the version that the addresses have."""
    return frame(ip(source, target, 58 if ':' in source else 1, struct.pack('!BBHHH', kind, 0, 0, ident, 1) + data))
