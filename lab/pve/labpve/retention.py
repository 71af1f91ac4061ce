"""What follows the copy of a backup: its notes, its protection and the retention (PVE::VZDump exec_backup_task)."""

from fakepve import TaskError

from . import dumpoptions
from .dumpcopy import Dump, DumpCopyApi
from .dumpoptions import DumpOptions


class RetentionApi(DumpCopyApi):
    """Mixin before FakePve."""

    async def _check_limit(self, options: DumpOptions, vmid: int) -> None:
        """With `remove=0` the retention is a limit; protected backups have one of their own."""
        keep = self._keep(options)
        limit = 0 if keep.get('keep-all') else sum(keep.values())
        if not options.protected and (options.remove or not limit):
            return
        existing = await self.backups(options.storage, vmid)
        protected = sum(1 for item in existing if item.get('protected'))
        highest = int(self.storages[options.storage].get('max-protected-backups', -1))
        if options.protected:
            if -1 < highest <= protected:
                raise TaskError(f'The number of protected backups per guest is limited to {highest} on storage '
                                f"'{options.storage}'")
        elif len(existing) - protected >= limit:
            raise TaskError(f'There is a max backup limit of {limit} enforced by the target storage or the vzdump '
                            'parameters. Either increase the limit or delete old backups.')

    def _keep(self, options: DumpOptions) -> dict[str, int]:
        """The request's retention, or the storage's, or everything."""
        stored = dumpoptions.retention(self.storages[options.storage].get('prune-backups'))
        return options.keep or stored or {'keep-all': 1}

    async def _after_sending(self, dump: Dump) -> None:
        """Notes, protection, then retention."""
        options, sid = dump.options, dump.options.storage
        if options.notes:
            await self._add_notes(dump)
        if options.protected:
            dump.log.info('marking backup as protected')
            await self.mark_backup(sid, dump.snapshot, 'protected', 1)
        keep = self._keep(options)
        if not options.remove or keep.get('keep-all'):
            return
        dump.log.info('prune older backups with retention: ' + ', '.join(
            f'{key}={number}' for key, number in sorted(keep.items())))
        dump.log.info(f"running 'proxmox-backup-client prune' for 'vm/{dump.vm.vmid}'")
        pruned = await self.prune(sid, dump.vm.vmid, keep)
        dump.log.info(f'pruned {pruned} backup(s)' + (' not covered by keep-retention policy' if pruned else ''))

    async def _add_notes(self, dump: Dump) -> None:
        values = {'cluster': self.cluster_name, 'node': self.settings.node, 'vmid': str(dump.vm.vmid),
                  'guestname': str(dump.vm.config.get('name') or f'VM {dump.vm.vmid}')}
        dump.log.info('adding notes to backup')
        try:
            await self.mark_backup(dump.options.storage, dump.snapshot, 'notes',
                                   dumpoptions.notes_from(dump.options.notes, values))
        except TaskError as error:
            dump.log.warn(f'unable to add notes - {error}')
