"""Backups on a storage of type pbs: what PVE::Storage::PBSPlugin answers, asked of the server by its client."""

import re
from typing import Any, Optional

from fakepve import PveError, TaskError
from fakepve.routing import die
from fakepve.storage import STORAGE_ID

from .clock import utc
from .pbsstorage import PbsStorageApi

VOLNAME = re.compile(r'backup/([^\s_]+)/([^\s_]+)/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)')
Snapshot = dict[str, Any]


def snapshot_name(volname: str) -> str:
    """`vm/2019/2026-11-24T03:30:00Z` of a volume's name."""
    if not VOLNAME.fullmatch(volname):
        raise die(f"unable to parse PBS volume name '{volname}'")
    return volname.partition('/')[2]


def encrypted(item: Snapshot) -> Optional[str]:
    """snapshot_files_encrypted: the key's fingerprint, or '1' if every file is encrypted and none is known."""
    if item.get('fingerprint'):
        return str(item['fingerprint'])
    files = [file for file in item.get('files') or [] if isinstance(file, dict)
             and file.get('filename') not in ('client.log.blob', 'index.json.blob')]
    return '1' if files and all(file.get('crypt-mode') == 'encrypt' for file in files) else None


class PbsApi(PbsStorageApi):
    """Mixin before FakePve."""

    # -------------------------------------------------------------- content

    def _parse_volname(self, store: dict[str, Any], volname: str) -> Any:
        """parse_volname: (vtype, vmid or None, format)."""
        if store.get('type') != 'pbs':
            return super()._parse_volname(store, volname)
        kind, owner, _ = snapshot_name(volname).split('/')
        return 'backup', int(owner) if owner.isdigit() else None, f'pbs-{kind}'

    async def backups(self, sid: str, vmid: Optional[int] = None) -> list[dict[str, Any]]:
        """list_volumes: the backups of guests on a storage."""
        found = await self.client.json(sid, self._store(sid), 'snapshot list')
        return [self._backup_item(sid, item) for item in found
                if item['backup-type'] in ('vm', 'ct') and re.fullmatch(r'\d+', str(item['backup-id']))
                and vmid in (None, int(item['backup-id']))]

    @staticmethod
    def _backup_item(sid: str, item: Snapshot) -> dict[str, Any]:
        kind, owner, epoch = item['backup-type'], int(item['backup-id']), int(item['backup-time'])
        out = {'volid': f'{sid}:backup/{kind}/{owner}/{utc(epoch)}', 'content': 'backup', 'format': f'pbs-{kind}',
               'subtype': 'qemu' if kind == 'vm' else 'lxc', 'vmid': owner, 'ctime': epoch,
               'size': int(item.get('size') or 1)}
        optional = {'notes': item.get('comment'), 'protected': 1 if item.get('protected') else None,
                    'encrypted': encrypted(item), 'verification': item.get('verification')}
        return {**out, **{key: value for key, value in optional.items() if value is not None}}

    async def _content_list(self, v: dict[str, Any], user: str) -> Any:
        sid = v['storage']
        if not self.is_pbs(sid):
            return await super()._content_list(v, user)
        self._check_enabled(sid, v['node'])
        if v.get('content', 'backup') != 'backup':
            return []
        try:
            found = await self.backups(sid, v.get('vmid'))
        except TaskError as error:
            raise die(f'error listing snapshots - {error}') from None
        return sorted((item for item in found if self._readable(user, sid, item)), key=lambda item: item['volid'])

    def _readable(self, user: str, sid: str, item: dict[str, Any]) -> bool:
        try:
            self._check_access(user, sid, 'backup', item['vmid'], item['volid'])
        except PveError:
            return False
        return True

    async def find_backup(self, sid: str, volname: str) -> dict[str, Any]:
        """The backup of a volume's name; PVE's error if there is none."""
        owner = self._parse_volname(self._store(sid), volname)[1]
        try:
            found = [item for item in await self.backups(sid, owner) if item['volid'] == f'{sid}:{volname}']
        except TaskError as error:
            raise die(str(error)) from None
        if not found:
            raise die(f"volume_size_info on '{sid}:{volname}' failed - no such snapshot")
        return found[0]

    def _pbs_target(self, v: dict[str, Any]) -> Optional[tuple[str, str]]:
        """(storage, volume name) of a request about a volume on a pbs storage."""
        found = STORAGE_ID.match(v['volume'])
        sid = str(found.group(1) if found else v.get('storage'))
        return (sid, self._volume_target(v)[1]) if self.is_pbs(sid) else None

    async def _content_info(self, v: dict[str, Any], user: str) -> Any:
        target = self._pbs_target(v)
        if target is None:
            return await super()._content_info(v, user)
        sid, volname = target
        _vtype, owner, fmt = self._parse_volname(self.storages[sid], volname)
        self._check_access(user, sid, 'backup', owner, f'{sid}:{volname}')
        item = await self.find_backup(sid, volname)
        path = f'pbs://{self.client.repository(self.storages[sid])}/{snapshot_name(volname)}'
        return {'path': path, 'format': fmt, 'size': item['size'], 'used': item['size'],
                'protected': item.get('protected', 0), **({'notes': item['notes']} if item.get('notes') else {})}

    async def _content_put(self, v: dict[str, Any], user: str) -> Any:
        target = self._pbs_target(v)
        if target is None:
            return await super()._content_put(v, user)
        sid, volname = target
        self._check_access(user, sid, 'backup', self._parse_volname(self.storages[sid], volname)[1],
                           f'{sid}:{volname}')
        try:
            for attribute in ('notes', 'protected'):
                if v.get(attribute) is not None:
                    await self.mark_backup(sid, snapshot_name(volname), attribute, v[attribute])
        except TaskError as error:
            raise die(str(error)) from None
        return None

    async def mark_backup(self, sid: str, snapshot: str, attribute: str, value: Any) -> None:
        """update_volume_attribute: notes or protection."""
        text = str(value) if attribute == 'notes' else 'true' if value else 'false'
        await self.client.run(sid, self._store(sid), f'snapshot {attribute} update', snapshot, text)

    async def _content_delete(self, v: dict[str, Any], user: str) -> Any:
        """free_image, in the task PVE::API2::Storage::Content makes of it."""
        target = self._pbs_target(v)
        if target is None:
            return await super()._content_delete(v, user)
        sid, volname = target
        owner = self._parse_volname(self.storages[sid], volname)[1]
        self.require(user, '/storage/' + sid, 'Datastore.AllocateSpace' if owner else 'Datastore.Allocate')
        if owner:
            self.require(user, f'/vms/{owner}', 'VM.Backup')
        volid = f'{sid}:{volname}'

        async def body() -> str:
            if (await self.find_backup(sid, volname)).get('protected'):
                raise TaskError(f"cannot remove protected volume '{volname}' on '{sid}'")
            await self.client.run(sid, self.storages[sid], 'snapshot forget', snapshot_name(volname))
            return f"Removed volume '{volid}'"
        return await self.task(v['node'], 'imgdel', f'{owner}@{sid}' if owner else sid, user, body, lock=False)

    async def prune(self, sid: str, vmid: int, keep: dict[str, int]) -> int:
        """prune_backups for one guest: how many backups are gone."""
        options = [word for key, number in sorted(keep.items()) if number for word in (f'--{key}', str(number))]
        found = await self.client.json(sid, self._store(sid), 'prune', f'vm/{vmid}', *options)
        if not all(isinstance(item, dict) and 'keep' in item for item in found):
            raise TaskError('result from proxmox-backup-client is not as expected')
        return sum(1 for item in found if not item['keep'] and not item.get('protected'))

    # ------------------------------------------------------------ archives

    async def _archive_names(self, sid: str, volname: str) -> dict[str, int]:
        """The archives of a backup without the suffixes of their index, and their sizes."""
        files = await self.client.json(sid, self._store(sid), 'snapshot files', snapshot_name(volname))
        return {re.sub(r'\.(?:fidx|didx|blob)$', '', file['filename']): int(file.get('size') or 0) for file in files}

    async def fetch_archive(self, sid: str, volname: str, archive: str, target: Any) -> None:
        """One archive of a backup into a file."""
        await self.client.run(sid, self._store(sid), 'restore', snapshot_name(volname), archive, str(target))
