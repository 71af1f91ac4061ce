"""The files behind the storages: where a volume lies, and what qemu-img does to it.

A block storage (zfspool, lvmthin) keeps one file a volume, `<root>/<storage>/<volume>.qcow2`; a directory storage has
PVE's own layout below `<root>/<storage>` (PVE::Storage::Plugin, `$vtype_subdirs`). Images are sparse qcow2, so the
declared sizes cost nothing.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from .process import run

SUBDIRS = {'iso': 'template/iso', 'vztmpl': 'template/cache', 'backup': 'dump', 'snippets': 'snippets',
           'import': 'import'}


class Images:
    """Image files below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, storage: str, volname: str) -> Path:
        """The file of a volume, whether it exists or not."""
        base = self.root / storage
        kind, slash, name = volname.partition('/')
        if not slash:
            return base / (volname + ('.iso' if volname.endswith('-cloudinit') else '.qcow2'))
        if kind in SUBDIRS:
            return base / SUBDIRS[kind] / name
        return base / 'images' / volname

    def of(self, volid: str) -> Path:
        """The file of `storage:volume`."""
        storage, _, volname = volid.partition(':')
        return self.path(storage, volname)

    @staticmethod
    def format(path: Path) -> str:
        """The format QEMU is told; never probed, so a guest cannot choose it."""
        return 'qcow2' if path.suffix == '.qcow2' else 'raw'

    async def info(self, path: Path, fmt: str | None = None) -> dict[str, Any]:
        """What qemu-img says about an image."""
        chosen = ['-f', fmt] if fmt else []
        return dict(json.loads(await run('qemu-img', 'info', '-U', '--output=json', *chosen, str(path))))

    async def create(self, path: Path, size: int) -> None:
        """An empty image."""
        path.parent.mkdir(parents=True, exist_ok=True)
        await run('qemu-img', 'create', '-q', '-f', self.format(path), str(path), str(size))

    async def copy(self, source: Path, target: Path) -> None:
        """A full, independent copy: bytes when the formats are the same (fast, sparse), converted otherwise."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.format(source) == self.format(target):
            await run('cp', '--sparse=always', '--reflink=auto', str(source), str(target))
        else:
            fmt = (await self.info(source)).get('format', 'raw')
            await run('qemu-img', 'convert', '-f', fmt, '-O', self.format(target), str(source), str(target))

    async def convert(self, source: Path, target: Path) -> None:
        """A full copy in the format of the target's name. The source's is told too: a guest's bytes are not probed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        await run('qemu-img', 'convert', '-f', self.format(source), '-O', self.format(target), str(source), str(target))

    async def resize(self, path: Path, size: int) -> None:
        """Grow an image no process has open."""
        await run('qemu-img', 'resize', '-q', '-f', self.format(path), str(path), str(size))

    def remove(self, path: Path) -> None:
        """Forget the file, and the guest's directory once it is empty."""
        path.unlink(missing_ok=True)
        if path.parent.parent.name == 'images' and path.parent.is_dir() and not os.listdir(path.parent):
            shutil.rmtree(path.parent)
