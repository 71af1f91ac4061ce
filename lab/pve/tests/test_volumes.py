"""Disks: names, sizes and files. What fakepve 0.5.0 does differently from PVE is named in each test."""

import json
import subprocess
from pathlib import Path

import pytest

from conftest import ApiError, Lab

GIB = 1024 ** 3


def virtual_size(path: Path) -> int:
    text = subprocess.run(['qemu-img', 'info', '--output=json', str(path)], check=True, capture_output=True).stdout
    return int(json.loads(text)['virtual-size'])


def put_image(lab: Lab, name: str = 'noble.qcow2', size: str = '3G') -> Path:
    """An image in `local:import/`, as a download leaves it."""
    path = lab.node.images.of('local:import/' + name)
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', str(path), size], check=True)
    lab.node.storages['local']['volumes']['import/' + name] = {
        'content': 'import', 'format': 'qcow2', 'size': path.stat().st_size, 'virtual-size': 3 * GIB, 'ctime': 0}
    return path


async def test_cloudinit_volume_is_named_after_what_it_is(lab: Lab) -> None:
    """PVE::API2::Qemu create_disks: vm-<id>-cloudinit; fakepve: vm-<id>-disk-0. The provider looks for the name."""
    await lab.create(ide2='nvme-pool:cloudinit', scsi0='nvme-pool:4')
    config = await lab.config()
    assert config['ide2'] == 'nvme-pool:vm-2019-cloudinit,media=cdrom,size=4M'
    assert config['scsi0'].startswith('nvme-pool:vm-2019-disk-0,')


async def test_import_leaves_the_volume_in_the_config(lab: Lab) -> None:
    """PVE::QemuServer::ImportDisk: `import-from` is an order, not a setting; fakepve keeps it, with size=0."""
    put_image(lab)
    await lab.create(scsi0='file=nvme-pool:0,import-from=local:import/noble.qcow2,size=141733920768,ssd=1')
    assert (await lab.config())['scsi0'] == 'nvme-pool:vm-2019-disk-0,size=3G,ssd=1'
    assert virtual_size(lab.node.images.of('nvme-pool:vm-2019-disk-0')) == 3 * GIB


async def test_import_of_a_missing_image_fails_and_leaves_no_vm(lab: Lab) -> None:
    status = await lab.task('POST', '~/qemu', vmid=2019, scsi0='nvme-pool:0,import-from=local:import/no.qcow2')
    assert status == "unable to create VM 2019 - volume 'local:import/no.qcow2' does not exist"
    assert await lab.call('GET', '~/qemu') == []


async def test_import_needs_the_special_syntax(lab: Lab) -> None:
    """PVE::API2::Qemu check_storage_access: a size other than 0 contradicts an import."""
    put_image(lab)
    with pytest.raises(ApiError, match='special syntax'):
        await lab.call('POST', '~/qemu', vmid=2019, scsi0='nvme-pool:9,import-from=local:import/noble.qcow2')


async def test_declared_size_shows_after_resize(lab: Lab) -> None:
    """PVE::API2::Qemu resize_vm; in fakepve a task without effect. The provider sends bytes, without a unit."""
    put_image(lab)
    await lab.create(scsi0='nvme-pool:0,import-from=local:import/noble.qcow2')
    assert await lab.task('PUT', '~/qemu/2019/resize', disk='scsi0', size=str(132 * GIB)) == 'OK'
    assert 'size=132G' in (await lab.config())['scsi0']
    assert virtual_size(lab.node.images.of('nvme-pool:vm-2019-disk-0')) == 132 * GIB
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['maxdisk'] == 132 * GIB
    assert await lab.task('PUT', '~/qemu/2019/resize', disk='scsi0', size='+2G') == 'OK'
    assert 'size=134G' in (await lab.config())['scsi0']


async def test_shrinking_is_refused(lab: Lab) -> None:
    """PVE::API2::Qemu resize_vm."""
    await lab.create(scsi0='nvme-pool:4')
    assert await lab.task('PUT', '~/qemu/2019/resize', disk='scsi0', size='1G') == 'shrinking disks is not supported'
    assert 'size=4G' in (await lab.config())['scsi0']


@pytest.mark.parametrize('disk, message', [('scsi7', "disk 'scsi7' does not exist"),
                                           ('ide2', "you can't resize a cdrom")])
async def test_resize_of_what_cannot_be(lab: Lab, disk: str, message: str) -> None:
    """PVE::API2::Qemu resize_vm."""
    await lab.create(ide2='nvme-pool:cloudinit', scsi0='nvme-pool:1')
    with pytest.raises(ApiError, match=message):
        await lab.call('PUT', '~/qemu/2019/resize', disk=disk, size='9G')


async def test_size_without_unit_is_bytes(lab: Lab) -> None:
    """PVE::JSONSchema::parse_size; fakepve reads gigabytes, which breaks what a clone's status says."""
    await lab.create(scsi0='nvme-pool:1')
    vm = lab.node.vm(2019)
    assert vm
    vm.config['scsi0'] = 'nvme-pool:vm-2019-disk-0,size=1073741824'
    assert (await lab.call('GET', '~/qemu/2019/status/current'))['maxdisk'] == GIB


async def test_clone_copies_disks_and_gets_its_own_cloudinit(lab: Lab) -> None:
    """PVE::QemuServer::clone_disk; fakepve lets the clone share the source's cloud-init volume."""
    await lab.create(ide2='nvme-pool:cloudinit', scsi0='nvme-pool:2', scsi1='nvme-pool:3')
    assert await lab.task('POST', '~/qemu/2019/clone', newid=2014, name='proj-docker01', full=1) == 'OK'
    config = await lab.config(2014)
    assert config['ide2'] == 'nvme-pool:vm-2014-cloudinit,media=cdrom,size=4M'
    assert virtual_size(lab.node.images.of(config['scsi1'].split(',')[0])) == 3 * GIB
    assert await lab.task('PUT', '~/qemu/2014/resize', disk='scsi1', size='5G') == 'OK'
    assert virtual_size(lab.node.images.of('nvme-pool:vm-2019-disk-1')) == 3 * GIB


async def test_a_disk_added_to_a_clone_later_is_empty(lab: Lab) -> None:
    await lab.create(scsi0='nvme-pool:1')
    assert await lab.task('POST', '~/qemu/2019/clone', newid=2014, full=1) == 'OK'
    await lab.call('PUT', '~/qemu/2019/config', scsi1='nvme-pool:2')
    await lab.call('PUT', '~/qemu/2014/config', scsi1='nvme-pool:6')
    assert virtual_size(lab.node.images.of('nvme-pool:vm-2014-disk-1')) == 6 * GIB


async def test_destroy_removes_the_files(lab: Lab) -> None:
    await lab.create(ide2='nvme-pool:cloudinit', scsi0='nvme-pool:2', efidisk0='local-lvm:1')
    assert await lab.task('DELETE', '~/qemu/2019', purge=1) == 'OK'
    assert [p for p in lab.node.images.root.rglob('*') if p.is_file()] == []
    assert await lab.call('GET', '~/storage/nvme-pool/content') == []


async def test_protection_keeps_a_vm(lab: Lab) -> None:
    """PVE::QemuConfig check_protection."""
    await lab.create(scsi0='nvme-pool:2', protection=1)
    with pytest.raises(ApiError, match="can't remove VM 2019 - protection mode enabled"):
        await lab.call('DELETE', '~/qemu/2019')
    assert lab.node.images.of('nvme-pool:vm-2019-disk-0').exists()


async def test_failing_disk_fails_the_task(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """No task ends with OK whose image was not made."""
    monkeypatch.setenv('PATH', '/nonexistent')
    status = await lab.task('POST', '~/qemu', vmid=2019, scsi0='nvme-pool:2')
    assert status == 'unable to create VM 2019 - qemu-img: command not found on the lab host'
    assert await lab.call('GET', '~/storage/nvme-pool/content') == []


async def test_storages(lab: Lab) -> None:
    """Node storage as PVE lists it: `local` takes import images (since PVE 8.4), `nvme-pool` takes disks."""
    stores = {item['storage']: item for item in await lab.call('GET', '~/storage')}
    assert set(stores['local']['content'].split(',')) == {'iso', 'vztmpl', 'backup', 'snippets', 'import'}
    assert (stores['nvme-pool']['type'], stores['nvme-pool']['content']) == ('zfspool', 'images,rootdir')


async def test_images_are_sparse(lab: Lab) -> None:
    await lab.create(scsi0='nvme-pool:132')
    assert lab.node.images.of('nvme-pool:vm-2019-disk-0').stat().st_blocks * 512 < 4 * 1024 ** 2
