"""The firewall and the VLANs at the switch, with guests that are the tests themselves, and what the API makes of them."""

import asyncio
from typing import Any, Optional

import pytest

from conftest import ApiError, Lab
from frames import ACK, BROADCAST, HOST, RST, SYN, address, arp, frame, ip, tagged, tcp_data
from labpve import firewall
from labpve.rules import Filter, filter_of
from labpve.switch import Switch
from guests import A, B, MACS, Guest, raw

A_MAC, B_MAC = raw(MACS[A]), raw(MACS[B])
SSH = {'type': 'in', 'action': 'ACCEPT', 'enable': 1, 'proto': 'tcp', 'dport': '22', 'source': A}
BASE = '~/qemu/2019/firewall'


def net(mac: bytes, options: str = ',tag=20,firewall=1') -> str:
    return f"virtio={mac.hex(':').upper()},bridge=vmbr0{options}"


def tcp(source: str, target: str, dport: int, flags: int = SYN, sport: int = 40000, mac: bytes = A_MAC,
        to: bytes = B_MAC) -> bytes:
    return frame(ip(source, target, 6, tcp_data(sport, dport, flags)), mac, to)


async def plug(there: Switch, vmid: int, address: str, value: str, filtered: Optional[Filter] = None) -> Guest:
    return await Guest(address, (await there.plug(vmid, {'net0': value}, {0: filtered}))['net0']).open()


def filtered(value: str, *rules: dict[str, Any], **options: Any) -> Optional[Filter]:
    return filter_of(value, {'enable': 1}, {'enable': 1, **options}, list(rules))


async def pair(b_options: str = ',tag=20,firewall=1', *rules: dict[str, Any], **options: Any) -> tuple[Switch, Guest, Guest]:
    """Guest A without a firewall, and B behind one."""
    there, value = Switch(), net(B_MAC, b_options)
    return (there, await plug(there, 1, A, net(A_MAC, ',tag=20')),
            await plug(there, 2, B, value, filtered(value, *rules, **options)))


async def test_an_undeclared_port_is_closed_and_a_declared_one_open() -> None:
    _, a, b = await pair(',tag=20,firewall=1', SSH)
    for port in (22, 9001):
        a.send(tcp(A, B, port))
    assert await b.received() == [tcp(A, B, 22)]
    b.send(tcp(B, A, 40000, SYN | ACK, 22, B_MAC, A_MAC))
    b.send(tcp(B, A, 40000, SYN | ACK, 9001, B_MAC, A_MAC))
    assert await a.received() == [tcp(B, A, 40000, SYN | ACK, 22, B_MAC, A_MAC)]
    a.ask(B)
    assert len(await b.received()) == 1


async def test_a_rejected_port_says_so() -> None:
    _, a, b = await pair(',tag=20,firewall=1', {**SSH, 'action': 'REJECT'}, policy_in='ACCEPT')
    b.ask(A)  # the switch learns where B is
    await a.received()
    a.send(tcp(A, B, 22))
    refused, = await a.received()
    assert (refused[:12], refused[47]) == (A_MAC + B_MAC, RST | ACK)
    assert await b.received() == []


async def test_what_goes_out_is_rejected_to_the_guest_itself() -> None:
    _, a, b = await pair(policy_out='REJECT')
    b.send(tcp(B, A, 80, mac=B_MAC, to=A_MAC))
    assert [sent[47] for sent in await b.received()] == [RST | ACK]
    assert await a.received() == []


@pytest.mark.parametrize('options, passes', [({}, False), ({'macfilter': 1}, False), ({'macfilter': 0}, True)])
async def test_frames_from_a_strange_mac_are_dropped(options: dict[str, Any], passes: bool) -> None:
    """A macvlan child has an address of its own."""
    _, a, b = await pair(**options)
    child = bytes.fromhex('0242ac110002')
    sent = [arp(child), tcp(B, A, 80, mac=child, to=A_MAC)]
    for one in sent:
        b.send(one)
    assert await a.received() == (sent if passes else [])


async def test_an_access_port_takes_no_tagged_frames() -> None:
    _, a, b = await pair(',tag=20')
    a.send(tagged(arp(A_MAC), 30))
    a.send(arp(A_MAC))
    assert await b.received() == [arp(A_MAC)]


async def test_a_trunk_lets_the_listed_vlans_through() -> None:
    there, a, b = await pair(',tag=20,trunks=30')
    access = await plug(there, 3, '10.25.30.1', net(raw(MACS['10.25.30.1']), ',tag=30'))
    for vlan in (30, 31):
        b.send(tagged(arp(B_MAC), vlan))
    assert (await access.received(), await a.received()) == ([arp(B_MAC)], [])
    access.send(arp(access.mac))
    assert (await b.received(), await a.received()) == ([tagged(arp(access.mac), 30)], [])


async def test_rules_are_not_for_tagged_frames_but_the_mac_filter_is() -> None:
    """net.bridge.bridge-nf-filter-vlan-tagged = 0; the MAC filter is ebtables'."""
    there, _, b = await pair(',tag=20,trunks=30,firewall=1', policy_out='DROP')
    access = await plug(there, 3, '10.25.30.1', net(raw(MACS['10.25.30.1']), ',tag=30'))
    own, strange = (tagged(tcp(B, '10.25.30.1', 80, mac=mac, to=BROADCAST), 30) for mac in (B_MAC, A_MAC))
    b.send(own)
    b.send(strange)
    assert await access.received() == [own[:12] + own[16:]]
    access.send(tcp('10.25.30.1', B, 80, mac=access.mac, to=B_MAC))
    assert len(await b.received()) == 1


async def test_the_user_network_is_on_the_other_side_of_the_firewall() -> None:
    there, value = Switch(), net(B_MAC)
    cables = await there.plug(2, {'net0': value}, {0: filtered(value, {**SSH, 'source': HOST})})
    guest, user = await Guest(B, cables['net0']).open(), await Guest(A, cables['user0']).open()
    gateway = b'\x52\x55' + address(HOST)
    for port in (22, 9001):
        user.send(tcp(HOST, B, port, mac=gateway))
    assert await guest.received() == [tcp(HOST, B, 22, mac=gateway)]
    for sport in (22, 9001):
        guest.send(tcp(B, HOST, 40000, SYN | ACK, sport, B_MAC, gateway))
    assert await user.received() == [tcp(B, HOST, 40000, SYN | ACK, 22, B_MAC, gateway)]
    guest.send(tagged(arp(B_MAC), 30))
    assert await user.received() == []


async def test_a_running_guest_moves_to_another_vlan() -> None:
    there, a, b = await pair(',tag=20')
    b.ask(A)
    await a.received()
    there.change(2, {'net0': net(B_MAC, ',tag=30')}, {})
    a.send(tcp(A, B, 22))
    assert await b.received() == []
    there.change(2, {'net0': net(B_MAC, ',tag=20')}, {})
    a.send(tcp(A, B, 22))
    assert await b.received() == [tcp(A, B, 22)]


# ------------------------------------------------------------------------- API

async def behind_the_api(lab: Lab) -> tuple[Guest, Guest]:
    """Guest A on the node's switch, and VM 2019 there, which is B, as a start puts it there."""
    await lab.create(net0=net(B_MAC, ',firewall=1'))
    vm = lab.node.vm(2019)
    b = await Guest(B, (await lab.node.plug_guest(vm))['net0']).open()
    return await plug(lab.node.switch, 1, A, net(A_MAC, '')), b


async def reached(a: Guest, b: Guest, port: int) -> bool:
    """Does a new connection from A reach B, after the firewall has noticed what was changed?"""
    await asyncio.sleep(3 * firewall.INTERVAL)
    sent = tcp(A, B, port)
    a.send(sent)
    return sent in await b.received()


async def test_what_is_configured_is_what_the_switch_does(lab: Lab) -> None:
    a, b = await behind_the_api(lab)
    assert await reached(a, b, 22)  # the VM's firewall is off
    await lab.call('PUT', BASE + '/options', enable=1)
    assert not await reached(a, b, 22)
    await lab.call('POST', BASE + '/rules', **SSH)
    assert await reached(a, b, 22) and not await reached(a, b, 9001)
    await lab.call('PUT', BASE + '/rules/0', enable=0)
    assert not await reached(a, b, 22)
    await lab.call('PUT', BASE + '/options', policy_in='ACCEPT')
    assert await reached(a, b, 22)


async def test_rules_do_nothing_while_the_datacenter_is_off(lab: Lab) -> None:
    a, b = await behind_the_api(lab)
    await lab.call('PUT', BASE + '/options', enable=1)
    assert not await reached(a, b, 9001)
    await lab.call('PUT', '/cluster/firewall/options', enable=0)
    assert await reached(a, b, 9001)
    await lab.call('PUT', '/cluster/firewall/options', enable=1)
    assert not await reached(a, b, 9002)


async def test_the_nics_own_switch_and_vlan_while_it_runs(lab: Lab) -> None:
    a, b = await behind_the_api(lab)
    await lab.call('PUT', BASE + '/options', enable=1)
    lab.pretend_running()
    await lab.call('PUT', '~/qemu/2019/config', net0=net(B_MAC, ''))
    assert await reached(a, b, 9001)
    await lab.call('PUT', '~/qemu/2019/config', net0=net(B_MAC, ',tag=30'))
    assert not await reached(a, b, 9002)


async def test_a_nic_is_behind_its_firewall_from_the_start(lab: Lab) -> None:
    await lab.create(net0=net(B_MAC, ',firewall=1'))
    await lab.call('PUT', BASE + '/options', enable=1)
    b = await Guest(B, (await lab.node.plug_guest(lab.node.vm(2019)))['net0']).open()
    a = await plug(lab.node.switch, 1, A, net(A_MAC, ''))
    a.send(tcp(A, B, 22))
    assert await b.received() == []


async def test_a_bridge_that_is_none(lab: Lab) -> None:
    await lab.create(net0='virtio,bridge=vmbr9')
    assert await lab.task('POST', '~/qemu/2019/status/start') == "bridge 'vmbr9' does not exist"


@pytest.mark.parametrize('method, path, fields, named', [
    ('POST', BASE + '/rules', {'type': 'in', 'action': 'ACCEPT', 'macro': 'SSH'}, "macro 'SSH'"),
    ('POST', BASE + '/rules', {'type': 'in', 'action': 'ACCEPT', 'iface': 'net0'}, "iface 'net0'"),
    ('POST', BASE + '/rules', {'type': 'group', 'action': 'web'}, "type 'group'"),
    ('POST', '/cluster/firewall/rules', {'type': 'in', 'action': 'ACCEPT'}, 'scope cluster'),
    ('POST', '~/firewall/rules', {'type': 'in', 'action': 'ACCEPT'}, 'scope host'),
    ('PUT', '/cluster/firewall/options', {'policy_in': 'ACCEPT'}, 'policy_in'),
    ('PUT', '~/firewall/options', {'enable': 0}, 'enable'),
    ('POST', BASE + '/ipset', {'name': 'ipfilter-net0'}, "IP set 'ipfilter-net0'"),
    ('POST', BASE + '/aliases', {'name': 'bastion', 'cidr': '10.25.20.8'}, "alias 'bastion'"),
    ('POST', '/cluster/firewall/groups', {'group': 'web'}, "group 'web'"),
])
async def test_what_the_switch_would_not_obey_is_refused(
        lab: Lab, method: str, path: str, fields: dict[str, str], named: str) -> None:
    await lab.create()
    with pytest.raises(ApiError, match=named) as caught:
        await lab.call(method, path, **fields)
    assert caught.value.status == 501
