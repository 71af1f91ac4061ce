"""A node served in the test's own event loop, and a client that speaks to it as the provider does."""

import asyncio
import inspect
import json
import shutil
from pathlib import Path
from typing import Any, Optional

import aiohttp
import pytest
from fakepve import FakeVm
from fakepve.certs import make_cert

from labpve.node import LabNode
from labpve.settings import Settings, parse

TOKEN = {'id': 'automation@pve!pulumi', 'secret': '11111111-2222-3333-4444-555555555555'}
SERVICE = {'address': '10.25.20.250', 'port': 80, 'target': '127.0.0.1:9'}
BACKUP_SERVICE = {'address': '10.25.20.6', 'port': 8007, 'target': '127.0.0.1:18007'}
STORAGE = {'storage': 'pbs01', 'type': 'pbs', 'server': '10.25.20.6', 'datastore': 'pbs01', 'content': 'backup',
           'username': 'root@pam!lab', 'password': 'geheim', 'fingerprint': ':'.join(['AB'] * 32)}


def settings_for(directory: Path, **changes: Any) -> Settings:
    """Settings of a node whose files are all in one directory."""
    data = {'stateDir': str(directory / 'state'), 'runDir': str(directory / 'run'), 'password': 'secret',
            'token': TOKEN, 'memoryFactor': 0.0625, 'accelerator': 'tcg',
            'backupClient': str(directory / 'client' / 'proxmox-backup-client'),
            'network': {'cidr': '10.25.20.0/24', 'host': '10.25.20.1', 'services': [BACKUP_SERVICE, SERVICE],
                        'forwards': {'2019': [{'guestPort': 22, 'hostPort': 18122}]}}}
    return parse(dict(data, **changes))


class ApiError(Exception):
    """An answer that is not 200: status, message and the message per field."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.status, self.message, self.errors = status, body.get('message', '').strip(), body.get('errors') or {}


class Lab:
    """The node and a client of it."""

    def __init__(self, settings: Settings, certificates: tuple[str, str]) -> None:
        self.settings, self._certificates = settings, certificates
        self.node = LabNode(settings)
        self._session: Optional[aiohttp.ClientSession] = None

    async def __aenter__(self) -> 'Lab':
        for directory in (self.settings.state_dir, self.settings.run_dir):
            directory.mkdir(exist_ok=True)
        await self.node.start(*self._certificates)
        secret = self.settings.token.secret if self.settings.token else ''
        self._session = aiohttp.ClientSession(
            headers={'Authorization': f'PVEAPIToken={TOKEN["id"]}={secret}'}, connector=aiohttp.TCPConnector(ssl=False))
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.node.power_off_all()
        if self._session:
            await self._session.close()
        await self.node.stop()

    async def call(self, method: str, path: str, **params: Any) -> Any:
        """The data of an answer. A leading `~` stands for the node's path, underscores in names for dashes."""
        assert self._session
        url = self.node.url + '/api2/json' + path.replace('~', '/nodes/pve01')
        named = {key.replace('__', '-'): value for key, value in params.items()}
        sent = {'params': named} if method in ('GET', 'DELETE') else {'data': named}
        async with self._session.request(method, url, **sent) as response:
            body = json.loads(await response.text())
            if response.status != 200:
                raise ApiError(response.status, body)
            return body['data']

    def become_root(self) -> None:
        """From here on calls are those of root, as from a shell of the Proxmox node."""
        assert self._session
        ticket, csrf = self.node.issue_ticket('root@pam')
        del self._session.headers['Authorization']
        self._session.headers.update({'Cookie': f'PVEAuthCookie={ticket}', 'CSRFPreventionToken': csrf})

    async def task(self, method: str, path: str, **params: Any) -> str:
        """Call, wait for the task, return its exit status."""
        upid = await self.call(method, path, **params)
        while True:
            status = await self.call('GET', f'~/tasks/{upid}/status')
            if status['status'] == 'stopped':
                return str(status['exitstatus'])
            await asyncio.sleep(0.02)

    def later(self, seconds: int) -> None:
        """Move the node's clock that much further."""
        path = self.node.clock.path
        moved = int(path.read_text(encoding='utf-8')) if path.exists() else 0
        path.write_text(str(moved + seconds), encoding='utf-8')

    async def log(self, upid: str) -> list[str]:
        """Wait for a task; its log."""
        while (await self.call('GET', f'~/tasks/{upid}/status'))['status'] != 'stopped':
            await asyncio.sleep(0.02)
        return [line['t'] for line in await self.call('GET', f'~/tasks/{upid}/log', limit=500)]

    async def create(self, vmid: int = 2019, **params: Any) -> None:
        """Create a VM, which must succeed."""
        assert await self.task('POST', '~/qemu', vmid=vmid, **{'name': 'proj-docker02', **params}) == 'OK'

    async def config(self, vmid: int = 2019, **params: Any) -> dict[str, Any]:
        """The VM's configuration."""
        return dict(await self.call('GET', f'~/qemu/{vmid}/config', **params))

    def pretend_running(self, vmid: int = 2019) -> FakeVm:
        """Mark a VM as running without a process, for what only depends on the status."""
        vm = self.node.vm(vmid)
        assert vm
        vm.status = vm.qmpstatus = 'running'
        return vm


@pytest.fixture(scope='session')
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """One certificate for all tests."""
    cert, key, _ = make_cert(str(tmp_path_factory.mktemp('tls')), hosts=('127.0.0.1',))
    return cert, key


@pytest.fixture
def lab(tmp_path: Path, certificates: tuple[str, str], request: pytest.FixtureRequest) -> Lab:
    """A node; the hook below starts and stops it around the test. `@pytest.mark.settings(...)` changes settings."""
    marker = request.node.get_closest_marker('settings')
    return Lab(settings_for(tmp_path, **(marker.kwargs if marker else {})), certificates)


class Client:
    """The stand-in for proxmox-backup-client, which keeps its backups beside itself and notes how it was called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        program = directory / 'proxmox-backup-client'
        shutil.copyfile(Path(__file__).with_name('fake_client.py'), program)
        program.chmod(0o755)

    def calls(self, command: str) -> list[dict[str, Any]]:
        """How a command was called: `argv` and `env`."""
        noted = self.directory / 'calls.jsonl'
        found = [json.loads(line) for line in noted.read_text(encoding='utf-8').splitlines()] if noted.exists() else []
        return [call for call in found if ' '.join(call['argv']).startswith(command)]

    def fail(self, command: str) -> None:
        """Every further call of the command fails; '' ends that."""
        (self.directory / 'fail').write_text(command, encoding='utf-8')

    def add(self, name: str, **archives: bytes) -> Path:
        """A backup somebody else made: `vm/2019/<time>`."""
        path = self.directory / 'store' / name
        path.mkdir(parents=True)
        for archive, content in archives.items():
            (path / archive.replace('__', '.')).write_bytes(content)
        return path


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """The stand-in, where the node looks for the program."""
    return Client(tmp_path / 'client')


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line('markers', 'settings(**changes): settings of the node')
    config.addinivalue_line('markers', 'qemu: starts QEMU')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without QEMU only what needs no QEMU runs."""
    missing = not shutil.which('qemu-system-x86_64')
    for item in items:
        if missing and item.get_closest_marker('qemu'):
            item.add_marker(pytest.mark.skip(reason='qemu-system-x86_64 is not installed'))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Optional[bool]:
    """Run coroutine tests, with their node served meanwhile."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def scenario() -> None:
        node = wanted.get('lab')
        if isinstance(node, Lab):
            async with node:
                await pyfuncitem.obj(**wanted)
        else:
            await pyfuncitem.obj(**wanted)
    asyncio.run(asyncio.wait_for(scenario(), 120))
    return True
