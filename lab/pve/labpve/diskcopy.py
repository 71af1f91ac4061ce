"""Disks of a guest as they are at one moment, as sparse raw files, which is what the backup client reads.

A running QEMU makes them itself: copies of all disks start in one transaction, and what the guest overwrites from then
on is copied first. Only what is allocated in the images is copied, so the declared size costs nothing.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from fakepve import TaskError

from .images import Images
from .machine import Machine

Log = Callable[[str], None]
POLL = 0.2
PROGRESS = 3.0


@dataclass(frozen=True)
class Disk:
    """A drive to copy: its key, its volume, the image behind it, the raw file it becomes and its size in bytes."""

    key: str
    volume: str
    image: Path
    target: Path
    size: int

    @property
    def device(self) -> str:
        """QEMU's name of it, and its name in the backup."""
        return f'drive-{self.key}'

    @property
    def job(self) -> str:
        """The name of the copy's job and of the node it writes to."""
        return f'vzdump-{self.key}'


async def copy_images(images: Images, disks: list[Disk]) -> None:
    """Copies of images no process writes to."""
    for disk in disks:
        await images.convert(disk.image, disk.target)


class RunningCopy:
    """The copies of a running machine's disks: `start` is the moment they are of."""

    def __init__(self, machine: Machine, disks: list[Disk]) -> None:
        self._machine, self._disks = machine, disks
        self._nodes: list[str] = []
        self._started = False

    async def prepare(self) -> None:
        """Empty targets of the right sizes, open in QEMU."""
        for disk in self._disks:
            with disk.target.open('wb') as output:
                output.truncate(disk.size)
            node: dict[str, Any] = {
                'driver': 'raw', 'node-name': disk.job, 'discard': 'unmap', 'detect-zeroes': 'unmap',
                'file': {'driver': 'file', 'filename': str(disk.target), 'discard': 'unmap'}}
            await self._machine.execute('blockdev-add', **node)
            self._nodes.append(disk.job)

    async def start(self) -> None:
        """Begin all copies at the same moment; one that fails ends them all."""
        actions = [{'type': 'blockdev-backup', 'data': {
            'job-id': disk.job, 'device': disk.device, 'target': disk.job, 'sync': 'top', 'auto-dismiss': False}}
            for disk in self._disks]
        await self._machine.execute('transaction', 60, actions=actions, properties={'completion-mode': 'grouped'})
        self._started = True

    async def finish(self, log: Log) -> None:
        """Wait for the copies, telling how far they are; a TaskError if one failed."""
        began = last = time.monotonic()
        while True:
            jobs = await self._jobs()
            if len(jobs) < len(self._disks):
                raise TaskError('a copy has gone from QEMU before its end')
            if all(job['status'] == 'concluded' for job in jobs):
                break
            now = time.monotonic()
            if now - last >= PROGRESS:
                last, done, total = now, *(sum(job[key] for job in jobs)
                                           for key in ('current-progress', 'total-progress'))
                log(f'{done * 100 // max(total, 1):3d}% ({render(done)} of {render(total)}) in {int(now - began)}s')
            await asyncio.sleep(POLL)
        errors = [str(job['error']) for job in jobs if job.get('error')]
        if errors:
            raise TaskError(errors[0])

    async def _jobs(self) -> list[dict[str, Any]]:
        names = {disk.job for disk in self._disks}
        return [job for job in await self._machine.execute('query-jobs') if job['id'] in names]

    async def close(self) -> None:
        """Leave nothing in QEMU: end copies that still run, and let go of the files."""
        if not self._machine.alive:
            return
        if self._started:
            for job in await self._jobs():
                if job['status'] != 'concluded':
                    await self._machine.execute('job-cancel', id=job['id'])
            while any(job['status'] != 'concluded' for job in await self._jobs()):
                await asyncio.sleep(POLL)
            for job in await self._jobs():
                await self._machine.execute('job-dismiss', id=job['id'])
        for node in self._nodes:
            name: dict[str, Any] = {'node-name': node}
            await self._machine.execute('blockdev-del', **name)


def render(size: int) -> str:
    """PVE::Format render_bytes."""
    value = float(size)
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if value < 1024:
            return f'{value:.1f} {unit}'
        value /= 1024
    return f'{value:.1f} TiB'
