"""The backup of one guest: its disks and texts are copied, and sent to the server (PVE::VZDump::QemuServer)."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, AsyncIterator

from fakepve import FakeVm, TaskError
from fakepve.qemu import drives_of, is_cdrom, volume_ref

from . import fwconf, guestconf
from .clock import Clock, utc
from .command import agent_enabled
from .diskcopy import Disk, RunningCopy, copy_images
from .dumpoptions import DumpOptions
from .pbs import PbsApi
from .power import PowerApi
from .qmp import MonitorError
from .tasklog import TaskLog

# Seconds a guest may take to freeze its file systems, and to thaw them.
FREEZE_TIMEOUT = 60


@dataclass
class Dump:
    """The backup of one guest."""

    vm: FakeVm
    options: DumpOptions
    log: TaskLog
    directory: Path
    time: int
    was_running: bool
    mode: str = 'stop'

    @property
    def snapshot(self) -> str:
        """The backup's name on the server."""
        return f'vm/{self.vm.vmid}/{utc(self.time)}'


class DumpCopyApi(PbsApi, PowerApi):
    """Mixin before FakePve."""

    clock: Clock

    async def _copy_and_send(self, dump: Dump) -> None:
        dump.mode = dump.options.mode if dump.was_running else 'stop'
        dump.log.info(f'backup mode: {dump.mode}')
        if dump.vm.config.get('name'):
            dump.log.info(f"VM Name: {dump.vm.config['name']}")
        disks = [disk async for disk in self._disks(dump)]
        files = self._write_texts(dump, disks)
        dump.log.info(f"creating Proxmox Backup Server archive '{dump.snapshot}'")
        if not disks:
            dump.log.info('backup contains no disks')
        elif dump.mode == 'stop':
            await self._copy_stopped(dump, disks)
        else:
            await self._copy_running(dump, disks)
        await self._send(dump, files + [f'{disk.device}.img:{disk.target}' for disk in disks])

    async def _disks(self, dump: Dump) -> AsyncIterator[Disk]:
        """get_backup_volumes: disks but for those with backup=0; no CD-ROMs, so not the cloud-init drive either."""
        for key, volume, props in drives_of(dump.vm.config):
            if is_cdrom(volume, props):
                continue
            if props.get('backup') == '0':
                dump.log.info(f"exclude disk '{key}' '{volume}' (backup=no)")
                continue
            if key in ('efidisk0', 'tpmstate0'):
                raise TaskError(f"the lab does not back up '{key}'")
            dump.log.info(f"include disk '{key}' '{volume}' {props.get('size', '')}".rstrip())
            image = self.images.of(volume)
            size = int((await self.images.info(image, self.images.format(image)))['virtual-size'])
            yield Disk(key, volume, image, dump.directory / f'{key}.raw', size)

    def _write_texts(self, dump: Dump, disks: list[Disk]) -> list[str]:
        """assemble: the configuration, without what is pending or unused, and the firewall's if there is any."""
        for key in sorted(key for key in dump.vm.config if key.startswith('unused')):
            dump.log.info(f"skip unused drive '{dump.vm.config[key]}' (not included into backup)")
        if dump.vm.pending:
            dump.log.info('pending configuration changes found (not included into backup)')
        hints = [guestconf.Hint(disk.key, disk.device, volume_ref(disk.volume)[0] or '',
                                (self._qm_volume(disk.volume) or {}).get('format', 'raw')) for disk in disks]
        texts = {'qemu-server.conf': guestconf.dump(dump.vm.config, hints)}
        rules = self._fw()['guests'].get(dump.vm.vmid)
        if rules and fwconf.dump(rules):
            texts['fw.conf'] = fwconf.dump(rules)
        for name, text in texts.items():
            (dump.directory / name).write_text(text, encoding='utf-8')
        return [f'{name}:{dump.directory / name}' for name in texts]

    async def _copy_stopped(self, dump: Dump, disks: list[Disk]) -> None:
        """Mode stop: a guest that ran is started again as soon as its disks are copied."""
        if dump.was_running:
            dump.log.info('stopping virtual guest')
            await self._powerdown(dump.vm, {'timeout': dump.options.stop_wait * 60})
        began = self.clock.time()
        try:
            await copy_images(self.images, disks)
        finally:
            if dump.was_running:
                dump.log.info('restarting vm')
                await self._boot(dump.vm)
                dump.log.info(f'guest is online again after {max(self.clock.time() - began, 1)} seconds')

    async def _copy_running(self, dump: Dump, disks: list[Disk]) -> None:
        """Modes snapshot and suspend: QEMU copies while the guest goes on."""
        machine = self.machine(dump.vm)
        copy = RunningCopy(machine, disks)
        try:
            await copy.prepare()
            suspended = dump.mode == 'suspend' and (await machine.execute('query-status'))['status'] == 'running'
            if suspended:
                dump.log.info('suspending guest')
                await machine.execute('stop')
            try:
                async with self._frozen(dump):
                    dump.log.info('starting backup via QMP command')
                    await copy.start()
            finally:
                if suspended:
                    dump.log.info('resuming VM again')
                    await machine.execute('cont')
            await copy.finish(dump.log.info)
        finally:
            await copy.close()

    @asynccontextmanager
    async def _frozen(self, dump: Dump) -> AsyncIterator[None]:
        """qga_fs_freeze and qga_fs_thaw, if there is an agent that answers."""
        if not await self._can_freeze(dump):
            yield
            return
        agent = self.machine(dump.vm).agent
        try:
            await self._ask(dump, agent, 'freeze')
            yield
        finally:
            await self._ask(dump, agent, 'thaw')

    async def _can_freeze(self, dump: Dump) -> bool:
        config = dump.vm.config
        if not agent_enabled(config) or 'freeze-fs-on-backup=0' in str(config.get('agent')).split(','):
            dump.log.info('skipping guest filesystem freeze - disabled in VM options')
            return False
        try:
            await self.machine(dump.vm).agent.ask('guest-ping', 3)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, MonitorError, ValueError):
            dump.log.info('skipping guest filesystem freeze - agent configured but not running?')
            return False
        return dump.mode == 'snapshot'

    @staticmethod
    async def _ask(dump: Dump, agent: Any, what: str) -> None:
        """An agent that refuses is told of and does not end the backup, as on PVE."""
        dump.log.info(f"issuing guest-agent 'fs-{what}' command")
        try:
            await agent.ask(f'guest-fsfreeze-{what}', FREEZE_TIMEOUT)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, MonitorError, ValueError) as error:
            dump.log.error(f"guest-fsfreeze-{what}: {error or 'got timeout'}")

    async def _send(self, dump: Dump, archives: list[str]) -> None:
        sid = dump.options.storage
        if self.client.key_file(sid).exists():
            dump.log.info('enabling encryption')
        await self.client.run(sid, self.storages[sid], 'backup', '--backup-type', 'vm', '--backup-id',
                              str(dump.vm.vmid), '--backup-time', str(dump.time), *archives, log=dump.log.info)
