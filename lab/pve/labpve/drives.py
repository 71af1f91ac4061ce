"""Drives: their volumes are named, checked and retired as PVE does it."""

import re
import time
from typing import Any, Optional

from fakepve import FakeVm
from fakepve.lxc import format_size
from fakepve.qemu import drives_of, join_drive, split_drive, volume_ref
from fakepve.routing import die, param_error

from .allocation import AllocationApi

CLOUDINIT = re.compile(r'(?:^|[:/])vm-(\d+)-cloudinit(?:\.\w+)?$')
CLOUDINIT_SIZE = 4 * 1024 ** 2


class DriveApi(AllocationApi):
    """Mixin before FakePve."""

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
