"""Which packets belong to a connection that was let through (nf_conntrack), and which must ask."""

import struct
from typing import Any

import pytest

from frames import (ACK, FIN, GUEST, GUEST6, HOST, HOST6, PSH, RST, STRANGER, SYN, arp, frame, icmp, ip, tcp, udp)
from labpve import connections
from labpve.connections import Connections
from labpve.rules import Filter, Verdict, filter_of

NET = 'virtio=BC:24:11:00:00:24,bridge=vmbr0,firewall=1'


class Clock:
    """The time that connections are measured with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(connections.time, 'monotonic', lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def firewall(*open_ports: str, **options: Any) -> Filter:
    rules = [{'type': 'in', 'action': 'ACCEPT', 'enable': 1, 'proto': proto, 'dport': port}
             for proto, port in (text.split('/') for text in open_ports)]
    found = filter_of(NET, {'enable': 1}, {'enable': 1, **options}, rules)
    assert found
    return found


class Guest:
    """A guest behind a firewall: what comes in, and what goes out."""

    def __init__(self, *open_ports: str, **options: Any) -> None:
        self.filter, self.table = firewall(*open_ports, **options), Connections()

    def gets(self, sent: bytes) -> bool:
        return self.table.judge(self.filter.inward, sent) is Verdict.ACCEPT

    def sends(self, sent: bytes) -> bool:
        return self.table.judge(self.filter.outward, sent) is Verdict.ACCEPT


@pytest.mark.parametrize('here, there', [(GUEST, HOST), (GUEST6, HOST6)])
def test_a_connection_that_the_guest_opens_is_answered(here: str, there: str) -> None:
    guest = Guest()
    assert not guest.gets(tcp(there, 80, here, 40000, SYN | ACK))
    assert guest.sends(tcp(here, 40000, there, 80))
    assert guest.gets(tcp(there, 80, here, 40000, SYN | ACK))
    assert guest.sends(tcp(here, 40000, there, 80, ACK)) and guest.gets(tcp(there, 80, here, 40000, ACK | PSH, b'data'))
    assert not guest.gets(tcp(there, 81, here, 40000, ACK)) and not guest.gets(tcp(there, 80, here, 40001, ACK))


@pytest.mark.parametrize('here, there', [(GUEST, HOST), (GUEST6, HOST6)])
def test_a_connection_to_an_open_port_is_answered_even_if_nothing_else_goes_out(here: str, there: str) -> None:
    guest = Guest('tcp/22', policy_out='DROP')
    assert not guest.sends(tcp(here, 22, there, 40000, ACK))
    assert guest.gets(tcp(there, 40000, here, 22)) and guest.sends(tcp(here, 22, there, 40000, SYN | ACK))
    assert guest.gets(tcp(there, 40000, here, 22, ACK | PSH, b'SSH-2.0')) and guest.sends(tcp(here, 22, there, 40000, ACK))
    assert not guest.sends(tcp(here, 40000, there, 22))


def test_tcp_and_udp_of_the_same_ports_are_not_the_same() -> None:
    guest = Guest()
    assert guest.sends(udp(GUEST, 40000, HOST, 53)) and guest.gets(udp(HOST, 53, GUEST, 40000))
    assert guest.gets(udp(HOST, 53, GUEST, 40000, bytes(100)))
    assert not guest.gets(tcp(HOST, 53, GUEST, 40000, ACK, bytes(100)))


def test_a_closed_port_stays_closed_however_often_it_is_tried() -> None:
    guest = Guest('tcp/22')
    for flags in (SYN, SYN, ACK, RST, FIN | ACK):
        assert not guest.gets(tcp(STRANGER, 40000, GUEST, 9001, flags))
    assert not guest.gets(udp(STRANGER, 40000, GUEST, 53)) and not guest.gets(icmp(STRANGER, GUEST, 8))


def test_pings() -> None:
    guest = Guest()
    assert not guest.gets(icmp(HOST, GUEST, 0)) and guest.sends(icmp(GUEST, HOST, 8)) and guest.gets(icmp(HOST, GUEST, 0))
    assert not guest.gets(icmp(HOST, GUEST, 0, ident=8)) and not guest.gets(icmp(HOST, GUEST, 8))
    assert guest.sends(icmp(GUEST6, HOST6, 128)) and guest.gets(icmp(HOST6, GUEST6, 129))


def test_errors_about_a_connection_pass_and_no_others() -> None:
    guest = Guest()
    sent = tcp(GUEST, 40000, HOST, 80)
    error = icmp(STRANGER, GUEST, 3, data=sent[14:42])
    assert not guest.gets(error)
    assert guest.sends(sent) and guest.gets(error)
    assert not guest.gets(icmp(STRANGER, GUEST, 3, data=tcp(GUEST, 40001, HOST, 80)[14:42]))


def test_what_is_not_ip_passes_and_what_is_no_packet_does_not() -> None:
    guest = Guest()
    assert guest.gets(arp())
    assert not guest.gets(tcp(HOST, 1, GUEST, 22)[:-1]) and not guest.sends(frame(b'\x45')) and not guest.sends(frame(b'\x45' * 60))


def test_rules_that_change_do_not_cut_what_was_answered() -> None:
    """As on Linux; what was never answered asks again."""
    guest = Guest('tcp/22', 'udp/53')
    guest.gets(tcp(HOST, 40000, GUEST, 22))
    guest.sends(tcp(GUEST, 22, HOST, 40000, SYN | ACK))
    assert guest.gets(udp(HOST, 40000, GUEST, 53))
    guest.filter = firewall()
    assert guest.gets(tcp(HOST, 40000, GUEST, 22, ACK)) and not guest.gets(udp(HOST, 40000, GUEST, 53))
    assert not guest.gets(tcp(HOST, 40001, GUEST, 22))


def test_each_nic_on_the_way_is_asked() -> None:
    guest, closed = Guest(), firewall()
    sent = tcp(GUEST, 40000, HOST, 22)
    assert guest.sends(sent) and guest.table.judge(closed.inward, sent) is Verdict.DROP
    assert guest.sends(sent) and guest.table.judge(closed.inward, sent) is Verdict.DROP
    assert guest.table.judge(firewall('tcp/22').inward, sent) is Verdict.ACCEPT


def test_a_connection_that_is_over_must_ask_again() -> None:
    opened, answered = tcp(HOST, 40000, GUEST, 22), tcp(GUEST, 22, HOST, 40000, SYN | ACK)
    for closing in (RST, FIN | ACK):
        guest = Guest('tcp/22')
        assert guest.gets(opened) and guest.sends(answered)
        assert guest.sends(tcp(GUEST, 22, HOST, 40000, closing))
        assert closing == RST or guest.gets(tcp(HOST, 40000, GUEST, 22, FIN | ACK))
        assert guest.gets(tcp(HOST, 40000, GUEST, 22, ACK))  # the last acknowledgement
        guest.filter = firewall()
        assert not guest.gets(opened)
        assert not guest.gets(tcp(HOST, 40000, GUEST, 22, ACK))


@pytest.mark.parametrize('seconds, remembered', [(119, True), (121, False)])
def test_idle_connections_are_forgotten(clock: Clock, seconds: int, remembered: bool) -> None:
    guest, answer = Guest(), udp(HOST, 53, GUEST, 40000, bytes(100))
    assert guest.sends(udp(GUEST, 40000, HOST, 53)) and guest.gets(answer) and guest.gets(answer)
    clock.now += seconds
    assert guest.gets(answer) is remembered
    clock.now += 119
    assert guest.gets(answer) is remembered


def test_a_table_that_is_full_takes_no_more(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, 'LARGEST', 2)
    guest = Guest()
    assert [guest.sends(udp(GUEST, port, HOST, 53)) for port in (1, 2, 3)] == [True, True, False]
    clock.now += 31
    assert guest.sends(udp(GUEST, 3, HOST, 53))


def test_fragments_go_where_the_first_one_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, 'DATAGRAMS', 2)
    guest = Guest('udp/53')

    def fragments(port: int, ident: int) -> tuple[bytes, bytes]:
        data = struct.pack('!HHHH', 40000, port, 2000, 0) + bytes(64)
        return frame(ip(HOST, GUEST, 17, data, 0x2000, ident)), frame(ip(HOST, GUEST, 17, bytes(64), 9, ident))
    allowed, refused = fragments(53, 1), fragments(54, 2)
    assert not guest.gets(allowed[1])
    assert [guest.gets(part) for part in (*allowed, *refused, allowed[1])] == [True, True, False, False, True]
    assert guest.gets(fragments(53, 3)[0]) and not guest.gets(allowed[1])  # one too many: the oldest is forgotten
