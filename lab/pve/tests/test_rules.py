"""What Proxmox VE makes of a NIC's firewall (pve-firewall, PVE/Firewall.pm): switches, options, rules, policies."""

from typing import Any, Optional

import pytest

from frames import GUEST, GUEST6, HOST, HOST6, MAC, STRANGER, icmp, tcp, udp
from labpve.packet import read
from labpve.rules import Verdict, filter_of, link_local, unmodelled

NET = 'virtio=BC:24:11:00:00:24,bridge=vmbr0,tag=20,firewall=1'
SSH = {'type': 'in', 'action': 'ACCEPT', 'enable': 1, 'proto': 'tcp', 'dport': '22', 'source': '10.25.20.1/32'}
Rules = list[dict[str, Any]]


def inward(frame: bytes, *rules: dict[str, Any], **options: Any) -> str:
    return verdict(frame, False, list(rules), options)


def outward(frame: bytes, *rules: dict[str, Any], **options: Any) -> str:
    return verdict(frame, True, list(rules), options)


def verdict(frame: bytes, out: bool, rules: Rules, options: dict[str, Any]) -> str:
    found = filter_of(NET, {'enable': 1}, {'enable': 1, **options}, rules)
    assert found
    return str((found.outward if out else found.inward).judge(read(frame[14:])).value)


def rule(**fields: Any) -> dict[str, Any]:
    return {'type': 'in', 'action': 'ACCEPT', 'enable': 1, **fields}


@pytest.mark.parametrize('net, datacenter, options', [
    (NET, {}, {'enable': 1}),
    (NET, {'enable': 0}, {'enable': 1}),
    (NET, {'enable': 1}, {}),
    (NET, {'enable': 1}, {'enable': 0}),
    (NET.replace(',firewall=1', ''), {'enable': 1}, {'enable': 1}),
    (NET.replace('firewall=1', 'firewall=0'), {'enable': 1}, {'enable': 1}),
])
def test_each_of_three_switches_turns_it_off(net: str, datacenter: dict[str, Any], options: dict[str, Any]) -> None:
    assert filter_of(net, datacenter, options, [SSH]) is None


def test_all_three_turn_it_on() -> None:
    """The datacenter's is the time at which it was turned on, or 1."""
    assert filter_of(NET, {'enable': 1764000000}, {'enable': 1}, [SSH])


def test_without_rules_nothing_comes_in_and_all_goes_out() -> None:
    assert inward(tcp(HOST, 40000, GUEST, 22)) == 'DROP'
    assert outward(tcp(GUEST, 40000, HOST, 80)) == 'ACCEPT'
    assert inward(tcp(HOST, 40000, GUEST, 22), policy_in='ACCEPT') == 'ACCEPT'
    assert inward(tcp(HOST, 40000, GUEST, 22), policy_in='REJECT') == 'REJECT'
    assert outward(tcp(GUEST, 40000, HOST, 80), policy_out='DROP') == 'DROP'


def test_a_declared_port_is_open_to_its_source_only() -> None:
    assert inward(tcp(HOST, 40000, GUEST, 22), SSH) == 'ACCEPT'
    assert inward(tcp(STRANGER, 40000, GUEST, 22), SSH) == 'DROP'
    assert inward(tcp(HOST, 40000, GUEST, 23), SSH) == 'DROP'
    assert inward(udp(HOST, 40000, GUEST, 22), SSH) == 'DROP'
    assert outward(tcp(HOST, 40000, GUEST, 22), SSH, policy_out='DROP') == 'DROP'


def test_first_match_wins_and_disabled_rules_do_not_count() -> None:
    frame = tcp(HOST, 40000, GUEST, 22)
    assert inward(frame, rule(action='REJECT', proto='tcp'), SSH) == 'REJECT'
    assert inward(frame, SSH, rule(action='REJECT', proto='tcp')) == 'ACCEPT'
    assert inward(frame, rule(action='REJECT', enable=0), SSH) == 'ACCEPT'


@pytest.mark.parametrize('dport, port, expected', [
    ('8000:8010', 8000, 'ACCEPT'), ('8000:8010', 8010, 'ACCEPT'), ('8000:8010', 8011, 'DROP'), ('8000:8010', 7999, 'DROP'),
    ('80,443,9000:9001', 443, 'ACCEPT'), ('80,443,9000:9001', 9001, 'ACCEPT'), ('80,443,9000:9001', 444, 'DROP'),
    ('ssh', 22, 'ACCEPT'), ('ssh,https', 80, 'DROP'),
])
def test_ports(dport: str, port: int, expected: str) -> None:
    assert inward(tcp(HOST, 40000, GUEST, port), rule(proto='tcp', dport=dport)) == expected
    assert inward(tcp(HOST, port, GUEST, 40000), rule(proto='tcp', sport=dport)) == expected


@pytest.mark.parametrize('addresses, expected', [
    ('10.25.20.0/24', 'ACCEPT'), ('10.25.20.1', 'ACCEPT'), ('10.25.20.2,10.25.20.1', 'ACCEPT'), ('10.25.20.0-10.25.20.1', 'ACCEPT'),
    ('10.25.20.2-10.25.20.9', 'DROP'), ('10.25.21.0/24', 'DROP'), ('10.25.20.2,10.25.20.3', 'DROP'), ('fd00::/8', 'DROP'),
])
def test_sources(addresses: str, expected: str) -> None:
    assert inward(tcp(HOST, 40000, GUEST, 22), rule(source=addresses)) == expected
    assert outward(tcp(GUEST, 40000, HOST, 22), rule(type='out', dest=addresses), policy_out='DROP') == expected


def test_a_rule_without_addresses_is_for_both_versions_of_ip() -> None:
    everyone = rule(proto='tcp', dport='22')
    assert inward(tcp(HOST, 40000, GUEST, 22), everyone) == inward(tcp(HOST6, 40000, GUEST6, 22), everyone) == 'ACCEPT'
    assert inward(tcp(HOST6, 40000, GUEST6, 22), SSH) == 'DROP'
    assert inward(tcp(HOST6, 40000, GUEST6, 22), rule(source='fd00::/64', proto='tcp', dport='22')) == 'ACCEPT'


@pytest.mark.parametrize('proto', ['icmp', '1'])
def test_icmp_is_not_icmpv6(proto: str) -> None:
    assert inward(icmp(HOST, GUEST, 8), rule(proto=proto)) == 'ACCEPT'
    assert inward(icmp(HOST6, GUEST6, 128), rule(proto=proto)) == 'DROP'
    assert inward(icmp(HOST6, GUEST6, 128), rule(proto='icmpv6')) == 'ACCEPT'


def test_dhcp() -> None:
    """Allowed unless it is switched off, whatever the documentation of the API says."""
    question, answer = udp('0.0.0.0', 68, '255.255.255.255', 67), udp(HOST, 67, GUEST, 68)
    assert outward(question, policy_out='DROP') == inward(answer) == 'ACCEPT'
    assert outward(question, policy_out='DROP', dhcp=0) == inward(answer, dhcp=0) == 'DROP'
    assert inward(udp(HOST6, 547, GUEST6, 546)) == 'ACCEPT' and inward(udp(HOST6, 546, GUEST6, 547)) == 'DROP'


def test_neighbour_discovery() -> None:
    for kind in (133, 135, 136):
        frame = icmp(GUEST6, HOST6, kind)
        assert inward(frame) == outward(frame, policy_out='DROP') == 'ACCEPT'
        assert inward(frame, ndp=0) == outward(frame, policy_out='DROP', ndp=0) == 'DROP'
    assert inward(icmp(HOST6, GUEST6, 137)) == 'DROP'  # a redirect


def test_echo_over_ipv6_has_a_protocol_of_its_own() -> None:
    echo, source = icmp(HOST6, GUEST6, 128), {'source': f'{HOST6}/128'}
    assert inward(echo, rule(proto='icmp')) == 'DROP'
    assert inward(echo, rule(proto='icmpv6', **source)) == 'ACCEPT'
    assert inward(icmp('fd25:99::1', GUEST6, 128), rule(proto='icmpv6', **source)) == 'DROP'


def test_router_advertisements_come_in_but_do_not_go_out() -> None:
    frame = icmp(GUEST6, HOST6, 134)
    assert inward(frame) == 'ACCEPT' and outward(frame) == 'DROP'
    assert outward(frame, radv=1, policy_out='DROP') == 'ACCEPT'


def test_address_filter_leaves_the_link_local_address_only() -> None:
    """Without an IP set there is an implicit one, which is empty but for it: no IPv4 goes out (compile_ipsets)."""
    assert outward(tcp(GUEST, 40000, HOST, 80), ipfilter=1) == outward(tcp(GUEST6, 40000, HOST6, 80), ipfilter=1) == 'DROP'
    assert outward(tcp('fe80::be24:11ff:fe00:24', 40000, HOST6, 80), ipfilter=1) == 'ACCEPT'
    assert inward(tcp(HOST, 40000, GUEST, 22), SSH, ipfilter=1) == 'ACCEPT'
    assert link_local(MAC).hex() == 'fe80000000000000be2411fffe000024'


def test_mac_filter_is_on_unless_it_is_switched_off() -> None:
    def mac(**options: Any) -> Optional[bytes]:
        found = filter_of(NET, {'enable': 1}, {'enable': 1, **options}, [])
        assert found
        return found.mac
    assert (mac(), mac(macfilter=1), mac(macfilter=0)) == (MAC, MAC, None)


@pytest.mark.parametrize('fields, expected', [
    ({}, None), ({'log': 'info', 'comment': 'x', 'proto': 'icmp', 'source': '10.0.0.0/8'}, None), ({'source': 'fd00::/8'}, None),
    ({'type': 'group', 'action': 'web'}, 'type'), ({'macro': 'SSH'}, 'macro'), ({'iface': 'net0'}, 'iface'),
    ({'proto': 'icmp', 'icmp-type': 'any'}, 'icmp-type'), ({'proto': 'icmp', 'dport': 'echo-request'}, 'dport'),
    ({'source': '+management'}, 'source'), ({'dest': 'bastion'}, 'dest'), ({'source': 'dc/bastion'}, 'source'),
])
def test_what_the_switch_would_not_obey(fields: dict[str, Any], expected: Optional[str]) -> None:
    assert unmodelled(rule(**fields)) == expected


def test_verdicts_are_those_of_the_api() -> None:
    assert [verdict.value for verdict in Verdict] == ['ACCEPT', 'DROP', 'REJECT']
