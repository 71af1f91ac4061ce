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
ACCOUNTS = {'users': [{'id': 'backup@pbs', 'secret': 'unused'}], 'tokens': [{'id': TOKEN_ID, 'secret': 'geheim'}],
            'acl': [{'path': '/datastore/pbs01', 'auth': auth, 'role': 'DatastoreAdmin'}
                    for auth in ('backup@pbs', TOKEN_ID)]}


@pytest.fixture(scope='session')
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Client and server, built."""
    out = tmp_path_factory.mktemp('pbs')
    subprocess.run(['go', 'build', '-o', str(out), './cmd/proxmox-backup-client', './cmd/pbs-server'], cwd=SOURCES,
                   check=True)
    return out


@pytest.fixture
def server(tmp_path: Path, programs: Path) -> Iterator[dict[str, Any]]:
    """A server; what its ready file says."""
    directory = tmp_path / 'server'
    directory.mkdir()
    ready = directory / 'ready.json'
    (directory / 'settings.json').write_text(json.dumps({
        'listen': '127.0.0.1:0', 'state': str(directory / 'state'), 'ready': str(ready), **ACCOUNTS,
        'datastores': [{'name': 'pbs01', 'path': str(directory / 'store')}]}), encoding='utf-8')
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


async def test_there_and_back(tmp_path: Path, certificates: tuple[str, str], programs: Path,
                              server: dict[str, Any]) -> None:
    key = tmp_path / 'key.json'
    client = str(programs / 'proxmox-backup-client')
    subprocess.run([client, 'key', 'create', '--kdf', 'none', str(key)], check=True)
    network = {'cidr': '10.25.20.0/24', 'host': '10.25.20.1',
               'services': [{'address': '10.25.20.6', 'port': 8007, 'target': f"127.0.0.1:{server['port']}"}]}
    storage = {'storage': 'pbs01', 'type': 'pbs', 'server': '10.25.20.6', 'datastore': 'pbs01', 'username': TOKEN_ID,
               'fingerprint': server['fingerprint'], 'encryption-key': key.read_text(encoding='utf-8')}
    async with Lab(settings_for(tmp_path, network=network, backupClient=client), certificates) as lab:
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
