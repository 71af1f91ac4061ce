"""Restore (PVE::API2::Qemu create_vm with `archive`, PVE::QemuServer): what comes back, and what is refused."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import ApiError, Client, Lab, STORAGE
from test_vzdump import MIB, ready, write

RULE = {'type': 'in', 'action': 'ACCEPT', 'proto': 'tcp', 'dport': '22', 'source': '10.25.0.0/16', 'enable': 1}
UNKNOWN = 'pbs01:backup/vm/2019/2026-11-24T03:30:00Z'


async def backed_up(lab: Lab) -> str:
    """A guest with firewall rules and a backup of it; the backup's volume."""
    await ready(lab)
    await lab.call('PUT', '~/qemu/2019/firewall/options', enable=1, policy_in='DROP')
    await lab.call('POST', '~/qemu/2019/firewall/rules', **RULE)
    assert await lab.task('POST', '~/vzdump', vmid=2019, storage='pbs01') == 'OK'
    return str((await lab.call('GET', '~/storage/pbs01/content'))[0]['volid'])


def first_bytes(tmp_path: Path, image: Path, offset: int = 0) -> set[int]:
    """The different bytes in the MiB at an offset of an image."""
    raw = tmp_path / 'out.raw'
    subprocess.run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', str(image), str(raw)], check=True)
    with raw.open('rb') as data:
        data.seek(offset)
        return set(data.read(MIB))


def settled(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without what is new after each restore."""
    return {key: value for key, value in config.items() if key not in ('digest', 'vmgenid')}


async def test_a_lost_guest_comes_back(lab: Lab, client: Client, tmp_path: Path) -> None:
    archive = await backed_up(lab)
    before, firewall = await lab.config(), await lab.call('GET', '~/qemu/2019/firewall/rules')
    assert await lab.task('DELETE', '~/qemu/2019') == 'OK'
    upid = await lab.call('POST', '~/qemu', vmid=2019, archive=archive)
    assert (await lab.log(upid))[-1] == 'TASK OK' and upid.split(':')[5] == 'qmrestore'
    after = await lab.config()
    assert settled(after) == {key: value for key, value in settled(before).items() if key != 'scsi1'}
    assert after['vmgenid'] != before['vmgenid']
    assert after['scsi0'] == 'nvme-pool:vm-2019-disk-0,iothread=1,size=132G'
    image = lab.node.images.of('nvme-pool:vm-2019-disk-0')
    assert first_bytes(tmp_path, image) == {7} and first_bytes(tmp_path, image, 100 * 1024 * MIB) == {9}
    assert image.stat().st_blocks * 512 < 8 * MIB
    assert lab.node.images.of('nvme-pool:vm-2019-cloudinit').exists()
    assert await lab.call('GET', '~/qemu/2019/firewall/rules') == firewall
    assert (await lab.call('GET', '~/qemu/2019/firewall/options'))['policy_in'] == 'DROP'
    assert not list((lab.settings.state_dir / 'vzdump').iterdir())


async def test_force_overwrites_what_is_there(lab: Lab, client: Client, tmp_path: Path) -> None:
    """$restore_cleanup_oldconf: disks of the backup are replaced under their names, others stay, unused."""
    archive = await backed_up(lab)
    image = lab.node.images.of('nvme-pool:vm-2019-disk-0')
    write(image, 0, 1)
    await lab.call('PUT', '~/qemu/2019/config', memory=1024, description='changed')
    with pytest.raises(ApiError, match="unable to restore VM 2019 - VM 2019 already exists on node 'pve01'"):
        await lab.call('POST', '~/qemu', vmid=2019, archive=archive)
    assert await lab.task('POST', '~/qemu', vmid=2019, archive=archive, force=1) == 'OK'
    config = await lab.config()
    assert (config['description'], config['unused0']) == ('Docker host', 'nvme-pool:vm-2019-disk-1')
    assert config['scsi0'].startswith('nvme-pool:vm-2019-disk-0,') and 'memory' not in config
    assert first_bytes(tmp_path, image) == {7}


async def test_a_copy_beside_the_original(lab: Lab, client: Client) -> None:
    """`unique`: other hardware addresses; `storage`: other places; options besides the archive win."""
    archive = await backed_up(lab)
    assert await lab.task('POST', '~/qemu', vmid=9019, archive=archive, unique=1, storage='local-lvm',
                          name='drill', memory=2048) == 'OK'
    original, copy = await lab.config(), await lab.config(9019)
    assert (copy['name'], copy['memory']) == ('drill', '2048')
    assert copy['scsi0'].startswith('local-lvm:vm-9019-disk-0,')
    assert copy['ide2'].startswith('local-lvm:vm-9019-cloudinit,')
    for key in ('net0', 'smbios1', 'vmgenid'):
        assert copy[key] != original[key]
    assert copy['net0'].endswith(',bridge=vmbr0,firewall=1')


async def test_protection_and_a_running_guest(lab: Lab, client: Client) -> None:
    archive = await backed_up(lab)
    await lab.call('PUT', '~/qemu/2019/config', protection=1)
    order = {'vmid': 2019, 'archive': archive, 'force': 1}
    assert await lab.task('POST', '~/qemu', **order) == 'unable to restore VM 2019 - protection mode enabled'
    await lab.call('PUT', '~/qemu/2019/config', protection=0)
    vm = lab.pretend_running()
    assert await lab.task('POST', '~/qemu', **order) == 'unable to restore VM 2019 - vm is running'
    vm.status = vm.qmpstatus = 'stopped'
    assert vm.lock is None and vm.config['scsi0'].startswith('nvme-pool:vm-2019-disk-0')
    assert lab.node.images.of('nvme-pool:vm-2019-disk-0').exists()


async def test_a_backup_that_is_not_there(lab: Lab, client: Client) -> None:
    """As on PVE nothing is cleaned up after a failure; the guest was not touched yet, since nothing could be read."""
    await backed_up(lab)
    before = await lab.config()
    log = await lab.log(await lab.call('POST', '~/qemu', vmid=2019, archive=UNKNOWN, force=1))
    assert log[-1] == 'TASK ERROR: proxmox-backup-client failed: Error: snapshot ' \
        'vm/2019/2026-11-24T03:30:00Z does not exist'
    assert any(line.startswith('WARN: error before or during data restore') for line in log)
    assert await lab.config() == before and lab.node.images.of('nvme-pool:vm-2019-disk-0').exists()


async def test_data_that_cannot_be_read(lab: Lab, client: Client) -> None:
    """The volumes made are freed again, the rest of the guest is as PVE leaves it: an empty configuration."""
    archive = await backed_up(lab)
    client.fail(f"restore {archive.partition('/')[2]} drive-scsi0.img")
    assert 'connection refused' in await lab.task('POST', '~/qemu', vmid=2019, archive=archive, force=1)
    assert {key: x for key, x in (await lab.config()).items() if key != 'digest'} == {'memory': '128'}
    volumes = await lab.call('GET', '~/storage/nvme-pool/content')
    assert [item['volid'] for item in volumes] == ['nvme-pool:vm-2019-disk-1']
    assert not lab.node.images.of('nvme-pool:vm-2019-disk-0').exists()


async def test_a_storage_that_takes_no_disks(lab: Lab, client: Client) -> None:
    archive = await backed_up(lab)
    status = await lab.task('POST', '~/qemu', vmid=2019, archive=archive, force=1, storage='local')
    assert status == "Content type 'images' is not available on storage 'local'"
    assert lab.node.images.of('nvme-pool:vm-2019-disk-0').exists()


@pytest.mark.parametrize('params, status, message', [
    ({'archive': UNKNOWN, 'scsi0': 'nvme-pool:1'}, 400, 'Parameter verification failed'),
    ({'archive': UNKNOWN, 'live-restore': 1}, 501, 'live-restore'),
    ({'archive': '-'}, 500, 'pipe requires cli environment'), ({'archive': '/tmp/x.vma'}, 501, 'type pbs only'),
    ({'archive': 'pbs01:backup/vm/2019/yesterday'}, 500, 'unable to parse PBS volume name'),
    ({'archive': 'pbs02:backup/vm/2019/2026-11-24T03:30:00Z'}, 500, "storage 'pbs02' does not exist"),
    ({'archive': 'pbs01:backup/ct/2019/2026-11-24T03:30:00Z'}, 500, "unexpected backup format 'pbs-ct'")])
async def test_orders_that_are_refused(lab: Lab, client: Client, params: dict[str, Any], status: int,
                                       message: str) -> None:
    await lab.call('POST', '/storage', **STORAGE)
    with pytest.raises(ApiError, match=message) as caught:
        await lab.call('POST', '~/qemu', vmid=2019, **params)
    assert caught.value.status == status and lab.node.vms == []


def limited(*privileges: str) -> Any:
    return pytest.mark.settings(token={'id': 'automation@pve!pulumi', 'secret': '1', 'privileges': [*privileges]})


@limited('VM.Backup', 'Datastore.AllocateSpace', 'Sys.Audit')
async def test_permissions(lab: Lab, client: Client) -> None:
    """VM.Backup is enough to overwrite a guest, but not to make one."""
    lab.node.storages['pbs01'] = {**{key: STORAGE[key] for key in ('type', 'server', 'datastore', 'content')},
                                  'files': set()}
    lab.node.client.keep(lab.node.client.password_file('pbs01'), 'geheim')
    with pytest.raises(ApiError) as caught:
        await lab.call('POST', '~/qemu', vmid=2019, archive=UNKNOWN, force=1)
    assert caught.value.status == 403 and lab.node.vms == []
    lab.node.add_vm(2019, 'proj-docker02', node='pve01')
    assert 'does not exist' in await lab.task('POST', '~/qemu', vmid=2019, archive=UNKNOWN, force=1)


@limited('VM.Allocate', 'VM.Backup', 'Sys.Audit')
async def test_permission_for_the_storage(lab: Lab, client: Client) -> None:
    lab.node.storages['pbs01'] = {**{key: STORAGE[key] for key in ('type', 'server', 'datastore', 'content')},
                                  'files': set()}
    with pytest.raises(ApiError, match='Datastore.AllocateSpace'):
        await lab.call('POST', '~/qemu', vmid=2019, archive=UNKNOWN)
