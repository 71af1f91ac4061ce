"""The switch, with guests that are the tests themselves: they speak ARP and TCP to real user-mode networks."""

import asyncio
import os
import socket
import struct
from pathlib import Path
from typing import Any, AsyncIterator, Optional

import pytest

from conftest import settings_for
from frames import BROADCAST, checksum, frame, ip
from labpve import network, switch
from labpve.process import die_with_parent
from labpve.switch import Switch

GATEWAY = '10.25.20.1'
A, B = '10.25.20.24', '10.25.20.23'
ELSEWHERE = '10.25.30.1'
MACS = {A: 'bc:24:11:00:00:24', B: 'bc:24:11:00:00:23', ELSEWHERE: 'bc:24:11:00:00:30'}


def raw(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(':', ''))


def config(address: str, **changes: Any) -> dict[str, Any]:
    return {'net0': f'virtio={MACS[address].upper()},bridge=vmbr0,tag=20', 'ipconfig0': f'ip={address}/24', **changes}


class Guest:
    """A guest's end of its cable."""

    def __init__(self, address: str, cable: socket.socket) -> None:
        self.address, self.mac, self._cable = address, raw(MACS[address]), cable
        self._reader: Optional[asyncio.StreamReader] = None
        self._writer: Optional[asyncio.StreamWriter] = None

    async def open(self) -> 'Guest':
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._cable)
        return self

    def send(self, frame: bytes) -> None:
        assert self._writer
        self._writer.write(len(frame).to_bytes(4, 'big') + frame)

    async def frames(self, seconds: float = 0.3) -> AsyncIterator[bytes]:
        """What arrives until nothing does for so long."""
        assert self._reader
        while True:
            try:
                length = await asyncio.wait_for(self._reader.readexactly(4), seconds)
            except (asyncio.TimeoutError, asyncio.IncompleteReadError):
                return
            yield await self._reader.readexactly(int.from_bytes(length, 'big'))

    async def received(self, seconds: float = 0.3) -> list[bytes]:
        return [frame async for frame in self.frames(seconds)]

    def ask(self, address: str) -> None:
        """An ARP request."""
        self.arp(1, BROADCAST, b'\0' * 6, address)

    def arp(self, kind: int, to: bytes, target: bytes, address: str) -> None:
        own, other = socket.inet_aton(self.address), socket.inet_aton(address)
        self.send(to + self.mac + b'\x08\x06' + struct.pack('!HHBBH', 1, 0x800, 6, 4, kind) + self.mac + own + target + other)

    def syn(self, mac: bytes, address: str, port: int) -> None:
        """A TCP SYN."""
        own, other = socket.inet_aton(self.address), socket.inet_aton(address)
        tcp = struct.pack('!HHIIBBHHH', 40000, port, 1, 0, 0x50, 2, 65535, 0, 0)
        pseudo = own + other + struct.pack('!HH', 6, len(tcp))
        tcp = tcp[:16] + checksum(pseudo + tcp) + tcp[18:]
        self.send(frame(ip(self.address, address, 6, tcp), self.mac, mac))


def answers(frames: list[bytes]) -> list[tuple[str, bytes]]:
    """The ARP answers among frames: address and where it is."""
    return [(socket.inet_ntoa(f[28:32]), f[22:28]) for f in frames if f[12:14] == b'\x08\x06' and f[21] == 2]


def requests(frames: list[bytes]) -> list[str]:
    return [socket.inet_ntoa(f[38:42]) for f in frames if f[12:14] == b'\x08\x06' and f[21] == 1]


def tcp_flags(frames: list[bytes]) -> list[int]:
    return [f[47] for f in frames if f[12:14] == b'\x08\x00' and f[23] == 6]


async def two_guests(there: Switch) -> tuple[Guest, Guest]:
    """Two guests without anything behind them."""
    both = [await Guest(address, (await there.plug(vmid, config(address), {}))['net0']).open()
            for vmid, address in enumerate((A, B))]
    return both[0], both[1]


async def test_guests_of_a_segment_reach_each_other_and_nobody_else() -> None:
    there = Switch()
    a, b = await two_guests(there)
    cables = await there.plug(3, {'net0': 'virtio=BC:24:11:00:00:30,bridge=vmbr0,tag=30'}, {})
    other = await Guest(ELSEWHERE, cables['net0']).open()
    a.ask(B)
    assert requests(await b.received()) == [B] and await other.received() == []
    b.arp(2, a.mac, a.mac, A)
    assert answers(await a.received()) == [(B, b.mac)]
    a.syn(b.mac, B, 22)
    assert tcp_flags(await b.received()) == [2] and await other.received() == []


async def test_frames_are_cut_right_wherever_the_stream_breaks() -> None:
    a, b = await two_guests(Switch())
    frame = b.mac + a.mac + b'\x08\x00' + os.urandom(1500)
    stream = (len(frame).to_bytes(4, 'big') + frame) * 3
    assert a._writer
    for start in range(0, len(stream), 701):
        a._writer.write(stream[start:start + 701])
        await asyncio.sleep(0.005)
    assert await b.received() == [frame] * 3


async def test_guest_that_does_not_read_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, 'BACKLOG', 20_000)
    there = Switch()
    a, b = await two_guests(there)
    for _ in range(2000):
        a.send(BROADCAST + a.mac + b'\x08\x00' + bytes(1000))
        await asyncio.sleep(0)
    a.send(b'short')  # no frame: no addresses
    await asyncio.sleep(0.2)
    assert 0 < len(await b.received()) < 2000
    a.ask(B)
    assert requests(await b.received()) == [B]


async def test_nonsense_pulls_the_cable() -> None:
    there = Switch()
    a, b = await two_guests(there)
    assert a._writer
    a._writer.write(b'\xff' * 8)
    assert await a.received() == []
    assert len(there.bridges['vmbr0'].nics) == 1
    b.ask(A)
    assert await b.received() == []


async def test_address_of_a_guest_that_left_is_nobodys() -> None:
    there = Switch()
    a, b = await two_guests(there)
    b.ask(A)
    await a.received()
    assert b._writer
    b._writer.close()
    await asyncio.sleep(0.05)
    again = await Guest(B, (await there.plug(1, config(B), {}))['net0']).open()
    a.syn(again.mac, B, 22)  # not learned yet: to everybody on the segment
    assert tcp_flags(await again.received()) == [2]


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
    assert answers(await a.received(1)) == [(GATEWAY, switch.SLIRP + socket.inet_aton(GATEWAY))]  # once, its own
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
                a.arp(2, switch.SLIRP + socket.inet_aton(GATEWAY), switch.SLIRP + socket.inet_aton(GATEWAY), GATEWAY)
        assert 2 in tcp_flags(arrived + await a.received(1))
        assert tcp_flags(await b.received()) == []
    finally:
        writer.close()
