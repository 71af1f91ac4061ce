"""vzdump of guests that do not run, and everything about a backup but a running guest's disks (test_qemu_backup.py)."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from conftest import ApiError, Client, Lab, STORAGE

MIB = 1024 ** 2
GUEST = {'scsi0': 'nvme-pool:132,iothread=1', 'scsi1': 'nvme-pool:1,backup=0', 'ide2': 'nvme-pool:cloudinit',
         'net0': 'virtio,bridge=vmbr0,firewall=1', 'ciuser': 'ubuntu', 'description': 'Docker host'}


def write(image: Path, offset: int, pattern: int, length: str = '1M') -> None:
    """Write a pattern into an image, as a guest would."""
    subprocess.run(['qemu-io', '-f', 'qcow2', '-c', f'write -P {pattern} {offset} {length}', str(image)], check=True,
                   stdout=subprocess.DEVNULL)


async def ready(lab: Lab) -> Path:
    """A guest with 2 MiB of data on 132 GiB, and the storage; the image of its first disk."""
    await lab.call('POST', '/storage', **STORAGE)
    await lab.create(**GUEST)
    image = lab.node.images.of('nvme-pool:vm-2019-disk-0')
    write(image, 0, 7)
    write(image, 100 * 1024 * MIB, 9)
    return image


def backups(client: Client, vmid: int = 2019) -> list[Path]:
    return sorted((client.directory / 'store' / 'vm' / str(vmid)).glob('*'))


async def test_a_stopped_guest(lab: Lab, client: Client) -> None:
    await ready(lab)
    upid = await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01', mode='snapshot')
    log = await lab.log(upid)
    assert upid.split(':')[5:7] == ['vzdump', '2019']
    for line in ('INFO: starting new backup job: vzdump 2019 --mode snapshot --storage pbs01',
                 'INFO: Starting Backup of VM 2019 (qemu)', 'INFO: status = stopped', 'INFO: backup mode: stop',
                 "INFO: include disk 'scsi0' 'nvme-pool:vm-2019-disk-0' 132G",
                 "INFO: exclude disk 'scsi1' 'nvme-pool:vm-2019-disk-1' (backup=no)",
                 'INFO: Backup job finished successfully', 'TASK OK'):
        assert line in log
    made = backups(client)[0]
    assert sorted(path.name for path in made.iterdir()) == ['.meta', 'drive-scsi0.img', 'qemu-server.conf']
    image = made / 'drive-scsi0.img'
    assert image.stat().st_size == 132 * 1024 * MIB and image.stat().st_blocks * 512 < 4 * MIB
    with image.open('rb') as data:
        assert set(data.read(MIB)) == {7}
        data.seek(100 * 1024 * MIB)
        assert set(data.read(MIB)) == {9}
    argv = client.calls('backup')[0]['argv']
    assert argv[:4] == ['backup', '--crypt-mode', 'none', '--backup-type'] and '--backup-id' in argv
    assert not list((lab.settings.state_dir / 'vzdump').iterdir())
    vm = lab.node.vm(2019)
    assert vm and vm.lock is None and 'lock' not in await lab.config()


async def test_a_guest_without_disks(lab: Lab, client: Client) -> None:
    await lab.call('POST', '/storage', **STORAGE)
    await lab.create()
    log = await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01'))
    assert log[-1] == 'TASK OK' and 'INFO: backup contains no disks' in log
    assert [path.name for path in backups(client)[0].glob('[!.]*')] == ['qemu-server.conf']


async def test_the_key_is_used(lab: Lab, client: Client) -> None:
    await ready(lab)
    await lab.call('PUT', '/storage/pbs01', **{'encryption-key': json.dumps({'data': 'AAAA'})})
    assert 'INFO: enabling encryption' in await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01'))
    argv = client.calls('backup')[0]['argv']
    assert argv[1:5] == ['--crypt-mode', 'encrypt', '--keyfile', str(lab.node.client.key_file('pbs01'))]
    assert (await lab.call('GET', '~/storage/pbs01/content'))[0]['encrypted'] == '1'


async def test_notes_protection_and_configuration(lab: Lab, client: Client) -> None:
    await ready(lab)
    order = {'notes-template': r'{{guestname}} ({{vmid}}) on {{node}} of {{cluster}}\nnightly', 'protected': 1}
    assert await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01', **order) == 'OK'
    item = (await lab.call('GET', '~/storage/pbs01/content'))[0]
    assert (item['notes'], item['protected']) == ('proj-docker02 (2019) on pve01 of pve01\nnightly', 1)
    text = await lab.call('GET', '~/vzdump/extractconfig', volume=item['volid'])
    assert '#Docker host\n' in text and '#qmdump#map:scsi0:drive-scsi0:nvme-pool:raw:\n' in text


async def test_retention(lab: Lab, client: Client) -> None:
    """The request's prune-backups, else the storage's; protected backups do not count; remove=0 makes it a limit."""
    await ready(lab)
    await lab.call('PUT', '/storage/pbs01', **{'prune-backups': 'keep-last=2'})
    for day in (1, 2, 3):
        client.add(f'vm/2019/2026-01-0{day}T03:30:00Z', qemu_server__conf=b'1')
    status = await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01', remove=0)
    assert status == 'job errors' and len(backups(client)) == 3
    log = await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01'))
    assert 'INFO: pruned 2 backup(s) not covered by keep-retention policy' in log
    assert [path.name[:10] for path in backups(client)][0] == '2026-01-03' and len(backups(client)) == 2
    lab.later(60)
    order = {'vmid': 2019, 'storage': 'pbs01', 'prune-backups': 'keep-daily=30,keep-last=1'}
    assert 'INFO: prune older backups with retention: keep-daily=30, keep-last=1' in await lab.log(
        await lab.call('POST', '~/vzdump', **order))
    assert client.calls('prune')[-1]['argv'][:6] == ['prune', 'vm/2019', '--keep-daily', '30', '--keep-last', '1']


async def test_several_guests_and_one_that_fails(lab: Lab, client: Client) -> None:
    """exec_backup: `job errors`; the others are backed up."""
    await ready(lab)
    await lab.create(2014, scsi0='nvme-pool:1')
    await lab.call('POST', '/pools', poolid='docker')
    await lab.call('PUT', '/pools/docker', vms='2014')
    upid = await lab.call('POST', '~/vzdump', vmid='2019,2014,777', storage='pbs01')
    log = await lab.log(upid)
    assert "ERROR: Backup of VM 777 failed - unable to find VM '777'" in log
    assert log[-1] == 'TASK ERROR: job errors' and 'INFO: Backup job finished with errors' in log
    assert len(backups(client)) == len(backups(client, 2014)) == 1
    lab.later(60)  # a backup's name is its second
    assert await lab.task('POST', '~/vzdump', pool='docker', storage='pbs01') == 'OK'
    assert (len(backups(client)), len(backups(client, 2014))) == (1, 2)
    lab.later(60)
    assert await lab.task('POST', '~/vzdump', all=1, exclude='2014', storage='pbs01') == 'OK'
    assert (len(backups(client)), len(backups(client, 2014))) == (2, 2)


async def test_a_client_that_fails_fails_the_task(lab: Lab, client: Client) -> None:
    await ready(lab)
    client.fail('backup')
    log = await lab.log(await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01'))
    assert 'ERROR: Backup of VM 2019 failed - proxmox-backup-client failed: Error: backup: connection refused' in log
    assert log[-1] == 'TASK ERROR: job errors' and lab.node.vm(2019).lock is None  # type: ignore[union-attr]
    assert not list((lab.settings.state_dir / 'vzdump').iterdir())


async def test_without_the_storage(lab: Lab, client: Client) -> None:
    await lab.create(**GUEST)
    status = await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01')
    assert status == "could not activate storage 'pbs01': storage 'pbs01' does not exist"
    status = await lab.task('POST', '~/vzdump', vmid=2019, storage='local')
    assert status == "could not activate storage 'local': the lab backs up to storages of type pbs only"


async def test_a_guest_is_locked_meanwhile(lab: Lab, client: Client) -> None:
    """PVE::VZDump lock_vm; and a second vzdump waits for the first (getlock)."""
    await ready(lab)
    (client.directory / 'hold').touch()
    first = await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01')
    while not client.calls('backup'):
        await asyncio.sleep(0.02)
    second = await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01')
    assert (await lab.config())['lock'] == 'backup'
    assert await lab.task('POST', '~/qemu/2019/status/start') == 'VM is locked (backup)'
    await asyncio.sleep(1)
    assert len(client.calls('backup')) == 1
    (client.directory / 'hold').unlink()
    await lab.log(first)
    assert 'INFO: got global lock' in await lab.log(second)
    assert len(client.calls('backup')) == 2


@pytest.mark.parametrize('params, status, field', [
    ({}, 400, 'vmid'), ({'vmid': 2019, 'all': 1}, 400, 'all'), ({'vmid': 2019, 'exclude': 1}, 400, 'exclude'),
    ({'vmid': 2019, 'prune-backups': 'keep-hours=3'}, 400, 'prune-backups'),
    ({'vmid': 2019, 'prune-backups': 'keep-all=1,keep-last=3'}, 400, 'prune-backups'),
    ({'vmid': 2019, 'notes-template': '{{hostname}}'}, 400, 'notes-template'),
    ({'vmid': 2019, 'notes-template': r'\t'}, 400, 'notes-template'),
    ({'vmid': 2019, 'fleecing': 'enabled=1'}, 400, 'fleecing'),
    ({'vmid': 2019, 'stdout': 1}, 400, 'stdout'), ({'vmid': 2019, 'tmpdir': '/tmp'}, 400, 'tmpdir'),
    ({'vmid': 2019, 'stop': 1}, 501, None), ({'vmid': 2019, 'exclude-path': '/x'}, 501, None)])
async def test_orders_that_are_refused(lab: Lab, client: Client, params: dict[str, object], status: int,
                                       field: str | None) -> None:
    with pytest.raises(ApiError) as caught:
        await lab.call('POST', '~/vzdump', storage='pbs01', **params)
    assert caught.value.status == status and (field is None or list(caught.value.errors) == [field])
    assert lab.node.tasks == {}


@pytest.mark.settings(token={'id': 'automation@pve!pulumi', 'secret': '1',
                             'privileges': ['VM.Allocate', 'Datastore.AllocateSpace', 'Sys.Audit']})
async def test_permissions(lab: Lab, client: Client) -> None:
    """VM.Backup on the guest, in the task; Datastore.Allocate to say what is pruned, before it."""
    lab.node.add_vm(2019, 'proj-docker02', node='pve01')
    with pytest.raises(ApiError, match='Datastore.Allocate'):
        await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01', **{'prune-backups': 'keep-last=1'})
    with pytest.raises(ApiError, match='Sys.Modify'):
        await lab.call('POST', '~/vzdump', vmid=2019, storage='pbs01', bwlimit=1)
    lab.node.storages['pbs01'] = {**{key: STORAGE[key] for key in ('type', 'server', 'datastore', 'content')},
                                  'files': set()}
    lab.node.client.keep(lab.node.client.password_file('pbs01'), 'geheim')
    status = await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01')
    assert status == 'Permission check failed (/vms/2019, VM.Backup)'
