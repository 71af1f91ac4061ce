"""Cluster backup jobs, which fakepve answers but does not keep (PVE::API2::Backup, /etc/pve/jobs.cfg)."""

import secrets
from typing import Any

from fakepve.model import Model
from fakepve.routing import die, param_error, split_list

NO_JOB = "No such job '{}'"


class BackupApi(Model):  # type: ignore[misc]
    """Mixin before FakePve."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backup_jobs: dict[str, dict[str, Any]] = {}

    def _routes_lab_backup(self) -> list[tuple[str, str, Any]]:
        one = '/cluster/backup/{id}'
        return [('GET', '/cluster/backup', self._jobs), ('POST', '/cluster/backup', self._create_job),
                ('GET', one, self._read_job), ('PUT', one, self._update_job), ('DELETE', one, self._delete_job)]

    async def _jobs(self, v: dict[str, Any], user: str) -> list[dict[str, Any]]:
        return [self._view(name) for name in sorted(self.backup_jobs)]

    def _view(self, name: str) -> dict[str, Any]:
        """A job as PVE shows it: with its id and type, and `enabled` also when it is the default."""
        return {'enabled': 1, **self.backup_jobs[name], 'id': name, 'type': 'vzdump'}

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.backup_jobs:
            raise param_error(id=NO_JOB.format(name))
        return self.backup_jobs[name]

    @staticmethod
    def _selection(job: dict[str, Any]) -> None:
        """verify_vzdump_parameters: one way to name the guests."""
        chosen = [key for key in ('all', 'vmid', 'pool') if job.get(key)]
        if not chosen:
            raise param_error(vmid='property is missing')
        if len(chosen) > 1:
            raise param_error(**{chosen[1]: f"option '{chosen[1]}' conflicts with option '{chosen[0]}'"})

    async def _create_job(self, v: dict[str, Any], user: str) -> None:
        job = {key: value for key, value in v.items() if key not in ('id', 'starttime', 'dow', 'quiet')}
        name = v.get('id') or 'backup-' + secrets.token_hex(6)
        if v.get('starttime'):
            job['schedule'] = ' '.join(filter(None, (v.get('dow'), v['starttime'])))
        if not job.get('schedule'):
            raise param_error(starttime='either schedule or starttime is required')
        if name in self.backup_jobs:
            raise die(f"Job '{name}' already exists")
        self._selection(job)
        self.backup_jobs[name] = job

    async def _read_job(self, v: dict[str, Any], user: str) -> dict[str, Any]:
        self._job(v['id'])
        return self._view(v['id'])

    async def _update_job(self, v: dict[str, Any], user: str) -> None:
        job = dict(self._job(v['id']))
        for key in split_list(v.get('delete')):
            job.pop(key, None)
        job.update({key: value for key, value in v.items() if key not in ('id', 'delete', 'quiet')})
        if v.get('vmid'):
            job.pop('all', None), job.pop('pool', None)
        self._selection(job)
        self.backup_jobs[v['id']] = job

    async def _delete_job(self, v: dict[str, Any], user: str) -> None:
        self._job(v['id'])
        del self.backup_jobs[v['id']]
