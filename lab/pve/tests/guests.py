"""Guests that are the tests themselves: their end of a cable to the switch."""

import asyncio
import socket
import struct
from typing import Any, AsyncIterator, Optional

from frames import BROADCAST, checksum, frame, ip
from labpve.switch import Switch

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
