"""With real QEMU processes, but no operating system in them: what power, disks and the node's end do."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import ApiError, Lab, SERVICE, TOKEN

pytestmark = pytest.mark.qemu
GIB = 1024 ** 3
DISK = {'scsi0': 'nvme-pool:1,iothread=1,ssd=1', 'scsihw': 'virtio-scsi-single', 'memory': 512, 'agent': 1,
        'serial0': 'socket', 'net0': 'virtio,bridge=vmbr0', 'ipconfig0': 'ip=10.25.20.24/24',
        'ide2': 'nvme-pool:cloudinit'}


def gone(pid: int) -> bool:
    """No such process, or one that has ended and only waits to be collected."""
    try:
        return Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()[0] in 'ZX'
    except OSError:
        return True


async def block_size(lab: Lab, device: str) -> int:
    machine = lab.node.machines[2019]
    blocks = {item['device']: item for item in await machine.execute('query-block')}
    return int(blocks[device]['inserted']['image']['virtual-size']) if device in blocks else 0


async def test_start_status_stop_destroy(lab: Lab) -> None:
    await lab.create(**DISK)
    assert await lab.task('POST', '~/qemu/2019/status/start') == 'OK'
    status = await lab.call('GET', '~/qemu/2019/status/current')
    assert (status['status'], status['qmpstatus']) == ('running', 'running')
    assert not gone(status['pid']) and status['mem'] > 1024 ** 2
    assert await lab.task('POST', '~/qemu/2019/status/start') == 'VM 2019 already running'
    with pytest.raises(ApiError, match='VM 2019 is running - destroy failed'):
        await lab.call('DELETE', '~/qemu/2019')
    assert await lab.task('POST', '~/qemu/2019/status/stop') == 'OK'
    assert gone(status['pid'])
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['status'] == 'stopped'
    assert await lab.task('DELETE', '~/qemu/2019') == 'OK'
    await asyncio.sleep(0.1)
    assert list(lab.settings.run_dir.iterdir()) == [] and list((lab.settings.state_dir / 'vm').iterdir()) == []


async def test_qemu_that_refuses_fails_the_task(lab: Lab) -> None:
    """PVE::QemuServer vm_start_nolock: `start failed: QEMU exited with code 1`; here with what QEMU said."""
    await lab.create(**DISK)
    lab.node.images.of('nvme-pool:vm-2019-disk-0').write_bytes(b'not an image')
    status = await lab.task('POST', '~/qemu/2019/status/start')
    assert status.startswith('start failed: QEMU exited with code 1: ') and 'qcow2' in status
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['status'] == 'stopped'


async def test_disk_grows_and_is_added_while_running(lab: Lab) -> None:
    await lab.create(**DISK)
    await lab.task('POST', '~/qemu/2019/status/start')
    assert await lab.task('PUT', '~/qemu/2019/resize', disk='scsi0', size='2G') == 'OK'
    assert await block_size(lab, 'drive-scsi0') == 2 * GIB
    await lab.call('PUT', '~/qemu/2019/config', scsi1='nvme-pool:3,iothread=1,discard=on')
    assert 'size=3G' in (await lab.config(current=1))['scsi1']
    assert await block_size(lab, 'drive-scsi1') == 3 * GIB


async def test_disk_is_added_to_a_running_q35(lab: Lab) -> None:
    await lab.create(**DISK, machine='q35')
    await lab.task('POST', '~/qemu/2019/status/start')
    for number in (1, 2):
        await lab.call('PUT', '~/qemu/2019/config', **{f'scsi{number}': 'nvme-pool:1,iothread=1'})
        assert await block_size(lab, f'drive-scsi{number}') == GIB


async def test_cores_wait_for_the_next_start(lab: Lab) -> None:
    await lab.create(**DISK, cores=1)
    await lab.task('POST', '~/qemu/2019/status/start')
    await lab.call('PUT', '~/qemu/2019/config', cores=3)
    assert len(await lab.node.machines[2019].execute('query-cpus-fast')) == 1
    await lab.task('POST', '~/qemu/2019/status/stop')
    await lab.task('POST', '~/qemu/2019/status/start')
    assert len(await lab.node.machines[2019].execute('query-cpus-fast')) == 3
    assert (await lab.config(current=1))['cores'] == 3


async def test_shutdown_of_a_guest_that_does_not_listen(lab: Lab) -> None:
    """PVE::QemuServer vm_shutdown."""
    await lab.create(**DISK)
    await lab.task('POST', '~/qemu/2019/status/start')
    status = await lab.task('POST', '~/qemu/2019/status/shutdown', timeout=1)
    assert status == 'VM quit/powerdown failed - got timeout'
    assert await lab.task('POST', '~/qemu/2019/status/shutdown', timeout=1, forceStop=1) == 'OK'
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['status'] == 'stopped'


async def test_guest_that_ends_by_itself_is_stopped(lab: Lab) -> None:
    await lab.create(**DISK)
    await lab.task('POST', '~/qemu/2019/status/start')
    os.kill(lab.node.machines[2019].pid, signal.SIGTERM)
    await lab.node.machines[2019].exited(10)
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['status'] == 'stopped'
    assert list(lab.settings.run_dir.iterdir()) == []


async def test_suspend_resume_reset(lab: Lab) -> None:
    await lab.create(**DISK)
    await lab.task('POST', '~/qemu/2019/status/start')
    assert await lab.task('POST', '~/qemu/2019/status/suspend') == 'OK'
    status = await lab.call('GET', '~/qemu/2019/status/current')
    assert (status['status'], status['qmpstatus']) == ('running', 'paused')
    assert await lab.task('POST', '~/qemu/2019/status/resume') == 'OK'
    assert await lab.task('POST', '~/qemu/2019/status/reset') == 'OK'
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['qmpstatus'] == 'running'


async def test_silent_agent(lab: Lab) -> None:
    """PVE::QemuServer::Agent assert_agent_available; the provider waits on exactly these words."""
    await lab.create(**DISK)
    await lab.task('POST', '~/qemu/2019/status/start')
    with pytest.raises(ApiError, match='QEMU guest agent is not running'):
        await lab.call('POST', '~/qemu/2019/agent/ping')


async def test_nics_are_on_the_switch_while_the_guest_runs(lab: Lab) -> None:
    for vmid in (2019, 2014):
        await lab.create(vmid, **DISK, net1='virtio,bridge=vmbr0,tag=30')
        assert await lab.task('POST', f'~/qemu/{vmid}/status/start') == 'OK'
    assert sorted(lab.node.switch.nics) == [(2014, 0), (2014, 1), (2019, 0), (2019, 1)]
    assert await lab.task('POST', '~/qemu/2019/status/stop') == 'OK'
    await asyncio.sleep(0.1)
    assert sorted(lab.node.switch.nics) == [(2014, 0), (2014, 1)]


@pytest.mark.settings(network={'cidr': '10.25.20.0/24', 'host': '10.25.20.1',
                               'forwards': {'2019': [{'guestPort': 22, 'hostPort': 18124}]}})
async def test_forward_that_is_taken_fails_the_start(lab: Lab) -> None:
    await lab.create(**DISK)
    server = await asyncio.start_server(lambda *_: None, '127.0.0.1', 18124)
    async with server:
        status = await lab.task('POST', '~/qemu/2019/status/start')
    assert 'Could not set up host forwarding rule' in status


async def test_start_on_create(lab: Lab) -> None:
    """PVE::API2::Qemu create_vm starts the VM with a task of its own."""
    await lab.create(**DISK, start=1)
    for _ in range(100):
        if (await lab.call('GET', '~/qemu/2019/status/current'))['status'] == 'running':
            return
        await asyncio.sleep(0.05)
    pytest.fail('the VM was not started')


class Process:
    """The node as a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        network = {'cidr': '10.25.20.0/24', 'host': '10.25.20.1', 'services': [SERVICE]}
        (directory / 'settings.json').write_text(json.dumps({
            'stateDir': str(directory / 'state'), 'runDir': str(directory / 'run'), 'token': TOKEN,
            'accelerator': 'tcg', 'network': network}), encoding='utf-8')
        self.process = subprocess.Popen([sys.executable, '-m', 'labpve', str(directory / 'settings.json')],
                                        cwd=Path(__file__).parents[1], stderr=subprocess.DEVNULL)
        self.ready: dict[str, Any] = {}
        for _ in range(200):
            if self.ready_file.exists():
                self.ready = json.loads(self.ready_file.read_text(encoding='utf-8'))
            if self.ready.get('pid') == self.process.pid:  # a killed node leaves its file
                break
            time.sleep(0.05)

    @property
    def ready_file(self) -> Path:
        return self.directory / 'state' / 'pve.json'

    def request(self, method: str, path: str, **params: Any) -> Any:
        """A call with curl's help, verified by the certificate the node wrote."""
        data = [arg for key, value in params.items() for arg in ('--data-urlencode', f'{key}={value}')]
        answer = subprocess.run(
            ['curl', '-sS', '--cacert', self.ready['certificate'], '-X', method, *data, '-H',
             f"Authorization: PVEAPIToken={TOKEN['id']}={TOKEN['secret']}",
             f"{self.ready['endpoint']}/api2/json/nodes/pve01{path}"], check=True, capture_output=True).stdout
        return json.loads(answer)['data']

    def run_vm(self) -> int:
        """Create and start a VM; its process id."""
        self.request('POST', '/qemu', vmid=2019, scsi0='nvme-pool:1', memory=512)
        for _ in range(200):
            config = self.request('GET', '/qemu/2019/config')
            if 'lock' not in config and 'scsi0' in config:
                break
            time.sleep(0.05)
        self.request('POST', '/qemu/2019/status/start')
        for _ in range(200):
            status = self.request('GET', '/qemu/2019/status/current')
            if status['status'] == 'running':
                return int(status['pid'])
            time.sleep(0.05)
        raise AssertionError('the VM did not start')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_guests_do_not_outlive_the_node(tmp_path: Path, number: signal.Signals) -> None:
    node = Process(tmp_path)
    assert node.ready['pid'] == node.process.pid and len(node.ready['fingerprint']) == 95
    pid = node.run_vm()
    time.sleep(0.7)  # the state is saved twice a second
    node.process.send_signal(number)
    node.process.wait(15)
    for _ in range(100):
        if gone(pid):
            break
        time.sleep(0.05)
    assert gone(pid)
    assert number == signal.SIGKILL or (not node.ready_file.exists() and not list((tmp_path / 'run').iterdir()))
    again = Process(tmp_path)
    try:
        assert again.request('GET', '/qemu/2019/status/current')['status'] == 'stopped'
        assert again.request('GET', '/qemu/2019/config')['scsi0'].startswith('nvme-pool:vm-2019-disk-0')
    finally:
        again.process.terminate()
        again.process.wait(15)
