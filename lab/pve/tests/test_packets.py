"""Packets as the firewall reads them, VLANs of a port, and the answers to what is rejected."""

import struct
from typing import Optional

import pytest

from frames import (ACK, BROADCAST, FIN, GUEST, GUEST6, HOST, HOST6, MAC, OTHER, PSH, RST, SYN, address, arp, checksum, ethernet, frame,
                    icmp, ip, tagged, tcp, tcp_data, udp)
from labpve import reject
from labpve.packet import Kind, Malformed, read
from labpve.vlans import Vlans, vlans_of


@pytest.mark.parametrize('source, target', [(HOST, GUEST), (HOST6, GUEST6)])
def test_tcp_and_udp(source: str, target: str) -> None:
    there, back = read(tcp(source, 40000, target, 22)[14:]), read(tcp(target, 22, source, 40000, SYN | ACK)[14:])
    assert (there.ports, there.flags, there.kind, back.kind) == ((40000, 22), SYN, Kind.OPENING, Kind.FOLLOWING)
    assert there.key == back.reverse == address(source) + address(target) + struct.pack('!HH', 40000, 22)
    assert there.reverse == back.key
    assert read(udp(source, 5353, target, 53)[14:]).ports == (5353, 53)


@pytest.mark.parametrize('flags, kind', [
    (SYN, Kind.OPENING), (ACK, Kind.OPENING), (ACK | PSH, Kind.OPENING), (SYN | ACK, Kind.FOLLOWING), (RST, Kind.FOLLOWING),
    (RST | ACK, Kind.FOLLOWING), (FIN | ACK, Kind.FOLLOWING), (FIN, Kind.FOLLOWING), (0, Kind.FOLLOWING)])
def test_what_may_begin_a_connection(flags: int, kind: Kind) -> None:
    assert read(tcp(HOST, 40000, GUEST, 22, flags)[14:]).kind is kind


def test_an_answer_to_a_ping_is_its_question_turned_round() -> None:
    for source, target, question, answer in ((HOST, GUEST, 8, 0), (HOST6, GUEST6, 128, 129)):
        there, back = read(icmp(source, target, question)[14:]), read(icmp(target, source, answer)[14:])
        assert (there.kind, back.kind) == (Kind.OPENING, Kind.FOLLOWING)
        assert there.reverse == back.key and there.key != back.key
        assert read(icmp(target, source, question)[14:]).key != back.key


def test_an_error_quotes_a_packet_that_may_be_cut_off() -> None:
    quoted = tcp(GUEST, 40000, HOST, 80)[14:]
    error = read(icmp(HOST, GUEST, 3, data=quoted[:28])[14:])
    assert error.kind is Kind.ERROR and error.about and error.about.ports == (40000, 80)
    assert read(icmp(HOST, GUEST, 3, data=b'\x45')[14:]).about is None
    assert read(icmp(HOST6, GUEST6, 135)[14:]).kind is Kind.UNTRACKED
    assert read(icmp(HOST, GUEST, 9)[14:]).kind is Kind.FOLLOWING


def test_fragments() -> None:
    data = struct.pack('!HHHH', 1000, 2000, 3000, 0) + bytes(24)
    first, later = (read(ip(HOST, GUEST, 17, data, fragment, 77)) for fragment in (0x2000, 4))
    assert (first.kind, first.ports, later.kind) == (Kind.OPENING, (1000, 2000), Kind.FRAGMENT)
    assert first.header.ident == later.header.ident != b''
    assert read(ip(HOST, GUEST, 17, data, 0x4000)).header.ident == b''  # "do not fragment"
    first, later = (read(ip(HOST6, GUEST6, 44, struct.pack('!BBHI', 17, 0, field, 99) + data)) for field in (1, 32))
    assert (first.kind, first.ports, later.kind) == (Kind.OPENING, (1000, 2000), Kind.FRAGMENT)
    assert first.header.ident == later.header.ident != b''


def test_extension_headers_do_not_hide_a_port() -> None:
    options = struct.pack('!BB', 60, 0) + bytes(6) + struct.pack('!BB', 6, 1) + bytes(14)
    assert read(ip(HOST6, GUEST6, 0, options + tcp_data(40000, 22))).ports == (40000, 22)


@pytest.mark.parametrize('data', [
    b'', b'\x45', b'\x44' + tcp(HOST, 1, GUEST, 2)[15:], tcp(HOST, 1, GUEST, 2)[14:-1], ip(HOST, GUEST, 6, bytes(8)), ip(HOST, GUEST, 17, bytes(4)),
    ip(HOST, GUEST, 1, bytes(4)), b'\x50' + bytes(60), tcp(HOST6, 1, GUEST6, 2)[14:-1], ip(HOST6, GUEST6, 0, bytes(1)),
    ip(HOST6, GUEST6, 60, b'\x06\x09' + bytes(30)), ip(HOST6, GUEST6, 44, bytes(4))])
def test_nonsense(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


@pytest.mark.parametrize('options, expected', [
    ('', Vlans(1, None)), (',tag=20', Vlans(20, frozenset())), (',tag=20,trunks=30;40-42', Vlans(20, frozenset({30, 40, 41, 42}))),
    (',trunks=30', Vlans(1, frozenset({30})))])
def test_vlans_of_a_port(options: str, expected: Vlans) -> None:
    assert vlans_of('virtio=BC:24:11:00:00:24,bridge=vmbr0' + options) == expected


@pytest.mark.parametrize('options, vlan, entered', [
    (',tag=20', None, 20), (',tag=20', 30, None), (',tag=20', 0, 20), (',tag=20', 20, 20), (',tag=20,trunks=30', 30, 30),
    (',tag=20,trunks=30', 31, None), ('', 30, 30), ('', None, 1)])
def test_frames_that_a_port_takes(options: str, vlan: Optional[int], entered: Optional[int]) -> None:
    """Linux takes a tag of the port's own VLAN too, and VLAN 0 is only a priority (__allowed_ingress)."""
    sent = arp() if vlan is None else tagged(arp(), vlan)
    port = vlans_of('virtio=BC:24:11:00:00:24' + options)
    assert port.enter(sent) == (None if entered is None else (entered, arp()))


def test_frames_that_a_guest_gets() -> None:
    port = vlans_of('virtio=BC:24:11:00:00:24,tag=20,trunks=30')
    assert port.leave(20, arp()) == arp() and port.leave(30, arp()) == tagged(arp(), 30)


@pytest.mark.parametrize('source, target', [(HOST, GUEST), (HOST6, GUEST6)])
@pytest.mark.parametrize('flags, data, sequence, expected', [(SYN, b'', 0, RST | ACK), (ACK | PSH, b'abc', 500, RST), (FIN, b'abc', 0, RST | ACK)])
def test_a_reset_answers_tcp(source: str, target: str, flags: int, data: bytes, sequence: int, expected: int) -> None:
    asked = frame(ip(source, target, 6, tcp_data(40000, 22, flags, data, ack=500)))
    sent = reject.answer(asked)
    assert sent and sent[:14] == MAC + OTHER + asked[12:14]
    answer = read(sent[14:])
    assert (answer.header.source, answer.ports, answer.flags) == (address(target), (22, 40000), expected)
    numbers = struct.unpack('!II', answer.header.payload[4:12])
    assert numbers == (sequence, 0 if expected == RST else 1000 + len(data) + 1)
    assert summed(answer.header.source, answer.header.target, 6, answer.header.payload) == b'\0\0'


def summed(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    """Zero if the payload's checksum is right."""
    return checksum(source + target + struct.pack('!II', len(payload), protocol) + payload)


def test_icmp_answers_the_rest() -> None:
    asked = udp(HOST, 40000, GUEST, 53)
    sent = reject.answer(asked)
    assert sent and checksum(sent[14:34]) == checksum(sent[34:]) == b'\0\0'
    assert (sent[34], sent[35], sent[42:]) == (3, 3, asked[14:])
    sent = reject.answer(udp(HOST6, 40000, GUEST6, 53))
    assert sent and (sent[54], sent[55]) == (1, 4)
    assert summed(address(GUEST6), address(HOST6), 58, sent[54:]) == b'\0\0'
    sent = reject.answer(frame(ip(HOST, GUEST, 50, bytes(16))))
    assert sent and (sent[34], sent[35]) == (3, 10)


@pytest.mark.parametrize('asked', [
    tcp(HOST, 1, GUEST, 2, RST), icmp(HOST, GUEST, 8), icmp(HOST6, GUEST6, 128), BROADCAST + udp(HOST, 1, GUEST, 2)[6:],
    frame(ip(HOST, GUEST, 17, bytes(8), 4)), ethernet(b'\x45', 0x800)])
def test_silence_answers_what_must_not_be_answered(asked: bytes) -> None:
    assert reject.answer(asked) is None
