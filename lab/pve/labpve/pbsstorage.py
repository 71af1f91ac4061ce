"""Storage of type pbs: its definition, its secrets and its status (PVE::Storage::PBSPlugin)."""

import json
import time
from typing import Any, Optional

from fakepve import PveError, TaskError
from fakepve.routing import die, split_list

from .client import BackupClient
from .volumes import VolumeApi

# Seconds a server's answer about its space is good for.
STATUS_AGE = 5


class PbsStorageApi(VolumeApi):
    """Mixin before DownloadApi and FakePve."""

    client: BackupClient

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # storage -> (when asked, total, used, avail); None instead of numbers: no answer.
        self._pbs_space: dict[str, tuple[float, Optional[tuple[int, int, int]]]] = {}

    def is_pbs(self, sid: Any) -> bool:
        """Is this a storage of type pbs?"""
        return bool(self.storages.get(sid, {}).get('type') == 'pbs')

    # ------------------------------------------------------------ definition

    async def _sc_create(self, v: dict[str, Any], user: str) -> Any:
        """PVE::API2::Storage::Config create: on_add_hook keeps the secrets, then the storage has to come up."""
        if v['type'] != 'pbs':
            return await super()._sc_create(v, user)
        self._check_secrets(v)
        answer = await super()._sc_create(v, user)
        sid = v['storage']
        try:
            self._keep_secrets(sid, v)
            if self._storage_enabled(sid, self.settings.node):
                await self.client.run(sid, self.storages[sid], 'status')
        except TaskError as error:
            await self._sc_delete({'storage': sid}, user)
            raise die(f'create storage failed: {sid}: {error}') from None
        return answer

    async def _sc_update(self, v: dict[str, Any], user: str) -> Any:
        """on_update_hook."""
        if not self.is_pbs(v['storage']):
            return await super()._sc_update(v, user)
        self._check_secrets(v)
        answer = await super()._sc_update(v, user)
        self._keep_secrets(v['storage'], v)
        self._pbs_space.pop(v['storage'], None)
        return answer

    async def _sc_delete(self, v: dict[str, Any], user: str) -> Any:
        """on_delete_hook."""
        pbs = self.is_pbs(v['storage'])
        answer = await super()._sc_delete(v, user)
        if pbs:
            self.client.keep(self.client.password_file(v['storage']), None)
            self.client.keep(self.client.key_file(v['storage']), None)
            self._pbs_space.pop(v['storage'], None)
        return answer

    @staticmethod
    def _check_secrets(v: dict[str, Any]) -> None:
        if v.get('master-pubkey'):
            raise PveError(501, "the lab does not model 'master-pubkey'")
        key = v.get('encryption-key')
        if key == 'autogen':
            raise PveError(501, "the lab makes no encryption key: give one instead of 'autogen'")
        if key is not None:
            try:
                valid = 'data' in json.loads(key)
            except (ValueError, TypeError):
                valid = False
            if not valid:
                raise die('Value does not seems like a valid, JSON formatted encryption key!')

    def _keep_secrets(self, sid: str, v: dict[str, Any]) -> None:
        """Secrets of a request into their files; the definition shows only that there is a key, or which."""
        gone = split_list(v.get('delete'))
        if 'password' in v or 'password' in gone:
            self.client.keep(self.client.password_file(sid), v.get('password'))
        if 'encryption-key' in v or 'encryption-key' in gone:
            self.client.keep(self.client.key_file(sid), v.get('encryption-key'))
        if 'encryption-key' in v:
            self.storages[sid]['encryption-key'] = json.loads(v['encryption-key']).get('fingerprint') or 1

    # --------------------------------------------------------------- status

    async def _ns_list(self, v: dict[str, Any], user: str) -> Any:
        for sid in [name for name in self.storages if self.is_pbs(name)]:
            await self._ask_space(sid)
        return await super()._ns_list(v, user)

    async def _ns_status(self, v: dict[str, Any], user: str) -> Any:
        if self.is_pbs(v['storage']):
            await self._ask_space(v['storage'])
        return await super()._ns_status(v, user)

    async def _ask_space(self, sid: str) -> None:
        """PBSPlugin status: a server that does not answer makes the storage inactive."""
        if time.monotonic() - self._pbs_space.get(sid, (-STATUS_AGE,))[0] < STATUS_AGE:
            return
        space = None
        try:
            answer = await self.client.json(sid, self.storages[sid], 'status')
            space = int(answer['total']), int(answer['used']), int(answer['avail'])
        except (TaskError, KeyError, TypeError, ValueError):
            pass
        self._pbs_space[sid] = time.monotonic(), space

    def _status_item(self, name: str, node: str, formats: bool = False) -> dict[str, Any]:
        item: dict[str, Any] = super()._status_item(name, node, formats)
        if self.is_pbs(name) and item['active']:
            space = self._pbs_space.get(name, (0.0, None))[1]
            item['active'] = 1 if space else 0
            item['total'], item['used'], item['avail'] = space or (0, 0, 0)
            item['shared'] = 1
        return item
