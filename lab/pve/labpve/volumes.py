"""Volumes: what fakepve keeps as a record gets an image file, and is named, sized and freed as PVE does it.

fakepve allocates synchronously and awaits `ceph_io` wherever PVE waits for a VM's disks, before a task may end with OK;
the image work queued by an allocation is done there, and its failure fails the task.
"""

import re
import time
from typing import Any, Awaitable, Callable, Optional

from fakepve import FakeVm, PveError, TaskError
from fakepve.lxc import SIZE_UNITS, format_size
from fakepve.model import Model
from fakepve.qemu import DRIVE_KEY, drives_of, join_drive, split_drive, volume_ref
from fakepve.routing import die, param_error

from .images import Images

CLOUDINIT = re.compile(r'(?:^|[:/])vm-(\d+)-cloudinit(?:\.\w+)?$')
CLOUDINIT_SIZE = 4 * 1024 ** 2
SIZE = re.compile(r'(?:^|,)size=(\d+(?:\.\d+)?)([KMGT]?)(?:,|$)')

Work = Callable[[], Awaitable[None]]


def parse_bytes(number: str, unit: str) -> int:
    """PVE::JSONSchema::parse_size: no unit means bytes."""
    return int(float(number) * (SIZE_UNITS[unit] if unit else 1))


class VolumeApi(Model):  # type: ignore[misc]
    """Mixin before FakePve."""

    images: Images

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._work: dict[int, dict[str, Work]] = {}
        self._clone_of: dict[int, FakeVm] = {}

    # ------------------------------------------------------- fakepve's hooks

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
        if vm.vmid in self._clone_of:
            self._clone_cloudinit(vm)
        await self.settle_volumes(vm.vmid)
        self._clone_of.pop(vm.vmid, None)

    async def settle_volumes(self, vmid: int) -> None:
        """Do the image work queued for a VM."""
        for volid, work in list(self._work.get(vmid, {}).items()):
            await work()
            self._work[vmid].pop(volid, None)
        self._work.pop(vmid, None)

    def _queue(self, vmid: int, volid: str, work: Work) -> None:
        self._work.setdefault(vmid, {})[volid] = work

    async def _make(self, vmid: int, volid: str, size: int) -> None:
        """A fresh image, or the copy of the one it is a clone of."""
        source = self._clone_source(vmid, volid)
        if source:
            await self.images.copy(self.images.of(source), self.images.of(volid))
        else:
            await self.images.create(self.images.of(volid), size)

    # --------------------------------------------------------------- drives

    def _qm_new_drive(self, vmid: int, key: str, value: str,
                      default: Optional[str]) -> tuple[str, list[str]]:
        """PVE::API2::Qemu create_disks, one drive: (config value, volumes made)."""
        volume, props = split_drive(value)
        if volume.endswith(':cloudinit') or volume == 'cloudinit':
            return self._new_cloudinit(vmid, volume_ref(volume)[0] or default, props)
        if 'import-from' in props:
            return self._new_import(vmid, volume, dict(props), default)
        text, made = super()._qm_new_drive(vmid, key, value, default)
        return text, made

    def _new_cloudinit(self, vmid: int, sid: Optional[str], props: dict[str, str]) -> tuple[str, list[str]]:
        """`storage:cloudinit` becomes the volume vm-<id>-cloudinit, which the provider finds by its name."""
        if sid is None:
            raise die('no storage ID specified (and no default storage)')
        store = self._store(sid)
        name = f'vm-{vmid}-cloudinit'
        if store.get('path'):
            fmt = props.get('format', 'qcow2')
            name = f'{vmid}/{name}.{fmt}'
        store.setdefault('volumes', {})[name] = {'content': 'images', 'format': 'raw', 'size': CLOUDINIT_SIZE,
                                                 'vmid': vmid, 'ctime': int(time.time())}
        volid = f'{sid}:{name}'
        rest = {k: v for k, v in props.items() if k != 'format'}
        return join_drive(volid, dict(rest, media='cdrom', size=format_size(CLOUDINIT_SIZE))), [volid]

    def _new_import(self, vmid: int, volume: str, props: dict[str, str],
                    default: Optional[str]) -> tuple[str, list[str]]:
        """PVE::QemuServer::ImportDisk: the copy is named like any disk, and the source is not kept in the config."""
        source = props.pop('import-from')
        record = self._import_source(source)
        sid = volume_ref(volume)[0] or default
        if sid is None:
            raise die('no storage ID specified (and no default storage)')
        size = int(record.get('virtual-size') or record.get('size') or 0)
        volid, _ = super()._qm_alloc(sid, vmid, props.pop('format', None), size)
        self._queue(vmid, volid, lambda: self.images.copy(self.images.of(source), self.images.of(volid)))
        return join_drive(volid, dict(props, size=format_size(size))), [volid]

    def _import_source(self, source: str) -> dict[str, Any]:
        """The record of an import source: an image of content type import, or a guest's disk."""
        sid, name = volume_ref(source)
        if sid is None:
            raise die('only root may import from an absolute path')
        record = self._volumes(sid).get(name) if self._store(sid) else None
        if record is None or not self.images.of(source).exists():
            raise die(f"volume '{source}' does not exist")
        if record.get('content') not in ('import', 'images'):
            raise die(f"volume '{source}' - unknown import format '{record.get('format')}'")
        return dict(record)

    def _qm_check_drive(self, user: str, vmid: int, pool: Optional[str], key: str, value: str,
                        default: Optional[str]) -> None:
        """The checks before the task, and those of an import source (check_storage_access, import-from)."""
        super()._qm_check_drive(user, vmid, pool, key, value, default)
        volume, props = split_drive(value)
        sid = volume_ref(volume)[0] or default
        if volume.endswith(':cloudinit'):
            self._qm_image_store(sid, user)
        source = props.get('import-from')
        if not source:
            return
        if not re.search(r'(?:^|:)0$', volume):
            raise param_error(**{
                key: "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"})
        from_sid, name = volume_ref(source)
        if from_sid:
            vtype, owner, _ = self._parse_volname(self._store(from_sid), name)
            self._check_access(user, from_sid, vtype, owner, source)

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

    # ---------------------------------------------------------- after changes

    def retire_volumes(self, vm: FakeVm, before: dict[str, Any]) -> None:
        """vmconfig_register_unused_drive: a disk taken off a VM stays as unusedN, a cloud-init drive is freed."""
        used = {volume for config in (vm.config, vm.pending) for _, volume, _ in drives_of(
            {k: x for k, x in config.items() if x is not None})}
        unused = {split_drive(x)[0] for k, x in vm.config.items() if k.startswith('unused')}
        for _key, volume, props in drives_of(before):
            record = self._qm_volume(volume)
            if volume in used or volume in unused or record is None or record.get('vmid') != vm.vmid:
                continue
            if CLOUDINIT.search(volume):
                self._qm_free(volume)
            elif props.get('media') != 'cdrom':
                free = next(n for n in range(256) if f'unused{n}' not in vm.config)
                vm.config[f'unused{free}'] = volume
