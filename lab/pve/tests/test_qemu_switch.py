"""The switch before real user-mode networks: the tests speak ARP and TCP to them."""

import asyncio
import socket
from pathlib import Path
from typing import Optional

import pytest

from conftest import settings_for
from frames import BROADCAST
from guests import A, B, Guest, answers, config, requests, tcp_flags
from labpve import network
from labpve.process import die_with_parent
from labpve.switch import SLIRP, Switch

GATEWAY = '10.25.20.1'


class UserNetwork:
    """QEMU with nothing but a guest's user-mode network, its cable in the switch."""

    def __init__(self, there: Switch, address: str, directory: Path, target: str, host_port: int) -> None:
        self.there, self.address = there, address
        self.settings = settings_for(directory, network={
            'cidr': '10.25.20.0/24', 'host': GATEWAY, 'dns': '10.25.20.2',
            'services': [{'address': '10.25.20.3', 'port': 80, 'target': target}],
            'forwards': {'1': [{'guestPort': 22, 'hostPort': host_port}]}})
        self.process: Optional[asyncio.subprocess.Process] = None

    async def start(self) -> Guest:
        cables = await self.there.plug(1 if self.address == A else 2, config(self.address), {})
        fd = cables['user0'].fileno()
        arguments = network.user_network(self.settings.network, 1, config(self.address), fd)
        self.process = await asyncio.create_subprocess_exec(
            'qemu-system-x86_64', '-M', 'none', '-nodefaults', '-no-user-config', '-display', 'none', *arguments,
            pass_fds=(fd,), preexec_fn=die_with_parent())
        cables['user0'].close()
        return await Guest(self.address, cables['net0']).open()

    async def stop(self) -> None:
        if self.process:
            self.process.kill()
            await self.process.wait()


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.qemu
async def test_each_guest_has_gateway_services_and_forwards_of_its_own(tmp_path: Path) -> None:
    """Two user-mode networks that claim the same addresses, side by side."""
    there = Switch()
    service = await asyncio.start_server(lambda reader, writer: None, '127.0.0.1', 0)
    target = f'127.0.0.1:{service.sockets[0].getsockname()[1]}'
    ports = {A: free_port(), B: free_port()}
    networks = [UserNetwork(there, address, tmp_path, target, ports[address]) for address in (A, B)]
    try:
        a, b = [await user.start() for user in networks]
        for guest in (a, b):
            guest.arp(1, BROADCAST, b'\0' * 6, guest.address)  # announces itself, as systems do at boot
        await asyncio.gather(a.received(1), b.received(1))
        await check_gateway(a, b)
        await check_service(a, b)
        await check_guest_to_guest(a, b)
        await check_forward(a, b, ports[A])
    finally:
        service.close()
        for user in networks:
            await user.stop()


async def check_gateway(a: Guest, b: Guest) -> None:
    a.ask(GATEWAY)
    assert answers(await a.received(1)) == [(GATEWAY, SLIRP + socket.inet_aton(GATEWAY))]  # once, its own
    assert answers(await b.received()) == []


async def check_service(a: Guest, b: Guest) -> None:
    a.ask('10.25.20.3')
    (_, mac), = answers(await a.received(1))
    a.syn(mac, '10.25.20.3', 80)
    assert 0x12 in tcp_flags(await a.received(1))  # SYN and ACK
    assert tcp_flags(await b.received()) == []


async def check_guest_to_guest(a: Guest, b: Guest) -> None:
    """Neither user-mode network answers in the other guest's name, as it would on a common wire."""
    a.ask(B)
    assert B in requests(await b.received())
    b.arp(2, a.mac, a.mac, A)
    assert answers(await a.received()) == [(B, b.mac)]
    a.syn(b.mac, B, 22)
    assert tcp_flags(await b.received()) == [2]
    assert [flags for flags in tcp_flags(await a.received(1)) if flags & 4] == []  # no reset


async def check_forward(a: Guest, b: Guest, port: int) -> None:
    _, writer = await asyncio.open_connection('127.0.0.1', port)
    try:
        arrived = await a.received(1)
        for address in requests(arrived):
            if address == A:
                a.arp(2, SLIRP + socket.inet_aton(GATEWAY), SLIRP + socket.inet_aton(GATEWAY), GATEWAY)
        assert 2 in tcp_flags(arrived + await a.received(1))
        assert tcp_flags(await b.received()) == []
    finally:
        writer.close()
