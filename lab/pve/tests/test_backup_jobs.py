"""Backup jobs that run (PVE::API2::Backup, PVE::Jobs): when, how often, and with what."""

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import ApiError, Client, Lab, settings_for
from labpve import scheduler
from labpve.node import LabNode
from labpve.state import dump, load
from test_vzdump import backups, ready

JOB = {'id': 'docker02', 'schedule': '03:30', 'storage': 'pbs01', 'vmid': '2019', 'mode': 'snapshot',
       'prune-backups': 'keep-daily=2', 'notes-template': '{{guestname}}'}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, 'INTERVAL', 0.05)


def until(hour: int, minute: int) -> int:
    """Seconds to that time of the day, the next day if it is past; and one more."""
    now = datetime.now()
    then = now.replace(hour=hour, minute=minute, second=1, microsecond=0)
    return int(((then if then > now else then + timedelta(days=1)) - now).total_seconds()) + 1


async def dumps(lab: Lab, number: int) -> list[dict[str, Any]]:
    """Wait for that many vzdump tasks to end, and a little longer; the tasks."""
    for _ in range(200):
        found = [task for task in await lab.call('GET', '~/tasks') if task['type'] == 'vzdump']
        if len([task for task in found if 'status' in task]) >= number:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.4)
    return [task for task in await lab.call('GET', '~/tasks') if task['type'] == 'vzdump']


async def test_a_job_fires_once_when_its_time_comes(lab: Lab, client: Client) -> None:
    await ready(lab)
    await lab.call('POST', '/cluster/backup', **JOB)
    next_run = (await lab.call('GET', '/cluster/backup'))[0]['next-run']
    assert time.strftime('%H:%M:%S', time.localtime(next_run)) == '03:30:00' and 0 < next_run - time.time() <= 86400
    assert await dumps(lab, 0) == []
    lab.later(until(3, 30))
    tasks = await dumps(lab, 1)
    assert [(task['status'], task['id'], task['user']) for task in tasks] == [('OK', '2019', 'root@pam')]
    assert (await lab.call('GET', '/cluster/backup'))[0]['next-run'] == next_run + 86400
    item = (await lab.call('GET', '~/storage/pbs01/content'))[0]
    assert item['notes'] == 'proj-docker02' and 0 <= item['ctime'] - next_run < 10
    for day in range(3):
        lab.later(86400)
        assert len(await dumps(lab, day + 2)) == day + 2
    assert len(backups(client)) == 2  # keep-daily=2


async def test_a_long_jump_is_one_run(lab: Lab, client: Client) -> None:
    await ready(lab)
    await lab.call('POST', '/cluster/backup', **JOB)
    lab.later(10 * 86400)
    assert len(await dumps(lab, 1)) == 1


async def test_a_job_does_not_overlap_itself(lab: Lab, client: Client) -> None:
    await ready(lab)
    await lab.call('POST', '/cluster/backup', **JOB)
    (client.directory / 'hold').touch()
    lab.later(86400)
    while not client.calls('backup'):
        await asyncio.sleep(0.05)
    lab.later(2 * 86400)
    await asyncio.sleep(0.4)
    assert len([task for task in lab.node.tasks.values() if task['type'] == 'vzdump']) == 1
    (client.directory / 'hold').unlink()
    assert len(await dumps(lab, 2)) == 2  # what was missed meanwhile is one run


async def test_disabled_changed_and_deleted_jobs(lab: Lab, client: Client) -> None:
    """detect_changed_runtime_props: after a change only times from then on count."""
    await ready(lab)
    await lab.call('POST', '/cluster/backup', **JOB, enabled=0)
    lab.later(86400)
    assert await dumps(lab, 0) == []
    await lab.call('PUT', '/cluster/backup/docker02', enabled=1)
    assert await dumps(lab, 0) == []
    await lab.call('PUT', '/cluster/backup/docker02', schedule='sun 03:00')
    await lab.call('DELETE', '/cluster/backup/docker02')
    lab.later(7 * 86400)
    assert await dumps(lab, 0) == []


async def test_a_job_that_fails_is_a_failed_task(lab: Lab, client: Client) -> None:
    await ready(lab)
    await lab.call('POST', '/cluster/backup', **JOB)
    client.fail('backup')
    lab.later(86400)
    assert [task['status'] for task in await dumps(lab, 1)] == ['job errors']


@pytest.mark.parametrize('repeat, runs', [(0, 0), (1, 1)])
async def test_what_the_node_missed(tmp_path: Path, certificates: tuple[str, str], client: Client, repeat: int,
                                    runs: int) -> None:
    """`repeat-missed`: a run whose time passed while the node was down is made up for."""
    async with Lab(settings_for(tmp_path), certificates) as lab:
        await ready(lab)
        await lab.call('POST', '/cluster/backup', **JOB, **{'repeat-missed': repeat})
        state = dump(lab.node)
    lab.later(86400)
    again = Lab(settings_for(tmp_path), certificates)
    load(again.node, state)
    async with again:
        assert len(await dumps(again, runs)) == runs


@pytest.mark.parametrize('change, field', [
    ({'schedule': 'hourly'}, 'schedule'), ({'schedule': '2026-11-24 03:30'}, 'schedule'),
    ({'vmid': '', 'schedule': '03:30'}, 'vmid'), ({'notes-template': '{{host}}'}, 'notes-template'),
    ({'prune-backups': 'keep=1'}, 'prune-backups'), ({'node': 'pve02'}, 'node'),
    ({'starttime': '03:30'}, 'starttime')])
async def test_jobs_that_are_refused(lab: Lab, change: dict[str, str], field: str) -> None:
    with pytest.raises(ApiError) as caught:
        await lab.call('POST', '/cluster/backup', **{**JOB, **change})
    assert caught.value.status == 400 and list(caught.value.errors) == [field]
    assert await lab.call('GET', '/cluster/backup') == []


async def test_starttime_and_days(lab: Lab) -> None:
    """$convert_to_schedule."""
    job = {key: value for key, value in JOB.items() if key != 'schedule'}
    await lab.call('POST', '/cluster/backup', **job, starttime='03:30', dow='sat,sun')
    assert (await lab.call('GET', '/cluster/backup/docker02'))['schedule'] == 'sat,sun 03:30'
    await lab.call('PUT', '/cluster/backup/docker02', starttime='04:00')
    assert (await lab.call('GET', '/cluster/backup/docker02'))['schedule'] == '04:00'


async def test_a_job_that_cannot_start_leaves_the_others(lab: Lab, client: Client) -> None:
    """A job whose pool is gone has no task, as on PVE."""
    await ready(lab)
    await lab.call('POST', '/pools', poolid='docker')
    pool = {key: value for key, value in JOB.items() if key != 'vmid'}
    await lab.call('POST', '/cluster/backup', **{**pool, 'id': 'another', 'pool': 'docker'})
    await lab.call('POST', '/cluster/backup', **JOB)
    await lab.call('DELETE', '/pools/docker')
    lab.later(86400)
    assert [task['status'] for task in await dumps(lab, 1)] == ['OK']


async def test_runs_survive(lab: Lab, client: Client, tmp_path: Path) -> None:
    await lab.call('POST', '/cluster/backup', **JOB)
    fresh = LabNode(settings_for(tmp_path))
    load(fresh, dump(lab.node))
    assert fresh.backup_runs == lab.node.backup_runs != {}


async def test_a_job_shows_its_fleecing_taken_apart(lab: Lab, client: Client) -> None:
    """PVE::API2::Backup read_job parses the property string; the provider expects an object."""
    await ready(lab)
    await lab.call('POST', '/cluster/backup', **JOB, fleecing='enabled=1,storage=nvme-pool')
    job = await lab.call('GET', '/cluster/backup/docker02')
    assert job['fleecing'] == {'enabled': '1', 'storage': 'nvme-pool'}
