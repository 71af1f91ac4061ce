"""Cluster backup jobs, which fakepve answers but does not keep (PVE::API2::Backup, /etc/pve/jobs.cfg)."""

import secrets
from typing import Any

from fakepve import PveError
from fakepve.model import Model
from fakepve.routing import die, param_error, split_list

from . import calendarevent, dumpoptions
from .clock import Clock

NO_JOB = "No such job '{}'"
ALL_DAYS = 'mon,tue,wed,thu,fri,sat,sun'


class BackupApi(Model):  # type: ignore[misc]
    """Mixin before FakePve."""

    clock: Clock

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backup_jobs: dict[str, dict[str, Any]] = {}
        # By job: the time its next run is counted from, and the task of its last run.
        self.backup_runs: dict[str, dict[str, Any]] = {}

    def _routes_lab_backup(self) -> list[tuple[str, str, Any]]:
        one = '/cluster/backup/{id}'
        return [('GET', '/cluster/backup', self._jobs), ('POST', '/cluster/backup', self._create_job),
                ('GET', one, self._read_job), ('PUT', one, self._update_job), ('DELETE', one, self._delete_job)]

    def job_changed(self, name: str) -> None:
        """A job is new or has a new schedule; scheduler.py."""
        raise NotImplementedError

    async def _jobs(self, v: dict[str, Any], user: str) -> list[dict[str, Any]]:
        """The jobs; `next-run` is simply counted from now, as in PVE's list."""
        now = self.clock.time()
        return [dict(self._view(name), **{'next-run': calendarevent.parse(job['schedule']).after(now)})
                for name, job in sorted(self.backup_jobs.items())]

    def _view(self, name: str) -> dict[str, Any]:
        """A job as PVE shows it: with id and type, `enabled` also when it is the default, `fleecing` taken apart."""
        job = dict(self.backup_jobs[name])
        if isinstance(job.get('fleecing'), str):
            pairs = (part.partition('=') for part in job['fleecing'].split(','))
            job['fleecing'] = {key: value for key, _, value in pairs}
        return {'enabled': 1, **job, 'id': name, 'type': 'vzdump'}

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.backup_jobs:
            raise param_error(id=NO_JOB.format(name))
        return self.backup_jobs[name]

    def _checked(self, job: dict[str, Any], user: str) -> dict[str, Any]:
        """A job that can run: the storage may be used, every option is one the lab follows."""
        if user != 'root@pam' and job.get('storage'):
            self.require(user, f"/storage/{job['storage']}", 'Datastore.Allocate')
        if job.get('node') and job['node'] not in self.nodes:
            raise param_error(node=f"node '{job['node']}' does not exist")
        try:
            calendarevent.parse(job['schedule'])
        except ValueError as error:
            raise param_error(schedule=f'invalid format - {error}') from None
        dumpoptions.parse(job)
        return job

    @staticmethod
    def _with_schedule(v: dict[str, Any]) -> dict[str, Any]:
        """$schedule_param_check: `starttime` and `dow` are the old way to say `schedule`."""
        job = {key: value for key, value in v.items() if key not in ('id', 'delete', 'starttime', 'dow', 'quiet')}
        if v.get('starttime'):
            if job.get('schedule'):
                raise param_error(starttime="'starttime' and 'schedule' cannot both be set")
            days = ','.join(split_list(v.get('dow')))
            job['schedule'] = v['starttime'] if days in ('', ALL_DAYS) else f"{days} {v['starttime']}"
        return job

    async def _create_job(self, v: dict[str, Any], user: str) -> None:
        job = self._with_schedule(v)
        name = v.get('id') or 'backup-' + secrets.token_hex(6)
        if not job.get('schedule'):
            raise param_error(schedule="neither 'starttime' nor 'schedule' were set")
        if name in self.backup_jobs:
            raise die(f"Job '{name}' already exists")
        self.backup_jobs[name] = self._checked(job, user)
        self.backup_runs.pop(name, None)
        self.job_changed(name)

    async def _read_job(self, v: dict[str, Any], user: str) -> dict[str, Any]:
        self._job(v['id'])
        return self._view(v['id'])

    async def _update_job(self, v: dict[str, Any], user: str) -> None:
        before = self._job(v['id'])
        job = {key: value for key, value in before.items() if key not in split_list(v.get('delete'))}
        change = self._with_schedule(v)
        if change.get('vmid'):
            job.pop('all', None), job.pop('pool', None)
        job.update(change)
        if not job.get('schedule'):
            raise PveError(500, "unable to delete required option 'schedule'")
        self.backup_jobs[v['id']] = self._checked(job, user)
        if any(before.get(key) != job.get(key) for key in ('schedule', 'enabled')):
            self.job_changed(v['id'])

    async def _delete_job(self, v: dict[str, Any], user: str) -> None:
        self._job(v['id'])
        del self.backup_jobs[v['id']]
        self.backup_runs.pop(v['id'], None)
