"""Restore: POST /nodes/{node}/qemu with `archive` (PVE::API2::Qemu, PVE::QemuServer restore_proxmox_backup_archive)."""

import re
import shutil
import uuid
from pathlib import Path
from typing import Any, Optional

from fakepve import FakeVm, PveError, TaskError
from fakepve.lxc import format_size
from fakepve.qemu import DRIVE_KEY, drives_of, is_cdrom, join_drive, split_drive, volume_ref, with_mac
from fakepve.routing import split_list

from . import fwconf, guestconf
from .drives import CLOUDINIT
from .restorerequest import Restore, RestoreRequestApi


class RestoreApi(RestoreRequestApi):
    """Mixin before FakePve."""

    # -------------------------------------------------------------- request

    async def _qm_create(self, v: dict[str, Any], user: str) -> Any:
        """create_vm with an archive: everything but the copying is checked before the task."""
        if not v.get('archive'):
            return await super()._qm_create(v, user)
        for key in ('live-restore', 'ha-managed'):
            if v.get(key):
                raise PveError(501, f"the lab does not model '{key}' of a restore")
        order = self._order(v, user)
        vm = self._claim(order, bool(v.get('force')))
        upid = await self.task(v['node'], 'qmrestore', order.vmid, user, lambda: self._restore(order, vm))
        order.log.bind(self.tasks[upid])
        if v.get('start'):
            self.after_task(upid, lambda: self.start_guest(order.vmid, user))
        return upid

    # ----------------------------------------------------------------- task

    async def _restore(self, order: Restore, vm: FakeVm) -> None:
        """restorefn: as on PVE, what a failed restore leaves is left, unlocked."""
        try:
            self._qm_check_protection(vm, order.failure.rstrip(' -'))
            if vm.status == 'running':
                raise TaskError(f'{order.failure} vm is running')
            directory = self.workspace(f'restore-{order.vmid}')
            try:
                await self._restore_into(order, vm, directory)
            except (PveError, TaskError, OSError, ValueError):
                order.log.warn('error before or during data restore, some or all disks were not completely restored. '
                               f'VM {order.vmid} state is NOT cleaned up.')
                raise
            finally:
                shutil.rmtree(directory, ignore_errors=True)
        finally:
            self._qm_lock(vm, None)
        if order.pool:
            self._pool_join(order.pool, order.vmid)

    async def _restore_into(self, order: Restore, vm: FakeVm, directory: Path) -> None:
        """restore_proxmox_backup_archive."""
        archives = await self._archive_names(order.storage, order.volname)
        if 'qemu-server.conf' not in archives:
            raise TaskError("backup does not look like a qemu-server backup (missing 'qemu-server.conf' file)")
        config, hints = guestconf.parse(await self.read_config(order.storage, order.volname))
        plan = self._plan(order, config, hints, archives)
        if 'fw.conf' in archives:
            await self._restore_firewall(order, directory / 'fw.conf')
        self._clear(vm, plan)
        made: list[str] = []
        try:
            volumes = await self._allocate(order, plan, made, directory)
        except BaseException:
            for volid in made:
                self._qm_free(volid)
            raise
        self._adopt(order, vm, config, volumes)
        await self.write_seed(vm)

    async def _restore_firewall(self, order: Restore, file: Path) -> None:
        """The rules come back as they were; one that no longer holds is kept and told of, as PVE keeps it."""
        await self.fetch_archive(order.storage, order.volname, 'fw.conf', file)
        conf = self._fw()['guests'][order.vmid] = fwconf.parse(file.read_text(encoding='utf-8'))
        for rule in conf['rules']:
            try:
                self._check_rule('vm', rule, conf)
            except PveError as error:
                order.log.warn(f'firewall rule {rule}: {error.errors or error.message}')

    def _plan(self, order: Restore, config: dict[str, Any], hints: list[guestconf.Hint],
              archives: dict[str, int]) -> dict[str, tuple[str, str, int]]:
        """$parse_backup_hints: for every drive to make its storage, its format and its size; 0 for cloud-init's."""
        plan: dict[str, tuple[str, str, int]] = {}
        for hint in hints:
            size = archives.get(f'{hint.device}.img')
            if not size:
                raise TaskError(f"archive does not contain data for drive '{hint.drive}'")
            plan[hint.drive] = order.target or hint.storage or 'local', hint.format or 'raw', size
        for key, volume, _props in drives_of(config):
            if CLOUDINIT.search(volume):
                plan[key] = order.target or volume_ref(volume)[0] or 'local', 'raw', 0
        for sid, _fmt, _size in plan.values():
            if 'images' not in split_list(self._store(sid).get('content')):
                raise TaskError(f"Content type 'images' is not available on storage '{sid}'")
            self.require(order.user, '/storage/' + sid, 'Datastore.AllocateSpace')
        return plan

    def _clear(self, vm: FakeVm, plan: dict[str, Any]) -> None:
        """$restore_cleanup_oldconf: the disks that come back go first, so that they get their names again."""
        for key, volume, props in drives_of(vm.config):
            mine = (self._qm_volume(volume) or {}).get('vmid') == vm.vmid
            if mine and key in plan and (CLOUDINIT.search(volume) or not is_cdrom(volume, props)):
                self._qm_free(volume)
        vm.config, vm.pending = {'memory': '128', 'lock': 'create'}, {}

    async def _allocate(self, order: Restore, plan: dict[str, tuple[str, str, int]], made: list[str],
                        directory: Path) -> dict[str, tuple[str, int]]:
        """$restore_allocate_devices, then the data: volume and size of every drive."""
        out: dict[str, tuple[str, int]] = {}
        for key, (sid, fmt, size) in sorted(plan.items()):
            if size:
                formats = (self._status_item(sid, self.settings.node, True)['formats'])
                volid, _ = self._qm_alloc(sid, order.vmid, fmt if fmt in formats['supported'] else formats['default'],
                                          size)
                self._work.get(order.vmid, {}).pop(volid, None)  # not an empty image, but the one that follows
            else:
                volid = self._new_cloudinit(order.vmid, sid, {})[1][0]
            made.append(volid)
            out[key] = volid, size
            order.log.plain(f"new volume ID is '{volid}'")
        for key, (volid, size) in out.items():
            if size:
                await self._fetch_disk(order, key, volid, directory)
        return out

    async def _fetch_disk(self, order: Restore, key: str, volid: str, directory: Path) -> None:
        archive, raw = f'drive-{key}.img', directory / f'{key}.raw'
        order.log.plain(f"restore proxmox backup image: {order.volname.partition('/')[2]} {archive} {volid}")
        await self.fetch_archive(order.storage, order.volname, archive, raw)
        await self.images.convert(raw, self.images.of(volid))
        raw.unlink()

    # --------------------------------------------------------------- config

    def _adopt(self, order: Restore, vm: FakeVm, config: dict[str, Any], volumes: dict[str, tuple[str, int]]) -> None:
        """restore_update_config_line for every option, the request's own over them, then rescan."""
        fresh = {key: value for key, value in config.items() if not guestconf.SKIPPED.fullmatch(key)}
        fresh.update({'description': config['description']} if config.get('description') else {})
        for key, text in list(fresh.items()):
            if DRIVE_KEY.match(key):
                self._adopt_drive(fresh, key, str(text), volumes.get(key))
            elif re.fullmatch(r'net\d+', key) and order.unique:
                fresh[key] = with_mac(text, fresh=True)
        if str(fresh.get('vmgenid', '0')) != '0':
            fresh['vmgenid'] = str(uuid.uuid4())
        if order.unique and fresh.get('smbios1'):
            _, smbios = split_drive('x,' + str(fresh['smbios1']))
            fresh['smbios1'] = ','.join(f'{k}={x}' for k, x in sorted({**smbios, 'uuid': str(uuid.uuid4())}.items()))
        fresh.update(order.override)
        vm.config = dict(fresh, lock='create')
        vm.name = str(vm.config.get('name') or f'VM {vm.vmid}')
        self._rescan(order, vm)

    @staticmethod
    def _adopt_drive(config: dict[str, Any], key: str, text: str, made: Optional[tuple[str, int]]) -> None:
        """The drive on its new volume; one that was left out of the backup is left out of the guest."""
        volume, props = split_drive(text)
        if props.get('backup') == '0' and not is_cdrom(volume, props):
            del config[key]
        elif made:
            volid, size = made
            rest = {k: x for k, x in props.items() if k != 'format'}
            config[key] = join_drive(volid, {**rest, **({'size': format_size(size)} if size else {})})

    def _rescan(self, order: Restore, vm: FakeVm) -> None:
        """update_disk_config: a volume of the guest's that no option names becomes an unused disk."""
        used = {volume for _, volume, _ in drives_of(vm.config)}
        for sid, store in sorted(self.storages.items()):
            for name, record in sorted(store.get('volumes', {}).items()):
                volid = f'{sid}:{name}'
                if record.get('vmid') != vm.vmid or record.get('content') != 'images' or volid in used:
                    continue
                key = next(f'unused{n}' for n in range(256) if f'unused{n}' not in vm.config)
                vm.config[key] = volid
                order.log.plain(f"VM {vm.vmid} add unreferenced volume '{volid}' as '{key}' to config")
