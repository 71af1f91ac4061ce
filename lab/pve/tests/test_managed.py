"""What is kept of high availability and replication, and how it is told: as PVE 9 does, which the provider reads back."""

from typing import Any

import pytest

from conftest import ApiError, Lab
from labpve import state
from labpve.node import LabNode

RESOURCES, RULES, JOBS = '/cluster/ha/resources', '/cluster/ha/rules', '/cluster/replication'
RULE = {'rule': 'docker-node-2019', 'type': 'node-affinity', 'resources': 'vm:2019', 'nodes': 'pve02:1,pve01:2'}
JOB = {'id': '2019-0', 'type': 'local', 'target': 'pve02', 'schedule': '*/15'}


pytestmark = pytest.mark.settings(peers=['pve02'])


@pytest.fixture(name='lab')
def lab_with_vm(lab: Lab) -> Lab:
    """A cluster of two nodes with VM 2019, whose disk is on ZFS."""
    lab.node.add_vm(2019, 'docker02', node='pve01').config['scsi0'] = 'nvme-pool:vm-2019-disk-0,size=4G'
    return lab


async def refusal(lab: Lab, method: str, path: str, **fields: Any) -> str:
    """Why a request is refused."""
    with pytest.raises(ApiError) as caught:
        await lab.call(method, path, **fields)
    assert caught.value.status == 500
    return caught.value.message


def without(answer: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in keys}


async def test_a_managed_guest_is_told_as_it_was_given(lab: Lab) -> None:
    await lab.call('POST', RESOURCES, sid='vm:2019', state='started', max_restart=2, max_relocate=1)
    one = await lab.call('GET', RESOURCES + '/vm:2019')
    assert without(one, 'digest') == {
        'sid': 'vm:2019', 'type': 'vm', 'state': 'started', 'max_restart': 2, 'max_relocate': 1}
    await lab.call('PUT', RESOURCES + '/vm:2019', max_restart=0, delete='max_relocate', digest=one['digest'])
    again = await lab.call('GET', RESOURCES + '/vm:2019')
    assert (again['max_restart'], 'max_relocate' in again) == (0, False)
    assert [item['sid'] for item in await lab.call('GET', RESOURCES)] == ['vm:2019']
    assert 'detected modified configuration' in await refusal(
        lab, 'PUT', RESOURCES + '/vm:2019', max_restart=1, digest=one['digest'])
    assert "already defined" in await refusal(lab, 'POST', RESOURCES, sid='vm:2019')
    assert 'ha groups have been migrated to rules' in await refusal_of_group(lab)


async def refusal_of_group(lab: Lab) -> str:
    lab.node.add_vm(2020, 'docker03', node='pve01')
    return await refusal(lab, 'POST', RESOURCES, sid='vm:2020', group='all')


async def test_a_guest_is_let_go_and_its_rule_with_it(lab: Lab) -> None:
    await lab.call('POST', RESOURCES, sid='vm:2019')
    await lab.call('POST', RULES, **RULE)
    await lab.call('DELETE', RESOURCES + '/vm:2019')
    assert await lab.call('GET', RULES) == []
    assert await refusal(lab, 'GET', RESOURCES + '/vm:2019') == "no such resource 'vm:2019'"
    assert await refusal(lab, 'DELETE', RESOURCES + '/vm:2019') == "cannot delete service 'vm:2019', not HA managed!"


async def test_a_rule_stays_where_it_is_not_purged(lab: Lab) -> None:
    await lab.call('POST', RESOURCES, sid='vm:2019')
    await lab.call('POST', RULES, **RULE)
    await lab.call('DELETE', RESOURCES + '/vm:2019', purge=0)
    assert [rule['resources'] for rule in await lab.call('GET', RULES)] == ['vm:2019']


async def test_a_rule_is_told_in_order_and_with_its_defaults(lab: Lab) -> None:
    await lab.call('POST', RESOURCES, sid='vm:2019')
    await lab.call('POST', RULES, **RULE)
    path = f"{RULES}/{RULE['rule']}"
    assert without(await lab.call('GET', path), 'digest') == {
        **RULE, 'nodes': 'pve01:2,pve02:1', 'affinity': 'positive', 'strict': 0, 'order': 1}
    await lab.call('PUT', path, type='node-affinity', nodes='pve02', strict=1, disable=0)
    assert {key: (await lab.call('GET', path))[key] for key in ('nodes', 'strict', 'resources')} == {
        'nodes': 'pve02', 'strict': 1, 'resources': 'vm:2019'}
    await lab.call('DELETE', path)
    assert await refusal(lab, 'GET', path) == f"no such ha rule '{RULE['rule']}'"
    await lab.call('DELETE', path)


@pytest.mark.parametrize('fields, why', [
    ({'resources': 'vm:2020'}, 'create ha rule failed: cannot use unmanaged resource(s) vm:2020.'),
    ({'nodes': 'pve01,pve09'}, 'create ha rule failed: cannot use non-existant node(s) pve09.'),
    ({'affinity': 'negative'}, 'create ha rule failed: the lab has rules of positive node affinity only')])
async def test_a_rule_that_cannot_hold(lab: Lab, fields: dict[str, str], why: str) -> None:
    await lab.call('POST', RESOURCES, sid='vm:2019')
    assert await refusal(lab, 'POST', RULES, **{**RULE, **fields}) == why
    assert await lab.call('GET', RULES) == []


@pytest.mark.parametrize('left, rule, place', [
    (['pve01', 'pve02'], {}, 'pve01'), (['pve02', 'pve03'], {}, 'pve02'), (['pve03'], {}, 'pve03'),
    (['pve03'], {'strict': '1'}, None), (['pve03', 'pve02'], {'disable': '1'}, 'pve03')])
async def test_where_a_guest_starts(lab: Lab, left: list[str], rule: dict[str, str], place: str | None) -> None:
    """The highest priority of those that are left; another node only where the rule is not strict."""
    await lab.call('POST', RESOURCES, sid='vm:2019')
    await lab.call('POST', RULES, **RULE, **rule)
    vm = lab.node.vm(2019)
    assert vm and lab.node.place(vm, left) == place


async def test_a_job_is_told_as_it_was_given_and_turned_round(lab: Lab) -> None:
    await lab.call('POST', JOBS, **JOB, rate=10)
    path = JOBS + '/2019-0'
    assert without(await lab.call('GET', path), 'digest') == {
        **JOB, 'rate': 10, 'source': 'pve01', 'guest': 2019, 'jobnum': 0}
    await lab.call('PUT', path, schedule='02:30', delete='rate')
    lab.node.guest(2019).node = 'pve02'
    job = await lab.call('GET', path)
    assert [job[key] for key in ('schedule', 'source', 'target')] == ['02:30', 'pve02', 'pve01']
    assert 'rate' not in job
    await lab.call('DELETE', path)
    assert await refusal(lab, 'GET', path) == "no such replication job '2019-0'"
    assert await refusal(lab, 'DELETE', path) == "no such job '2019-0'"


async def test_a_job_that_cannot_be(lab: Lab) -> None:
    assert await refusal(lab, 'POST', JOBS, **{**JOB, 'id': '2020-0'}) == "Guest '2020' does not exists."
    assert await refusal(lab, 'POST', JOBS, **{**JOB, 'target': 'pve09'}) == "Target 'pve09' does not exists."
    await lab.call('POST', JOBS, **JOB)
    assert await refusal(lab, 'POST', JOBS, **JOB) == "replication job '2019-0' already exists"
    lab.node.guest(2019).config['scsi1'] = 'local-lvm:vm-2019-disk-0,size=4G'
    assert await refusal(lab, 'POST', JOBS, **{**JOB, 'id': '2019-1'}) == (
        "missing replicate feature on volume 'local-lvm:vm-2019-disk-0'")
    lab.node.guest(2019).config['scsi1'] += ',replicate=0'
    await lab.call('POST', JOBS, **{**JOB, 'id': '2019-1'})


async def test_a_restarted_node_has_all_of_it_again(lab: Lab) -> None:
    await lab.call('POST', RESOURCES, sid='vm:2019', state='started')
    await lab.call('POST', RULES, **RULE)
    await lab.call('POST', JOBS, **JOB)
    fresh = LabNode(lab.settings)
    state.load(fresh, state.dump(lab.node))
    assert (fresh.ha_resources, fresh.ha_rules, fresh.replications) == (
        lab.node.ha_resources, lab.node.ha_rules, lab.node.replications)


async def test_other_areas_still_answer(lab: Lab) -> None:
    """What high availability's methods are called is nothing that fakepve's own have: theirs answer for guests and pools."""
    assert [item['vmid'] for item in await lab.call('GET', '/cluster/resources', type='vm')] == [2019]
    await lab.call('POST', '/pools', poolid='lab')
    await lab.call('PUT', '/pools/lab', vms='2019')
    assert [item['vmid'] for item in (await lab.call('GET', '/pools/lab'))['members']] == [2019]
