"""The switch between the guests: NICs on the same bridge and VLAN share a segment, as on a PVE host.

QEMU's user-mode network (slirp) is one for each guest, and each claims the gateway and the lab's services for itself;
it also answers for connections that are none of its business. So it is not on the segment but behind its own guest: what
it sends goes to that guest only, and it is sent nothing but what is addressed to it, and broadcasts for its ARP.
"""

import asyncio
import re
import socket
from typing import Any, Callable, Optional

from .seed import mac_of

# slirp's addresses are 52:55 and the IPv4 address they stand for (libslirp, special_ethaddr).
SLIRP = b'\x52\x55'
# Bytes waiting for a guest that does not read: more is dropped, as a switch does.
BACKLOG = 1 << 20
# QEMU's NET_BUFSIZE; a longer frame is none.
LONGEST = 4096 + 65536


class Port(asyncio.Protocol):
    """A cable to QEMU: each frame follows its length in four bytes (net/socket.c)."""

    def __init__(self, receive: Callable[[bytes], None], unplugged: Callable[[], None]) -> None:
        self._receive, self._unplugged = receive, unplugged
        self._transport: Optional[asyncio.Transport] = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The cable is plugged in."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """QEMU has ended."""
        self._transport = None
        self._unplugged()

    def data_received(self, data: bytes) -> None:
        """Cut what arrives into frames; the last may be incomplete."""
        self._buffer += data
        start = 0
        while len(self._buffer) >= start + 4:
            length = int.from_bytes(self._buffer[start:start + 4], 'big')
            if length > LONGEST:
                self.close()
                return
            if len(self._buffer) < start + 4 + length:
                break
            self._receive(bytes(self._buffer[start + 4:start + 4 + length]))
            start += 4 + length
        del self._buffer[:start]

    def send(self, frame: bytes) -> None:
        """Hand a frame over, or drop it."""
        if self._transport and self._transport.get_write_buffer_size() < BACKLOG:
            self._transport.write(len(frame).to_bytes(4, 'big') + frame)

    def close(self) -> None:
        """Pull the cable."""
        if self._transport:
            self._transport.abort()


class Nic:
    """A guest's port on a segment, with the user-mode network behind it if it has one."""

    def __init__(self, segment: 'Segment') -> None:
        self._segment = segment
        self.port = Port(lambda frame: segment.forward(self, frame), lambda: segment.leave(self))
        self.user: Optional[Port] = None

    def add_user(self) -> Port:
        """The port for the guest's own user-mode network."""
        self.user = Port(self.port.send, lambda: None)
        return self.user


class Segment:
    """The guests of one bridge and VLAN."""

    def __init__(self) -> None:
        self.nics: list[Nic] = []
        self._owners: dict[bytes, Nic] = {}

    def forward(self, source: Nic, frame: bytes) -> None:
        """To the one guest that has the address; to all for a broadcast or an address nobody has used yet."""
        if len(frame) < 14:
            return
        target, origin = frame[:6], frame[6:12]
        self._owners[origin] = source
        group = bool(target[0] & 1)
        owner = None if group else self._owners.get(target)
        if source.user and (group or target.startswith(SLIRP)):
            source.user.send(frame)
        if target.startswith(SLIRP):
            return
        for nic in [owner] if owner else self.nics:
            if nic is not source:
                nic.port.send(frame)

    def leave(self, nic: Nic) -> None:
        """A guest has gone, and its addresses with it."""
        self.nics.remove(nic)
        self._owners = {mac: owner for mac, owner in self._owners.items() if owner is not nic}


def segment_of(net: str) -> str:
    """Which segment a netN value puts a NIC on: `vmbr0.20`."""
    found = {key: value for key, _, value in (part.partition('=') for part in net.split(','))}
    return f"{found.get('bridge', '')}.{found.get('tag', '')}"


def nics(config: dict[str, Any]) -> dict[int, str]:
    """The NICs of a VM that are plugged in, by number."""
    keys = sorted((key for key in config if re.fullmatch(r'net\d+', key)), key=lambda key: int(key[3:]))
    return {int(key[3:]): str(config[key]) for key in keys
            if mac_of(config[key]) and 'link_down=1' not in str(config[key]).split(',')}


class Switch:
    """All segments of the node."""

    def __init__(self) -> None:
        self.segments: dict[str, Segment] = {}

    async def plug(self, config: dict[str, Any]) -> dict[str, socket.socket]:
        """QEMU's ends of a VM's cables by the name of the backend: `net0`, `net1` ..., and `user0` of the first NIC.

        The caller closes them once QEMU has them; a cable is out when QEMU has ended.
        """
        cables: dict[str, socket.socket] = {}
        for index, value in nics(config).items():
            segment = self.segments.setdefault(segment_of(value), Segment())
            nic = Nic(segment)
            segment.nics.append(nic)
            cables[f'net{index}'] = await _cable(nic.port)
            if index == 0:
                cables['user0'] = await _cable(nic.add_user())
        return cables


async def _cable(port: Port) -> socket.socket:
    """Plug one end into a port; the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    await asyncio.get_running_loop().create_unix_connection(lambda: port, sock=ours)
    return theirs
