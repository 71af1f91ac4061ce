"""The scheduler of backup jobs (pvescheduler, PVE::Jobs): a job runs when its next time after its last run has come."""

import asyncio
import logging
from typing import Any, Optional

from fakepve import PveError

from .backups import BackupApi
from .calendarevent import parse
from .clock import Clock
from .settings import Settings

LOG = logging.getLogger('labpve')
# PVE looks once a minute; the lab's clock may be moved at any time.
INTERVAL = 1.0
# Options of a job that are none of the backup it runs; `node` restricts where it runs.
OWN = ('schedule', 'comment', 'enabled', 'repeat-missed', 'node')


class SchedulerApi(BackupApi):
    """Mixin before FakePve."""

    clock: Clock
    settings: Settings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scheduler: Optional[asyncio.Task[None]] = None

    async def start_dump(self, v: dict[str, Any], user: str) -> str:
        """Start a backup as a task; vzdump.py."""
        raise NotImplementedError

    async def start(self, certfile: str, keyfile: str) -> None:
        """Listen, and follow the jobs. What was missed while the node was down counts for `repeat-missed` jobs only."""
        await super().start(certfile, keyfile)
        for name, job in self.backup_jobs.items():
            if not job.get('repeat-missed') or name not in self.backup_runs:
                self.job_changed(name)
        self._scheduler = asyncio.ensure_future(self._follow_jobs())

    async def stop(self) -> None:
        """Follow the jobs no more, then stop listening."""
        if self._scheduler:
            self._scheduler.cancel()
            await asyncio.wait([self._scheduler])
        await super().stop()

    def job_changed(self, name: str) -> None:
        """From now on the job's next time counts (create_job, detect_changed_runtime_props)."""
        self.backup_runs.setdefault(name, {})['time'] = self.clock.time()

    async def _follow_jobs(self) -> None:
        while True:
            for name in sorted(self.backup_jobs):
                try:
                    await self._run_if_due(name)
                except PveError as error:
                    LOG.error('backup job %s: %s %s', name, error.message, error.errors or '')
                except Exception:  # one job must not keep the others from their turn
                    LOG.exception('backup job %s', name)
            await asyncio.sleep(INTERVAL)

    async def _run_if_due(self, name: str) -> None:
        """run_jobs, for one job: it never overlaps itself, and times that passed while it ran are one run."""
        job, state, now = self.backup_jobs[name], self.backup_runs[name], self.clock.time()
        if not job.get('enabled', 1) or job.get('node', self.settings.node) != self.settings.node:
            return
        if self.tasks.get(state.get('upid'), {}).get('status') == 'running':
            return
        if now < parse(job['schedule']).after(int(state['time'])):
            return
        state['time'] = now
        order = {key: value for key, value in job.items() if key not in OWN}
        state['upid'] = await self.start_dump({**order, 'job-id': name, 'quiet': 1}, 'root@pam')
