"""The whole way with the lab's own backup server and client (lab/pbs): what is sent is what comes back, encrypted."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from conftest import ApiError, Lab, settings_for
from test_restore import first_bytes, settled
from test_vzdump import GUEST, MIB, write

SOURCES = Path(__file__).parents[2] / 'pbs'
pytestmark = pytest.mark.skipif(not (SOURCES.is_dir() and shutil.which('go')), reason='lab/pbs or Go is not there')
TOKEN_ID = 'backup@pbs!pve'
ACCOUNTS = {'users': [{'id': 'backup@pbs', 'secret': 'unused'}], 'tokens': [{'id': TOKEN_ID, 'secret': 'geheim'}]}


@pytest.fixture(scope='session')
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Client and server, built."""
    out = tmp_path_factory.mktemp('pbs')
    subprocess.run(['go', 'build', '-o', str(out), './cmd/proxmox-backup-client', './cmd/pbs-server'], cwd=SOURCES,
                   check=True)
    return out


@pytest.fixture
def role() -> str:
    """The role of the storage's token; a test may have another one."""
    return 'DatastoreAdmin'


@pytest.fixture
def server(tmp_path: Path, programs: Path, role: str) -> Iterator[dict[str, Any]]:
    """A server; what its ready file says."""
    acl = [{'path': '/datastore/pbs01', 'auth': auth, 'role': role} for auth in ('backup@pbs', TOKEN_ID)]
    directory = tmp_path / 'server'
    directory.mkdir()
    ready = directory / 'ready.json'
    (directory / 'settings.json').write_text(json.dumps({
        'listen': '127.0.0.1:0', 'state': str(directory / 'state'), 'ready': str(ready), **ACCOUNTS,
        'acl': acl, 'datastores': [{'name': 'pbs01', 'path': str(directory / 'store')}]}), encoding='utf-8')
    process = subprocess.Popen([str(programs / 'pbs-server'), 'serve', str(directory / 'settings.json')])
    try:
        for _ in range(200):
            if ready.exists():
                break
            time.sleep(0.05)
        yield json.loads(ready.read_text(encoding='utf-8'))
    finally:
        process.terminate()
        process.wait(10)


def node_for(tmp_path: Path, certificates: tuple[str, str], programs: Path, server: dict[str, Any]) -> Lab:
    """A node that reaches the server by its service."""
    network = {'cidr': '10.25.20.0/24', 'host': '10.25.20.1',
               'services': [{'address': '10.25.20.6', 'port': 8007, 'target': f"127.0.0.1:{server['port']}"}]}
    client = str(programs / 'proxmox-backup-client')
    return Lab(settings_for(tmp_path, network=network, backupClient=client), certificates)


def storage_on(server: dict[str, Any]) -> dict[str, Any]:
    """The storage's definition, without its password."""
    return {'storage': 'pbs01', 'type': 'pbs', 'server': '10.25.20.6', 'datastore': 'pbs01', 'username': TOKEN_ID,
            'fingerprint': server['fingerprint']}


async def test_there_and_back(tmp_path: Path, certificates: tuple[str, str], programs: Path,
                              server: dict[str, Any]) -> None:
    key = tmp_path / 'key.json'
    client = str(programs / 'proxmox-backup-client')
    subprocess.run([client, 'key', 'create', '--kdf', 'none', str(key)], check=True)
    storage = {**storage_on(server), 'encryption-key': key.read_text(encoding='utf-8')}
    async with node_for(tmp_path, certificates, programs, server) as lab:
        for wrong in ({'password': 'wrong'}, {'password': 'geheim', 'fingerprint': ':'.join(['00'] * 32)}):
            with pytest.raises(ApiError, match='create storage failed'):
                await lab.call('POST', '/storage', **{**storage, **wrong})
        await lab.call('POST', '/storage', **storage, password='geheim')
        assert (await lab.call('GET', '~/storage/pbs01/status'))['active'] == 1
        await lab.create(**GUEST)
        image = lab.node.images.of('nvme-pool:vm-2019-disk-0')
        write(image, 0, 7)
        write(image, 100 * 1024 * MIB, 9)
        order = {'vmid': 2019, 'storage': 'pbs01', 'notes-template': '{{guestname}}', 'prune-backups': 'keep-last=1'}
        for _ in range(2):
            lab.later(60)
            log = await lab.log(await lab.call('POST', '~/vzdump', **order))
            assert log[-1] == 'TASK OK' and not [line for line in log if line.startswith('WARN')]
        items = await lab.call('GET', '~/storage/pbs01/content')
        assert [(item['vmid'], item['notes'], 'encrypted' in item) for item in items] == [(2019, 'proj-docker02', True)]
        await comes_back(lab, items[0]['volid'], tmp_path)
        assert await lab.task('DELETE', f"~/storage/pbs01/content/{items[0]['volid']}") == 'OK'
        assert await lab.call('GET', '~/storage/pbs01/content') == []


async def comes_back(lab: Lab, archive: str, tmp_path: Path) -> None:
    before = await lab.config()
    image = lab.node.images.of('nvme-pool:vm-2019-disk-0')
    write(image, 0, 1)
    assert await lab.task('POST', '~/qemu', vmid=2019, archive=archive, force=1) == 'OK'
    after = await lab.config()
    assert settled(after) == {**{key: x for key, x in settled(before).items() if key != 'scsi1'},
                              'unused0': 'nvme-pool:vm-2019-disk-1'}
    assert first_bytes(tmp_path, image) == {7} and first_bytes(tmp_path, image, 100 * 1024 * MIB) == {9}
    assert image.stat().st_blocks * 512 < 8 * MIB


@pytest.mark.parametrize('role', ['DatastoreBackup'])
@pytest.mark.parametrize('job, status', [
    ({'prune-backups': 'keep-daily=30'}, 'job errors'), ({'prune-backups': 'keep-all=1', 'remove': 0}, 'OK')])
async def test_a_token_that_may_not_prune(tmp_path: Path, certificates: tuple[str, str], programs: Path,
                                          server: dict[str, Any], job: dict[str, Any], status: str) -> None:
    """A job that keeps some is reported as failed, its backup made; the product's for `prunedBy: server` passes."""
    async with node_for(tmp_path, certificates, programs, server) as lab:
        await lab.call('POST', '/storage', **storage_on(server), password='geheim')
        await lab.create(scsi0='nvme-pool:1')
        order = {'vmid': 2019, 'storage': 'pbs01', 'mode': 'snapshot', 'notes-template': '{{guestname}}', **job}
        log = await lab.log(await lab.call('POST', '~/vzdump', **order))
        assert log[-1] == ('TASK OK' if status == 'OK' else f'TASK ERROR: {status}')
        assert (status == 'OK') != bool([line for line in log if 'permission' in line.lower()])
        items = await lab.call('GET', '~/storage/pbs01/content')
        assert [(item['vmid'], item['notes']) for item in items] == [(2019, 'proj-docker02')]
