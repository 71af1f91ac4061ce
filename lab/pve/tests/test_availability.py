"""A node of the cluster that is lost, and what high availability does about it."""

from pathlib import Path

import pytest
from fakepve import FakeVm

from conftest import ApiError, Lab, settings_for


async def test_a_node_is_lost(tmp_path: Path, certificates: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """PVE::HA::Manager recovers what it manages; the rest is away with its node, and starts with it again."""
    booted: list[tuple[int, str]] = []

    async def boot(vm: FakeVm) -> None:
        vm.status = vm.qmpstatus = 'running'
        booted.append((vm.vmid, vm.node))
    async with Lab(settings_for(tmp_path, peers=['pve02']), certificates) as lab:
        monkeypatch.setattr(lab.node, '_boot', boot)
        for vmid in (2014, 2019):
            lab.node.add_vm(vmid, f'docker{vmid}', node='pve01').config['onboot'] = 1
        await lab.call('POST', '/cluster/ha/resources', sid='vm:2019')
        await lab.call('POST', '~/status', command='shutdown')
        assert {node['node']: node['status'] for node in await lab.call('GET', '/nodes')} == {
            'pve01': 'offline', 'pve02': 'online'}
        assert booted == [(2019, 'pve02')]
        for path in ('~/qemu/2014/config', '~/storage'):
            with pytest.raises(ApiError) as lost:
                await lab.call('GET', path)
            assert (lost.value.status, lost.value.message) == (595, 'No route to host')
        assert (await lab.call('GET', '/nodes/pve02/qemu/2019/config'))['name'] == 'docker2019'
        await lab.call('POST', '~/wakeonlan')
        assert booted == [(2019, 'pve02'), (2014, 'pve01')]


async def test_a_lost_guest_starts_where_its_rule_prefers(
        tmp_path: Path, certificates: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """PVE::HA::Manager select_service_node."""
    async def boot(vm: FakeVm) -> None:
        vm.status = vm.qmpstatus = 'running'
    async with Lab(settings_for(tmp_path, peers=['pve02', 'pve03']), certificates) as lab:
        monkeypatch.setattr(lab.node, '_boot', boot)
        vm = lab.node.add_vm(2019, 'docker02', node='pve01')
        await lab.call('POST', '/cluster/ha/resources', sid='vm:2019')
        await lab.call('POST', '/cluster/ha/rules', rule='apart', type='node-affinity', resources='vm:2019', nodes='pve03')
        await lab.call('POST', '~/status', command='shutdown')
        assert (vm.node, vm.status) == ('pve03', 'running')


async def test_a_managed_guest_is_moved(tmp_path: Path, certificates: tuple[str, str]) -> None:
    """Wherever it is: the manager is asked, not a node."""
    async with Lab(settings_for(tmp_path, peers=['pve02']), certificates) as lab:
        lab.node.add_vm(2019, 'docker02', node='pve01')
        move = '/cluster/ha/resources/vm:2019/migrate'
        with pytest.raises(ApiError) as unmanaged:
            await lab.call('POST', move, node='pve02')
        assert "no such resource 'vm:2019'" in unmanaged.value.message
        await lab.call('POST', '/cluster/ha/resources', sid='vm:2019')
        with pytest.raises(ApiError) as nowhere:
            await lab.call('POST', move, node='pve03')
        assert "no such cluster node 'pve03'" in nowhere.value.message
        await lab.call('POST', move, node='pve02')
        while lab.node.vm(2019).node != 'pve02':
            await lab.call('GET', '/nodes')


async def test_the_manager_is_asked_for_power(
        tmp_path: Path, certificates: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """PVE::API2::Qemu: the task of a managed guest ends when its manager knows; the guest follows later."""
    monkeypatch.setattr('labpve.availability.MANAGER_SECONDS', 0.3)
    async with Lab(settings_for(tmp_path), certificates) as lab:
        async def boot(vm: FakeVm) -> None:
            vm.status = vm.qmpstatus = 'running'
        monkeypatch.setattr(lab.node, '_boot', boot)
        vm = lab.node.add_vm(2019, 'docker02', node='pve01')
        await lab.call('POST', '/cluster/ha/resources', sid='vm:2019')
        upid = await lab.call('POST', '~/qemu/2019/status/start')
        assert ':hastart:2019:' in upid
        while (await lab.call('GET', f'~/tasks/{upid}/status'))['status'] != 'stopped':
            pass
        assert vm.status == 'stopped'
        while (await lab.call('GET', '~/qemu/2019/status/current'))['status'] != 'running':
            pass
        assert ':hastop:2019:' in await lab.call('POST', '~/qemu/2019/status/shutdown')
        assert (await lab.call('GET', '/cluster/ha/resources/vm:2019'))['state'] == 'stopped'
