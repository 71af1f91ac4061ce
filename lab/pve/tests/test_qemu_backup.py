"""Backups of guests that run: what QEMU copies is what was on the disks at one moment, whatever is written since."""

import asyncio
import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from conftest import Client, Lab, STORAGE
from labpve.diskcopy import RunningCopy
from labpve.qmp import MonitorError
from test_vzdump import MIB, backups

pytestmark = pytest.mark.qemu
GUEST = {'scsi0': 'nvme-pool:132,iothread=1,discard=on', 'scsi1': 'nvme-pool:2,iothread=1', 'memory': 512, 'agent': 1,
         'scsihw': 'virtio-scsi-single', 'ide2': 'nvme-pool:cloudinit', 'net0': 'virtio,bridge=vmbr0'}
FAR = 100 * 1024 * MIB


async def guest_writes(lab: Lab, pattern: int, disk: str = 'scsi0', offset: int = 0) -> None:
    """Write a MiB as the guest's device would: through QEMU's block layer."""
    await lab.node.machines[2019].monitor.human(f'qemu-io drive-{disk} "write -P {pattern} {offset} 1M"')


async def running(lab: Lab) -> None:
    await lab.call('POST', '/storage', **STORAGE)
    await lab.create(**GUEST)
    assert await lab.task('POST', '~/qemu/2019/status/start') == 'OK'
    for disk, offset in (('scsi0', 0), ('scsi0', FAR), ('scsi1', 0)):
        await guest_writes(lab, 1, disk, offset)


def content(image: Path, offset: int = 0) -> set[int]:
    with image.open('rb') as data:
        data.seek(offset)
        return set(data.read(MIB))


async def raw_content(lab: Lab, directory: Path, volume: str) -> set[int]:
    await lab.node.images.convert(lab.node.images.of(volume), directory / 'now.raw')
    return content(directory / 'now.raw')


def checksum(image: Path) -> str:
    """Of the parts of a sparse file that hold data, and where they are; blocks of zeros count as none."""
    digest = hashlib.sha256()
    with image.open('rb') as data:
        end, position = os.fstat(data.fileno()).st_size, 0
        while position < end:
            try:
                position = os.lseek(data.fileno(), position, os.SEEK_DATA) // MIB * MIB
            except OSError:
                break
            data.seek(position)
            block = data.read(MIB)
            if any(block):
                digest.update(position.to_bytes(8, 'big') + block)
            position += MIB
        digest.update(end.to_bytes(8, 'big'))
    return digest.hexdigest()


async def left_in_qemu(lab: Lab) -> list[str]:
    machine = lab.node.machines[2019]
    nodes = [node['node-name'] for node in await machine.execute('query-named-block-nodes')]
    return [name for name in nodes if name.startswith('vzdump')] + await machine.execute('query-jobs')


def writes_after_the_start(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    """The guest overwrites everything as soon as the copies have begun."""
    begin = RunningCopy.start

    async def start(self: RunningCopy) -> None:
        await begin(self)
        for disk, offset in (('scsi1', 0), ('scsi0', FAR), ('scsi0', 0), ('scsi0', MIB)):
            await guest_writes(lab, 2, disk, offset)
    monkeypatch.setattr(RunningCopy, 'start', start)


async def test_point_in_time_and_restore(lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch,
                                         tmp_path: Path) -> None:
    await running(lab)
    writes_after_the_start(monkeypatch, lab)
    log = await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01', mode='snapshot'))
    assert log[-1] == 'TASK OK' and 'INFO: backup mode: snapshot' in log
    assert 'INFO: skipping guest filesystem freeze - agent configured but not running?' in log
    assert await left_in_qemu(lab) == []
    made = backups(client)[0]
    first, second = made / 'drive-scsi0.img', made / 'drive-scsi1.img'
    assert content(first) == content(first, FAR) == content(second) == {1}
    assert content(first, MIB) == {0} and first.stat().st_size == 132 * 1024 * MIB
    assert sum(image.stat().st_blocks * 512 for image in (first, second)) < 16 * MIB

    assert await lab.task('POST', '~/qemu/2019/status/stop') == 'OK'
    assert await raw_content(lab, tmp_path, 'nvme-pool:vm-2019-disk-0') == {2}  # what is overwritten by the restore
    archive = (await lab.call('GET', '~/storage/pbs01/content'))[0]['volid']
    assert await lab.task('POST', '~/qemu', vmid=2019, archive=archive, force=1) == 'OK'
    for disk, image in (('scsi0', first), ('scsi1', second)):
        volume = (await lab.config(current=1))[disk].split(',')[0]
        raw = tmp_path / f'{disk}.raw'
        await lab.node.images.convert(lab.node.images.of(volume), raw)
        assert checksum(raw) == checksum(image)
    assert await lab.task('POST', '~/qemu', vmid=2019, archive=archive, force=1, start=1) == 'OK'
    for _ in range(100):
        if (await lab.call('GET', '~/qemu/2019/status/current'))['status'] == 'running':
            return
        await asyncio.sleep(0.05)
    pytest.fail('the restored guest does not run')


class Agent:
    """A guest agent that notes what it is asked, between the states of the copy."""

    def __init__(self, refuse: str = '') -> None:
        self.asked: list[str] = []
        self._refuse = refuse

    async def ask(self, command: str, *_: Any, **__: Any) -> Any:
        self.asked.append(command)
        if command == self._refuse:
            raise MonitorError('cannot freeze')
        return 1


@pytest.mark.parametrize('refuse', ['', 'guest-fsfreeze-freeze'])
async def test_file_systems_are_frozen_for_the_start(lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch,
                                                     refuse: str) -> None:
    """qga_fs_freeze: thawed in any case, and a refusal does not end the backup."""
    await running(lab)
    agent = lab.node.machines[2019].agent = Agent(refuse)  # type: ignore[assignment]
    begin = RunningCopy.start

    async def start(self: RunningCopy) -> None:
        agent.asked.append('start')
        await begin(self)
    monkeypatch.setattr(RunningCopy, 'start', start)
    log = await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01'))
    assert log[-1] == 'TASK OK' and ("ERROR: guest-fsfreeze-freeze: cannot freeze" in log) == bool(refuse)
    assert agent.asked == ['guest-ping', 'guest-fsfreeze-freeze', 'start', 'guest-fsfreeze-thaw']


async def test_suspend_and_stop_modes(lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """suspend: paused for the start only. stop: shut down, copied and started again."""
    await running(lab)
    states, begin = [], RunningCopy.start

    async def start(self: RunningCopy) -> None:
        states.append((await lab.node.machines[2019].execute('query-status'))['status'])
        await begin(self)
    monkeypatch.setattr(RunningCopy, 'start', start)
    assert await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01', mode='suspend') == 'OK'
    assert states == ['paused']
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['qmpstatus'] == 'running'

    async def shutdown(vm: Any, _params: Any) -> None:  # the guest has no operating system that could
        await lab.node.machine(vm).quit()
    monkeypatch.setattr(lab.node, '_powerdown', shutdown)
    pid = lab.node.machines[2019].pid
    lab.later(60)
    log = await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01', mode='stop'))
    assert log[-1] == 'TASK OK' and 'INFO: stopping virtual guest' in log and 'INFO: restarting vm' in log
    assert lab.node.machines[2019].pid != pid and lab.node.vm(2019).status == 'running'  # type: ignore[union-attr]
    assert content(backups(client)[1] / 'drive-scsi1.img') == {1}


async def test_failures_leave_nothing(lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await running(lab)
    client.fail('backup')
    assert await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01') == 'job errors'
    assert await left_in_qemu(lab) == [] and lab.node.vm(2019).lock is None  # type: ignore[union-attr]
    client.fail('')

    async def dies(self: RunningCopy, _log: Any) -> None:
        os.kill(lab.node.machines[2019].pid, signal.SIGKILL)
        await lab.node.machines[2019].exited(10)
        await self._jobs()
    monkeypatch.setattr(RunningCopy, 'finish', dies)
    assert await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01') == 'job errors'
    vm = lab.node.vm(2019)
    assert vm and (vm.lock, vm.status) == (None, 'stopped')
    assert not list((lab.settings.state_dir / 'vzdump').iterdir())


async def test_a_copy_that_cannot_be_written(lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's own error is the task's; the guest goes on."""
    await running(lab)
    prepare = RunningCopy.prepare

    async def too_small(self: RunningCopy) -> None:
        await prepare(self)
        os.truncate(self._disks[1].target, MIB)
        await lab.node.machines[2019].execute('blockdev-del', **{'node-name': 'vzdump-scsi1'})  # type: ignore[arg-type]
    monkeypatch.setattr(RunningCopy, 'prepare', too_small)
    log = await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01'))
    assert log[-1] == 'TASK ERROR: job errors' and any('vzdump-scsi1' in line for line in log)
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['qmpstatus'] == 'running'
