"""Volumes that exist: clones of them, and their growth."""

import re
from typing import Any, Optional

from fakepve import FakeVm, PveError, TaskError
from fakepve.lxc import format_size
from fakepve.qemu import DRIVE_KEY, drives_of, join_drive, split_drive, volume_ref
from fakepve.routing import die

from .allocation import parse_bytes
from .drives import CLOUDINIT, DriveApi


class VolumeApi(DriveApi):
    """Mixin before FakePve."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clone_of: dict[int, FakeVm] = {}

    # ---------------------------------------------------------------- clones

    async def _qm_clone(self, v: dict[str, Any], user: str) -> Any:
        """PVE::API2::Qemu clone_vm: copies every disk. A running source would have to be mirrored; not in the lab."""
        source = self.find(v['node'], v['vmid'])
        if source.status == 'running':
            raise die('the lab clones stopped VMs only')
        newid = int(v['newid'])
        fresh = self.vm(newid) is None
        if fresh:
            self._clone_of[newid] = source
        try:
            return await super()._qm_clone(v, user)
        except PveError:
            if fresh:
                self._clone_of.pop(newid, None)
            raise

    async def ceph_io(self, vm: FakeVm, keys: Optional[list[str]] = None) -> None:
        """As for any VM; a clone's cloud-init volume is made before."""
        if vm.vmid in self._clone_of:
            self._clone_cloudinit(vm)
        await super().ceph_io(vm, keys)
        self._clone_of.pop(vm.vmid, None)

    async def _make(self, vmid: int, volid: str, size: int) -> None:
        """A fresh image, or the copy of the one it is a clone of."""
        source = self._clone_source(vmid, volid)
        if source:
            await self.images.copy(self.images.of(source), self.images.of(volid))
        else:
            await super()._make(vmid, volid, size)

    def _clone_source(self, vmid: int, volid: str) -> Optional[str]:
        """The volume a clone's volume is a copy of: the source's under the same key."""
        source, clone = self._clone_of.get(vmid), self.vm(vmid)
        if source is None or clone is None:
            return None
        for key, volume, _ in drives_of(clone.config):
            if volume == volid and key in source.config:
                return str(split_drive(source.config[key])[0])
        return None

    def _clone_cloudinit(self, vm: FakeVm) -> None:
        """A clone gets a cloud-init volume of its own (clone_disk: drive_is_cloudinit)."""
        for key, volume, props in drives_of(vm.config):
            found = CLOUDINIT.search(volume)
            if found and int(found.group(1)) != vm.vmid:
                vm.config[key], _ = self._new_cloudinit(vm.vmid, volume_ref(volume)[0], props)

    # ---------------------------------------------------------------- resize

    def _routes_lab_resize(self) -> list[tuple[str, str, Any]]:
        return [('PUT', '/nodes/{node}/qemu/{vmid}/resize', self._resize)]

    async def _resize(self, v: dict[str, Any], user: str) -> Any:
        """PVE::API2::Qemu resize_vm: a task; the image first, then the config."""
        vm = self.find(v['node'], v['vmid'])
        if v.get('digest') and v['digest'] != vm.digest():
            raise die('checksum mismatch (file change by other user?)')
        self._check_lock(vm)
        key = v['disk']
        if key not in vm.config or not DRIVE_KEY.match(key):
            raise die(f"disk '{key}' does not exist")
        volume, props = split_drive(vm.config[key])
        if props.get('media') == 'cdrom':
            raise die("you can't resize a cdrom")
        sid, _ = volume_ref(volume)
        if sid is None:
            raise die(f"disk '{key}' has no associated volume")
        self.require(user, '/storage/' + sid, 'Datastore.AllocateSpace')
        return await self.task(vm.node, 'resize', vm.vmid, user,
                               lambda: self._grow(vm, key, str(v['size'])), vm=vm)

    async def _grow(self, vm: FakeVm, key: str, text: str) -> None:
        volume, _ = split_drive(vm.config[key])
        record = self._qm_volume(volume)
        if record is None:
            raise TaskError(f"Could not determine current size of volume '{volume}'")
        found = re.fullmatch(r'(\+?)(\d+(?:\.\d+)?)([KMGT]?)', text)
        assert found, 'the schema has checked it'
        current = int(record['size'])
        size = parse_bytes(found.group(2), found.group(3)) + (current if found.group(1) else 0)
        if size < current:
            raise TaskError('shrinking disks is not supported')
        if size == current:
            return
        await self.grow_image(vm, key, volume, size)
        record['size'] = size
        for config in (vm.config, vm.pending):
            if config.get(key) and split_drive(config[key])[0] == volume:
                config[key] = join_drive(volume, dict(split_drive(config[key])[1], size=format_size(size)))

    async def grow_image(self, vm: FakeVm, key: str, volume: str, size: int) -> None:
        """Grow the file behind a drive; overridden where a running QEMU has to do it."""
        await self.images.resize(self.images.of(volume), size)
