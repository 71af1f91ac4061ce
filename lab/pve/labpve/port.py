"""A port of the switch: one end of a cable to QEMU."""

import asyncio
from typing import Callable, Optional

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
