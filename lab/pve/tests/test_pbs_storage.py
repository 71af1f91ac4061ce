"""Storage of type pbs (PVE::Storage::PBSPlugin): secrets, status, content. fakepve keeps the definition and no more."""

import json

import pytest

from conftest import ApiError, Client, Lab, STORAGE

KEY = json.dumps({'kdf': None, 'data': 'AAAA', 'fingerprint': '11:22:33:44'})
TIME = '2026-11-24T03:30:00Z'


async def test_secrets_are_kept_and_never_shown(lab: Lab, client: Client) -> None:
    """on_add_hook: <id>.pw and <id>.enc below /etc/pve/priv/storage; the definition shows the key's fingerprint."""
    await lab.call('POST', '/storage', **STORAGE, **{'encryption-key': KEY})
    shown = await lab.call('GET', '/storage/pbs01')
    assert 'password' not in shown and shown['encryption-key'] == '11:22:33:44'
    password, key = lab.node.client.password_file('pbs01'), lab.node.client.key_file('pbs01')
    assert (password.read_text(), key.read_text()) == ('geheim\n', KEY + '\n')
    assert password.stat().st_mode & 0o777 == key.stat().st_mode & 0o777 == 0o600
    await lab.call('PUT', '/storage/pbs01', password='neu', delete='encryption-key')
    assert password.read_text() == 'neu\n' and not key.exists()
    assert 'encryption-key' not in await lab.call('GET', '/storage/pbs01')
    await lab.call('DELETE', '/storage/pbs01')
    assert not password.exists()


async def test_the_server_is_reached_by_its_service(lab: Lab, client: Client) -> None:
    """The definition names the address in the guests' network; what is dialled is the loopback port behind it."""
    await lab.call('POST', '/storage', **STORAGE)
    call = client.calls('status')[0]
    assert call['argv'][1:] == ['--repository', 'root@pam!lab@127.0.0.1:18007:pbs01']
    assert call['env'] == {'PBS_PASSWORD': 'geheim', 'PBS_FINGERPRINT': STORAGE['fingerprint']}


@pytest.mark.parametrize('server, port', [('192.0.2.6', 8007), ('pbs.example.org', 8007), ('10.25.20.6', 8008)])
async def test_a_server_outside_the_lab_is_not_asked(lab: Lab, client: Client, server: str, port: int) -> None:
    with pytest.raises(ApiError, match='outside the lab'):
        await lab.call('POST', '/storage', **{**STORAGE, 'server': server, 'port': port})
    assert client.calls('') == [] and not lab.node.client.password_file('pbs01').exists()
    assert [item['storage'] for item in await lab.call('GET', '/storage', type='pbs')] == []


async def test_a_server_that_does_not_answer(lab: Lab, client: Client) -> None:
    """PVE::API2::Storage::Config create activates the storage; later an unreachable server makes it inactive."""
    client.fail('status')
    with pytest.raises(ApiError, match='create storage failed: pbs01: .*connection refused'):
        await lab.call('POST', '/storage', **STORAGE)
    client.fail('')
    await lab.call('POST', '/storage', **STORAGE)
    client.fail('status')
    status = await lab.call('GET', '~/storage/pbs01/status')
    assert (status['active'], status['total']) == (0, 0)


@pytest.mark.parametrize('field, value, status', [
    ('encryption-key', 'no JSON', 500), ('encryption-key', 'autogen', 501), ('master-pubkey', 'AAAA', 501)])
async def test_keys_that_are_refused(lab: Lab, client: Client, field: str, value: str, status: int) -> None:
    with pytest.raises(ApiError) as caught:
        await lab.call('POST', '/storage', **STORAGE, **{field: value})
    assert caught.value.status == status and client.calls('') == []


async def test_status_is_the_servers(lab: Lab, client: Client) -> None:
    await lab.call('POST', '/storage', **STORAGE)
    listed = {item['storage']: item for item in await lab.call('GET', '~/storage')}['pbs01']
    for status in (listed, await lab.call('GET', '~/storage/pbs01/status')):
        assert (status['active'], status['total'], status['used'], status['avail']) == (1, 1000, 400, 600)
    assert len(client.calls('status')) == 2  # at creation, and once for both questions


async def test_content(lab: Lab, client: Client) -> None:
    await lab.call('POST', '/storage', **STORAGE, namespace='lab')
    client.add(f'vm/2019/{TIME}', drive_scsi0__img=b'x' * 5, qemu_server__conf=b'')
    client.add(f'vm/2014/{TIME}', qemu_server__conf=b'12')
    client.add(f'host/research-data/{TIME}', meta__conf=b'')
    volid = f'pbs01:backup/vm/2019/{TIME}'
    assert await lab.call('GET', '~/storage/pbs01/content', vmid=2019) == [
        {'volid': volid, 'content': 'backup', 'format': 'pbs-vm', 'subtype': 'qemu', 'vmid': 2019, 'ctime': 1795491000,
         'size': 5}]
    assert [item['vmid'] for item in await lab.call('GET', '~/storage/pbs01/content')] == [2014, 2019]
    assert client.calls('snapshot list')[0]['argv'][-2:] == ['--ns', 'lab']
    await lab.call('PUT', f'~/storage/pbs01/content/{volid}', notes='before the upgrade', protected=1)
    shown = await lab.call('GET', f'~/storage/pbs01/content/{volid}')
    assert (shown['size'], shown['format']) == (5, 'pbs-vm')
    assert (shown['notes'], shown['protected']) == ('before the upgrade', 1)


async def test_a_backup_is_deleted_unless_protected(lab: Lab, client: Client) -> None:
    await lab.call('POST', '/storage', **STORAGE)
    path, volid = client.add(f'vm/2019/{TIME}', qemu_server__conf=b'1'), f'pbs01:backup/vm/2019/{TIME}'
    await lab.call('PUT', f'~/storage/pbs01/content/{volid}', protected=1)
    status = await lab.task('DELETE', f'~/storage/pbs01/content/{volid}')
    assert status == f"cannot remove protected volume 'backup/vm/2019/{TIME}' on 'pbs01'" and path.exists()
    await lab.call('PUT', f'~/storage/pbs01/content/{volid}', protected=0)
    assert await lab.task('DELETE', f'~/storage/pbs01/content/{volid}') == 'OK' and not path.exists()


@pytest.mark.settings(token={'id': 'automation@pve!pulumi', 'secret': '1', 'privileges': ['VM.Backup', 'Sys.Audit']})
async def test_backups_need_privileges_on_both(lab: Lab, client: Client) -> None:
    """PVE::Storage check_volume_access: Datastore.AllocateSpace on the storage, VM.Backup on the guest."""
    lab.node.storages['pbs01'] = {**{key: STORAGE[key] for key in ('type', 'server', 'datastore', 'content')},
                                  'files': set()}
    with pytest.raises(ApiError) as caught:
        await lab.call('DELETE', f'~/storage/pbs01/content/pbs01:backup/vm/2019/{TIME}')
    assert caught.value.status == 403
    with pytest.raises(ApiError) as caught:
        await lab.call('GET', '~/vzdump/extractconfig', volume=f'pbs01:backup/vm/2019/{TIME}')
    assert caught.value.status == 403 and client.calls('') == []
