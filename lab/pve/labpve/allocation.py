"""Allocation: what fakepve keeps as a record gets an image file.

fakepve allocates synchronously and awaits `ceph_io` wherever PVE waits for a VM's disks, before a task may end with OK;
the image work queued by an allocation is done there, and its failure fails the task.
"""

import re
from typing import Any, Awaitable, Callable, Optional

from fakepve import FakeVm
from fakepve.lxc import SIZE_UNITS
from fakepve.model import Model
from fakepve.qemu import drives_of, volume_ref

from .images import Images

SIZE = re.compile(r'(?:^|,)size=(\d+(?:\.\d+)?)([KMGT]?)(?:,|$)')

Work = Callable[[], Awaitable[None]]


def parse_bytes(number: str, unit: str) -> int:
    """PVE::JSONSchema::parse_size: no unit means bytes."""
    return int(float(number) * (SIZE_UNITS[unit] if unit else 1))


class AllocationApi(Model):  # type: ignore[misc]
    """Mixin before FakePve."""

    images: Images

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._work: dict[int, dict[str, Work]] = {}

    def _qm_alloc(self, sid: str, vmid: int, fmt: Optional[str], size: int,
                  linked_from: Optional[str] = None) -> tuple[str, str]:
        """PVE::Storage::vdisk_alloc: the record now, the file before the task ends."""
        volid, fmt = super()._qm_alloc(sid, vmid, fmt, size, linked_from)
        self._queue(vmid, volid, lambda: self._make(vmid, volid, size))
        return volid, fmt

    def _qm_free(self, volid: str) -> None:
        """PVE::Storage::vdisk_free."""
        super()._qm_free(volid)
        for queue in self._work.values():
            queue.pop(volid, None)
        if volume_ref(volid)[0] in self.storages and '/' != volid[:1]:
            self.images.remove(self.images.of(volid))

    def _qm_rename_volume(self, volid: str) -> str:
        """PVE::Storage::vdisk_create_base renames the volume; so is the file."""
        renamed = str(super()._qm_rename_volume(volid))
        if renamed != volid and self.images.of(volid).exists():
            self.images.of(volid).rename(self.images.of(renamed))
        return renamed

    def _qm_can_snapshot(self, config: dict[str, Any]) -> bool:
        """Not in the lab: its storages do not offer the snapshot feature."""
        return False

    @staticmethod
    def _vm_maxdisk(vm: FakeVm) -> int:
        """The boot disk's size; a number without a unit is bytes (PVE::JSONSchema::parse_size), not gigabytes."""
        for _key, _volume, props in drives_of(vm.config, skip_cdrom=True):
            found = SIZE.search('size=' + props.get('size', ''))
            if found:
                return parse_bytes(found.group(1), found.group(2))
        return 0

    async def ceph_io(self, vm: FakeVm, keys: Optional[list[str]] = None) -> None:
        """Where fakepve waits for disks: the image files catch up with the records."""
        await super().ceph_io(vm, keys)
        await self.settle_volumes(vm.vmid)

    async def settle_volumes(self, vmid: int) -> None:
        """Do the image work queued for a VM."""
        for volid, work in list(self._work.get(vmid, {}).items()):
            await work()
            self._work[vmid].pop(volid, None)
        self._work.pop(vmid, None)

    def _queue(self, vmid: int, volid: str, work: Work) -> None:
        self._work.setdefault(vmid, {})[volid] = work

    async def _make(self, vmid: int, volid: str, size: int) -> None:
        """A fresh image."""
        await self.images.create(self.images.of(volid), size)
