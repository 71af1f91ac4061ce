"""Suspend to disk, with a guest whose whole program is a counter in memory."""

import asyncio
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Lab
from labpve.node import LabNode
from labpve.state import dump, load

pytestmark = pytest.mark.qemu
DISK = {'scsi0': 'nvme-pool:1,iothread=1', 'scsihw': 'virtio-scsi-single', 'memory': 512, 'boot': 'order=scsi0',
        'serial0': 'socket', 'net0': 'virtio,bridge=vmbr0', 'ipconfig0': 'ip=10.25.20.24/24'}
COUNTER = 0x600
# inc dword [0x600]; jmp back; the mark of a boot sector.
SECTOR = bytes.fromhex('66ff060006ebf9').ljust(510, b'\0') + b'\x55\xaa'


async def create(lab: Lab, directory: Path) -> None:
    """The VM 2019, whose disk has the program."""
    await lab.create(**DISK)
    raw = directory / 'sector'
    raw.write_bytes(SECTOR.ljust(1 << 20, b'\0'))
    image = lab.node.images.of('nvme-pool:vm-2019-disk-0')
    subprocess.run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, image], check=True)
    subprocess.run(['qemu-img', 'resize', '-q', '-f', 'qcow2', image, '1G'], check=True)


async def counted(lab: Lab, directory: Path) -> int:
    """How far the guest has counted."""
    found = directory / 'counted'
    await lab.node.machines[2019].execute('pmemsave', val=COUNTER, size=4, filename=str(found))
    return int.from_bytes(found.read_bytes(), 'little')


async def counted_to(lab: Lab, directory: Path, number: int) -> int:
    """Wait until the guest has counted that far."""
    for _ in range(1200):
        if (so_far := await counted(lab, directory)) >= number:
            return so_far
        await asyncio.sleep(0.05)
    raise AssertionError(f'no count of {number}')


async def test_goes_on_from_where_it_was_on_another_node(lab: Lab, tmp_path: Path) -> None:
    """PVE::QemuServer vm_suspend and vm_start_nolock. Here the node is another process, with other ports, by then."""
    await create(lab, tmp_path)
    assert await lab.task('POST', '~/qemu/2019/status/start') == 'OK'
    before = await counted_to(lab, tmp_path, 1_000_000)
    assert await lab.task('POST', '~/qemu/2019/status/suspend', todisk=1) == 'OK'
    status = await lab.call('GET', '~/qemu/2019/status/current')
    assert (status['status'], status['lock']) == ('stopped', 'suspended')
    memory = lab.node.paths(2019).file('memory')
    assert 0 < memory.stat().st_size < 512 * 1024 ** 2 and not lab.node.machines
    again = LabNode(replace(lab.settings, network=replace(lab.settings.network, forwards={})))
    load(again, dump(lab.node))
    lab.node.vms[:], lab.node.settings = again.vms, again.settings
    assert await lab.task('POST', '~/qemu/2019/status/start') == 'OK'
    assert await counted(lab, tmp_path) >= before
    status = await lab.call('GET', '~/qemu/2019/status/current')
    assert (status['status'], status['qmpstatus'], status.get('lock')) == ('running', 'running', None)
    assert not memory.exists() and 'lock' not in await lab.config()
    assert await lab.task('POST', '~/qemu/2019/status/suspend', todisk=1) == 'OK'


async def test_a_machine_that_was_changed_is_not_suspended_and_runs_on(lab: Lab, tmp_path: Path) -> None:
    await create(lab, tmp_path)
    await lab.task('POST', '~/qemu/2019/status/start')
    await lab.call('PUT', '~/qemu/2019/config', scsi1='nvme-pool:1')
    status = await lab.task('POST', '~/qemu/2019/status/suspend', todisk=1)
    assert status == 'VM 2019 has changed since it was started; restart it first'
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['qmpstatus'] == 'running'


async def test_memory_that_cannot_be_written_leaves_the_guest_running(lab: Lab, tmp_path: Path) -> None:
    await create(lab, tmp_path)
    await lab.task('POST', '~/qemu/2019/status/start')
    lab.node.paths(2019).file('memory').mkdir()
    assert (await lab.task('POST', '~/qemu/2019/status/suspend', todisk=1)) != 'OK'
    status = await lab.call('GET', '~/qemu/2019/status/current')
    assert (status['qmpstatus'], status.get('lock')) == ('running', None)


async def test_damaged_memory_fails_the_start_with_what_qemu_says(lab: Lab, tmp_path: Path) -> None:
    await create(lab, tmp_path)
    await lab.task('POST', '~/qemu/2019/status/start')
    await lab.task('POST', '~/qemu/2019/status/suspend', todisk=1)
    lab.node.paths(2019).file('memory').write_bytes(b'no memory')
    assert 'migration' in await lab.task('POST', '~/qemu/2019/status/start')
    status = await lab.call('GET', '~/qemu/2019/status/current')
    assert (status['status'], status['lock']) == ('stopped', 'suspended')
