"""vzdump: backups of guests to a Proxmox Backup Server (PVE::API2::VZDump, PVE::VZDump, PVE::VZDump::QemuServer)."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, AsyncIterator

from fakepve import PveError, TaskError
from fakepve.routing import die, param_error, split_list

from . import dumpoptions
from .clock import local
from .dumpcopy import Dump
from .dumpoptions import DumpOptions
from .pbs import snapshot_name
from .retention import RetentionApi
from .tasklog import TaskLog


class VzdumpApi(RetentionApi):
    """Mixin before FakePve."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dump_lock = asyncio.Lock()

    def _routes_lab_vzdump(self) -> list[tuple[str, str, Any]]:
        base = '/nodes/{node}/vzdump'
        return [('POST', base, self._vzdump), ('GET', base + '/extractconfig', self._extract_config)]

    # -------------------------------------------------------------- request

    async def _vzdump(self, v: dict[str, Any], user: str) -> str:
        """PVE::API2::VZDump vzdump: permissions and parameters before the task, the rest inside."""
        self.check_dump_permissions(v, user)
        return await self.start_dump({key: value for key, value in v.items() if key != 'node'}, user)

    def check_dump_permissions(self, v: dict[str, Any], user: str) -> None:
        """assert_param_permission_vzdump, and the storage's own."""
        if user != 'root@pam':
            for key in dumpoptions.ROOT_ONLY:
                if key in v:
                    raise param_error(**{key: 'Only root may set this option.'})
            if any(key in v for key in ('bwlimit', 'ionice', 'performance')):
                self.require(user, '/', 'Sys.Modify')
            fleecing = dumpoptions.fleecing(v.get('fleecing'))
            if fleecing:
                self.require(user, f'/storage/{fleecing}', 'Datastore.AllocateSpace')
            if v.get('storage') and v.get('prune-backups') is not None:
                self.require(user, f"/storage/{v['storage']}", 'Datastore.Allocate')
        if v.get('storage'):
            self.require(user, f"/storage/{v['storage']}", 'Datastore.AllocateSpace')

    async def start_dump(self, v: dict[str, Any], user: str) -> str:
        """The task of a backup, as it is asked for or as a job runs it."""
        options = dumpoptions.parse(v)
        vmids = self.selected(v)
        if not vmids and not options.every:
            return 'OK'
        log = TaskLog()
        upid = await self.task(self.settings.node, 'vzdump', vmids[0] if len(vmids) == 1 else '', user,
                               lambda: self._dump_all(options, vmids, user, log))
        log.bind(self.tasks[upid])
        return str(upid)

    def selected(self, v: dict[str, Any]) -> list[int]:
        """get_included_guests."""
        if v.get('pool'):
            if v['pool'] not in self.pools:
                raise die(f"no such pool '{v['pool']}'")
            return sorted(self.pools[v['pool']])
        if v.get('vmid'):
            return sorted({int(vmid) for vmid in split_list(v['vmid'])})
        excluded = {int(vmid) for vmid in split_list(v.get('exclude'))}
        return sorted(vm.vmid for vm in self.vms if vm.vmid not in excluded)

    # ----------------------------------------------------------------- task

    async def _dump_all(self, options: DumpOptions, vmids: list[int], user: str, log: TaskLog) -> None:
        """exec_backup: one guest after the other; one that fails does not keep the others from their turn."""
        await self._activate(options.storage)
        async with self._only_one(options, log):
            log.info(f'starting new backup job: {options.command_line}')
            failed = 0
            for vmid in vmids:
                if self._may_dump(user, vmid, options.every):
                    failed += not await self._dump_guest(options, vmid, log)
            log.info('Backup job finished ' + ('with errors' if failed else 'successfully'))
        if failed:
            raise TaskError('job errors')

    async def _activate(self, sid: str) -> None:
        """The storage has to be there, take backups and answer."""
        try:
            store = self._check_enabled(sid, self.settings.node)
            if not self.is_pbs(sid):
                raise TaskError('the lab backs up to storages of type pbs only')
            await self.client.run(sid, store, 'status')
        except (PveError, TaskError) as error:
            raise TaskError(f"could not activate storage '{sid}': {error}") from None

    @asynccontextmanager
    async def _only_one(self, options: DumpOptions, log: TaskLog) -> AsyncIterator[None]:
        """getlock: one vzdump a node at a time."""
        waiting = self._dump_lock.locked()
        if waiting:
            log.info('trying to get global lock - waiting...')
        try:
            await asyncio.wait_for(self._dump_lock.acquire(), options.lock_wait * 60)
        except asyncio.TimeoutError:
            raise TaskError("can't acquire lock '/var/run/vzdump.lock' - got timeout") from None
        try:
            if waiting:
                log.info('got global lock')
            yield
        finally:
            self._dump_lock.release()

    def _may_dump(self, user: str, vmid: int, every: bool) -> bool:
        """A guest that is named needs the permission; of all of them those without are passed over."""
        if self.vm(vmid) is not None and not every:
            self.require(user, f'/vms/{vmid}', 'VM.Backup')
        return bool(self.vm(vmid) is None or self.allowed(user, f'/vms/{vmid}', 'VM.Backup'))

    async def _dump_guest(self, options: DumpOptions, vmid: int, log: TaskLog) -> bool:
        """exec_backup_task: did it work?"""
        began = self.clock.time()
        try:
            await self._dump_locked(options, vmid, log, began)
        except (TaskError, PveError, OSError) as error:
            log.error(f'Backup of VM {vmid} failed - {error}')
            log.info(f'Failed at {local(self.clock.time())}')
            return False
        seconds = self.clock.time() - began
        log.info(f'Finished Backup of VM {vmid} ({seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d})')
        log.info(f'Backup finished at {local(self.clock.time())}')
        return True

    async def _dump_locked(self, options: DumpOptions, vmid: int, log: TaskLog, began: int) -> None:
        """The guest is locked and a directory there for its copies; both only for as long as it takes."""
        vm = self.vm(vmid)
        if vm is None:
            raise TaskError(f"unable to find VM '{vmid}'")
        await self._check_limit(options, vmid)
        log.info(f'Starting Backup of VM {vmid} (qemu)')
        log.info(f'Backup started at {local(began)}')
        log.info(f'status = {vm.status}')
        if vm.lock:
            raise TaskError(f'VM is locked ({vm.lock})')
        if vm.template:
            raise TaskError('the lab does not back up templates')
        directory = self.workspace(f'dump-{vmid}')
        self._qm_lock(vm, 'backup')
        try:
            dump = Dump(vm, options, log, directory, began, vm.status == 'running')
            await self._copy_and_send(dump)
            await self._after_sending(dump)
        finally:
            self._qm_lock(vm, None)
            shutil.rmtree(directory, ignore_errors=True)

    def workspace(self, name: str) -> Path:
        """An empty directory for the copies of an operation."""
        directory: Path = self.settings.state_dir / 'vzdump' / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, mode=0o700)
        return directory

    # -------------------------------------------------------------- extract

    async def _extract_config(self, v: dict[str, Any], user: str) -> str:
        """extractconfig: the configuration in a backup."""
        target = self._pbs_target(v)
        if target is None:
            raise PveError(501, 'the lab knows backups on storages of type pbs only')
        sid, volname = target
        owner = self._parse_volname(self.storages[sid], volname)[1]
        self._check_access(user, sid, 'backup', owner, v['volume'])
        if owner:
            self.require(user, f'/vms/{owner}', 'VM.Backup')
        try:
            return await self.read_config(sid, volname)
        except TaskError as error:
            raise die(str(error)) from None

    async def read_config(self, sid: str, volname: str) -> str:
        """extract_vzdump_config."""
        directory = self.workspace('config-' + snapshot_name(volname).replace('/', '-'))
        try:
            await self.fetch_archive(sid, volname, 'qemu-server.conf', directory / 'qemu-server.conf')
            return (directory / 'qemu-server.conf').read_text(encoding='utf-8')
        finally:
            shutil.rmtree(directory, ignore_errors=True)
