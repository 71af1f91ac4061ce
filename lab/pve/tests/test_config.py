"""Configuration changes. What fakepve 0.5.0 does differently from PVE is named in each test."""

import pytest

from conftest import ApiError, Lab

NET = 'virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=20,firewall=1'


async def test_numbers_stay_numbers_after_an_update(lab: Lab) -> None:
    """The API answers with numbers; fakepve answers with the strings of the last update, which the provider rejects."""
    await lab.create(cores=2)
    await lab.call('PUT', '~/qemu/2019/config', cores=6, memory=32768, onboot=1)
    config = await lab.config()
    assert (config['cores'], config['onboot'], config['memory']) == (6, 1, '32768')


async def test_running_vm_keeps_cores_and_memory_pending(lab: Lab) -> None:
    """PVE::QemuServer vmconfig_hotplug_pending; API2/Qemu.pm vm_config shows them unless `current` is set."""
    await lab.create(cores=2, memory=2048)
    vm = lab.pretend_running()
    await lab.call('PUT', '~/qemu/2019/config', cores=6)
    assert (await lab.config())['cores'] == 6
    assert (await lab.config(current=1))['cores'] == 2
    pending = {item['key']: item for item in await lab.call('GET', '~/qemu/2019/pending')}
    assert (pending['cores']['value'], pending['cores']['pending']) == (2, 6)
    lab.node.apply_pending(vm)
    assert (await lab.config(current=1))['cores'] == 6


async def test_unchanged_values_are_not_pending(lab: Lab) -> None:
    """PVE::QemuConfig cleanup_pending; fakepve keeps them."""
    await lab.create(cores=2, memory=2048, net0=NET)
    lab.pretend_running()
    await lab.call('PUT', '~/qemu/2019/config', cores=2, memory=2048, net0=NET)
    assert not [item for item in await lab.call('GET', '~/qemu/2019/pending') if 'pending' in item]


@pytest.mark.parametrize('key, value', [('ciuser', 'ubuntu'), ('ipconfig0', 'ip=10.25.20.24/24,gw=10.25.20.1'),
                                        ('name', 'other'), ('startup', 'order=3')])
async def test_what_a_running_vm_takes_at_once(lab: Lab, key: str, value: str) -> None:
    """PVE::QemuServer $fast_plug_option, which includes cloud-init's options; fakepve keeps those pending."""
    await lab.create()
    lab.pretend_running()
    await lab.call('PUT', '~/qemu/2019/config', **{key: value})
    assert (await lab.config(current=1))[key] == value


async def test_vlan_of_a_running_vm_changes_at_once_but_not_its_mac(lab: Lab) -> None:
    """PVE::QemuServer vmconfig_update_net: the bridge port is re-plugged, the device stays."""
    await lab.create(net0=NET)
    lab.pretend_running()
    await lab.call('PUT', '~/qemu/2019/config', net0=NET.replace('tag=20', 'tag=30'))
    assert 'tag=30' in (await lab.config(current=1))['net0']
    await lab.call('PUT', '~/qemu/2019/config', net0=NET.replace('00:01', '00:02'))
    assert '00:01' in (await lab.config(current=1))['net0']


async def test_another_nic_of_a_running_vm_waits_for_its_next_start_and_its_address_does_not(lab: Lab) -> None:
    """PVE plugs a NIC into a running VM (vm_deviceplug); here it comes with the restart that its address needs anyway."""
    await lab.create(net0=NET)
    lab.pretend_running()
    await lab.call('PUT', '~/qemu/2019/config', net1='virtio,bridge=vmbr0,tag=40', ipconfig1='ip=10.25.40.24/24')
    assert 'net1' not in await lab.config(current=1)
    assert (await lab.config(current=1))['ipconfig1'] == 'ip=10.25.40.24/24'
    assert ',tag=40' in (await lab.config())['net1']


async def test_a_nic_gets_a_mac_in_an_update_too(lab: Lab) -> None:
    """PVE::QemuServer print_net; fakepve stores the request as it is."""
    await lab.create()
    await lab.call('PUT', '~/qemu/2019/config', net0='virtio,bridge=vmbr0')
    assert (await lab.config())['net0'].startswith('virtio=BC:24:11:')


async def test_disk_options_in_an_update_keep_the_size(lab: Lab) -> None:
    """PVE::API2::Qemu create_disks reads the volume's size; fakepve loses it, as the provider does not send it."""
    await lab.create(scsi0='nvme-pool:4')
    await lab.call('PUT', '~/qemu/2019/config', scsi0='file=nvme-pool:vm-2019-disk-0,ssd=1')
    assert (await lab.config())['scsi0'] == 'nvme-pool:vm-2019-disk-0,size=4G,ssd=1'


async def test_backup_flag_is_hot_and_ssd_is_not(lab: Lab) -> None:
    """PVE::QemuServer vmconfig_update_disk."""
    await lab.create(scsi0='nvme-pool:4,backup=1')
    lab.pretend_running()
    await lab.call('PUT', '~/qemu/2019/config', scsi0='nvme-pool:vm-2019-disk-0,backup=0')
    assert 'backup=0' in (await lab.config(current=1))['scsi0']
    await lab.call('PUT', '~/qemu/2019/config', scsi0='nvme-pool:vm-2019-disk-0,backup=0,ssd=1')
    assert 'ssd' not in (await lab.config(current=1))['scsi0']


async def test_a_removed_disk_stays_as_unused(lab: Lab) -> None:
    """PVE::QemuServer vmconfig_register_unused_drive; fakepve forgets the volume."""
    await lab.create(scsi0='nvme-pool:4', scsi1='nvme-pool:5', ide2='nvme-pool:cloudinit')
    await lab.call('PUT', '~/qemu/2019/config', delete='scsi1,ide2')
    assert (await lab.config())['unused0'] == 'nvme-pool:vm-2019-disk-1'
    assert not lab.node.images.of('nvme-pool:vm-2019-cloudinit').exists()
    await lab.call('PUT', '~/qemu/2019/config', delete='unused0')
    assert not lab.node.images.of('nvme-pool:vm-2019-disk-1').exists()


async def test_password_is_hashed_and_never_shown(lab: Lab) -> None:
    """PVE::Tools::encrypt_pw, and vm_config's mask; fakepve stores and shows it in clear."""
    await lab.create(cipassword='correct horse')
    vm = lab.node.vm(2019)
    assert vm and vm.config['cipassword'].startswith('$5$')
    assert (await lab.config())['cipassword'] == '**********'


@pytest.mark.settings(token={'id': 'automation@pve!pulumi', 'secret': 'x', 'privileges': [
    'VM.Allocate', 'VM.Audit', 'VM.Config.Disk', 'VM.Config.CPU', 'VM.Config.Options', 'Datastore.AllocateSpace']})
async def test_privileges_per_option(lab: Lab) -> None:
    """PVE::API2::Qemu check_vm_modify_config_perm; fakepve asks VM.Config.HWType for cloud-init's options."""
    await lab.create(scsi0='nvme-pool:1', cores=2)
    for key, value, privilege in (('ciuser', 'ubuntu', 'VM.Config.Cloudinit'), ('memory', '2048', 'VM.Config.Memory'),
                                  ('ipconfig0', 'ip=dhcp', 'VM.Config.Network')):
        with pytest.raises(ApiError, match=privilege):
            await lab.call('PUT', '~/qemu/2019/config', **{key: value})
    for key, value in (('args', '-s'), ('ciupgrade', 0), ('hostpci0', '0000:01:00.0')):
        with pytest.raises(ApiError, match=f"only root can set '{key}' config"):
            await lab.call('PUT', '~/qemu/2019/config', **{key: value})


async def test_refused_update_leaves_no_volume(lab: Lab) -> None:
    await lab.create()
    with pytest.raises(ApiError, match='checksum'):
        await lab.call('PUT', '~/qemu/2019/config', scsi0='nvme-pool:4', digest='0' * 40)
    assert await lab.call('GET', '~/storage/nvme-pool/content') == []


async def test_asynchronous_update_is_a_task(lab: Lab) -> None:
    await lab.create()
    assert await lab.task('POST', '~/qemu/2019/config', scsi0='nvme-pool:4') == 'OK'
    assert 'size=4G' in (await lab.config())['scsi0']
