"""Talking to a QEMU process: its monitor (QMP) and, through it, the guest agent's channel (QGA)."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any, Optional


class MonitorError(Exception):
    """A command QEMU or the guest agent refused, or that got no answer."""


class Monitor:
    """One QMP connection: commands in any order, events kept for those who wait for one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self.events: list[dict[str, Any]] = []
        self._happened = asyncio.Condition()
        self._task: Optional[asyncio.Task[None]] = None

    @classmethod
    async def connect(cls, path: Path) -> 'Monitor':
        """Connect and leave capability negotiation mode."""
        monitor = cls(*await asyncio.open_unix_connection(str(path), limit=2 ** 24))
        await monitor._reader.readline()  # the greeting
        monitor._task = asyncio.ensure_future(monitor._read())
        await monitor.execute('qmp_capabilities')
        return monitor

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                await self._dispatch(json.loads(line))
        except (ConnectionError, ValueError):
            pass
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(MonitorError('the QEMU process has ended'))
        self._waiting.clear()

    async def _dispatch(self, message: dict[str, Any]) -> None:
        future = self._waiting.pop(message.get('id', 0), None)
        if 'event' in message:
            async with self._happened:
                self.events = [*self.events[-99:], message]
                self._happened.notify_all()
        elif future and not future.done():
            if 'error' in message:
                future.set_exception(MonitorError(message['error'].get('desc', 'unknown error')))
            else:
                future.set_result(message.get('return'))

    async def execute(self, command: str, timeout: float = 10, **arguments: Any) -> Any:
        """Run a command; MonitorError in PVE's wording if there is no answer in time."""
        if self._task and self._task.done():
            raise MonitorError('the QEMU process has ended')
        self._count += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._count] = future
        request = {'execute': command, 'arguments': arguments, 'id': self._count}
        self._writer.write(json.dumps(request).encode() + b'\n')
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            raise MonitorError(f"qmp command '{command}' failed - got timeout") from None

    async def human(self, line: str) -> None:
        """A command only the human monitor has; it answers with text when it fails."""
        arguments: dict[str, Any] = {'command-line': line}
        answer = str(await self.execute('human-monitor-command', **arguments)).strip()
        if answer and answer != 'OK':
            raise MonitorError(answer)

    async def wait_event(self, name: str, device: str, timeout: float) -> bool:
        """Has an event about a device come, or does it within the timeout?"""
        def seen() -> bool:
            return any(e['event'] == name and e.get('data', {}).get('device') == device for e in self.events)
        async with self._happened:
            try:
                await asyncio.wait_for(self._happened.wait_for(seen), timeout)
            except asyncio.TimeoutError:
                return False
        return True

    def close(self) -> None:
        """Drop the connection."""
        self._writer.close()


class GuestAgent:
    """The guest agent behind a socket of QEMU's; one question at a time, each on a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def ask(self, command: str, timeout: float = 10, sync_timeout: float = 3, **arguments: Any) -> Any:
        """The `return` of a guest-* command; MonitorError if the agent refuses, TimeoutError if it is silent."""
        async with self._lock:
            reader, writer = await asyncio.open_unix_connection(str(self._path), limit=2 ** 26)
            try:
                await asyncio.wait_for(self._synchronise(reader, writer), sync_timeout)
                writer.write(json.dumps({'execute': command, 'arguments': arguments}).encode() + b'\n')
                answer = json.loads(await asyncio.wait_for(reader.readline(), timeout) or b'{}')
            finally:
                writer.close()
        if 'error' in answer:
            raise MonitorError(answer['error'].get('desc', 'unknown error'))
        return answer.get('return')

    @staticmethod
    async def _synchronise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """guest-sync-delimited: skip what an earlier client left in the channel."""
        token = secrets.randbelow(2 ** 31)
        request = {'execute': 'guest-sync-delimited', 'arguments': {'id': token}}
        writer.write(b'\xff' + json.dumps(request).encode() + b'\n')
        while True:
            await reader.readuntil(b'\xff')
            answer = await reader.readline()
            if json.loads(answer).get('return') == token:
                return
