"""The node: fakepve with this package's mixins, as its settings describe it."""

import asyncio
import logging
from typing import Any, Awaitable, Callable, Optional

from fakepve import FakePve, PveError, TaskError
from fakepve.shapes import PRIVILEGES

from .agent import AgentApi
from .availability import AvailabilityApi
from .client import BackupClient
from .clock import Clock
from .downloads import DownloadApi
from .images import Images
from .restore import RestoreApi
from .scheduler import SchedulerApi
from .seed import files
from .settings import Settings
from .suspend import SuspendApi
from .vlans import BRIDGE

GIB = 1024 ** 3
LOG = logging.getLogger('labpve')
# Writes fakepve accepts without effect that are harmless to accept: nothing reads back what they would change.
HARMLESS = {('PUT', '/cluster/options'), ('POST', '/nodes/{node}/services/{service}/reload')}


def storages() -> dict[str, dict[str, Any]]:
    """The storages of the node: files on `local`, thin volumes on `local-lvm`, NVMe-backed ones on `nvme-pool`."""
    return {
        'local': {'type': 'dir', 'active': 1, 'path': '/var/lib/vz', 'files': set(), 'volumes': {},
                  'content': 'iso,vztmpl,backup,snippets,import', 'avail': 200 * GIB},
        'local-lvm': {'type': 'lvmthin', 'active': 1, 'vgname': 'pve', 'thinpool': 'data', 'files': set(),
                      'volumes': {}, 'content': 'images,rootdir', 'total': 1024 * GIB},
        'nvme-pool': {'type': 'zfspool', 'active': 1, 'pool': 'nvme', 'sparse': 1, 'files': set(), 'volumes': {},
                      'content': 'images,rootdir', 'total': 8192 * GIB},
    }


class SlashTolerant:
    """A router that takes each path with a trailing slash too, as pveproxy does (PVE::APIServer::AnyEvent)."""

    def __init__(self, router: Any) -> None:
        self._router = router

    def add_route(self, method: str, path: str, handler: Any) -> None:
        """Register both spellings."""
        self._router.add_route(method, path, handler)
        self._router.add_route(method, path + '/', handler)


class LabNode(SuspendApi, RestoreApi, AgentApi, AvailabilityApi, SchedulerApi, DownloadApi, FakePve):  # type: ignore[misc]
    """A PVE node whose guests run, and the other nodes of its cluster by name: they have the same storages."""

    def __init__(self, settings: Settings, kvm: bool = False) -> None:
        super().__init__(settings.user, settings.password, host=settings.host, port=settings.port)
        self.settings = settings
        self._held: set[asyncio.Task[Any]] = set()
        self.kvm = kvm
        self.clock = Clock(settings.state_dir / 'clock')
        self.client = BackupClient(settings)
        self.images = Images(settings.state_dir / 'storage')
        self.nodes = {name: {'online': True} for name in (settings.node, *settings.peers)}
        self.cluster_name = settings.node
        self.storages = storages()
        # Off in a new Proxmox VE; here somebody has turned it on, as docs/how-to/prepare-proxmox.md says.
        self.firewall_config('cluster')['options']['enable'] = 1
        # Tasks run beside the request that started them, as PVE's workers do; a lock is still waited for in real time.
        self.time_scale = settings.time_scale or 0.001
        self.lock_wait = 10 / self.time_scale
        self.client_max_size = 64 * 1024 ** 2
        self._grant(settings)

    def _grant(self, settings: Settings) -> None:
        if settings.token is None:
            return
        self.apitokens[settings.token.id] = settings.token.secret
        chosen = settings.token.privileges
        self.grant(settings.token.id, '/', *(PRIVILEGES if chosen is None else chosen))

    # ---------------------------------------------------------------- tasks

    async def task(self, node: str, ttype: str, tid: Any, user: str, body: Callable[[], Awaitable[Any]],
                   **options: Any) -> str:
        """A worker that dies of any error ends with TASK ERROR, as PVE's do; fakepve knows only TaskError."""
        async def guarded() -> Any:
            self._hold(asyncio.current_task())
            try:
                return await body()
            except TaskError:
                raise
            except PveError as error:
                raise TaskError(error.message) from error
            except Exception as error:
                LOG.exception('task %s %s', ttype, tid)
                raise TaskError(f'{type(error).__name__}: {error}') from error
        return str(await super().task(node, ttype, tid, user, guarded, **options))

    def after_task(self, upid: str, call: Callable[[], Awaitable[None]]) -> None:
        """Await `call()` once the task has ended well."""
        async def follow() -> None:
            while self.tasks[upid]['status'] == 'running':
                await asyncio.sleep(0.01)
            if self.tasks[upid]['exitstatus'] == 'OK':
                await call()
        self._hold(asyncio.ensure_future(follow()))

    def _hold(self, task: Optional[asyncio.Task[Any]]) -> None:
        """The event loop refers to tasks only weakly: without this one might be collected while it waits."""
        if task:
            self._held.add(task)
            task.add_done_callback(self._held.discard)

    def _register_stateful(self, router: Any, prefixes: tuple[str, ...]) -> None:
        super()._register_stateful(SlashTolerant(router), prefixes)

    # --------------------------------------------------- what is not modelled

    async def synthesise(self, match: Any, method: str, info: dict[str, Any], user: Optional[str],
                         values: dict[str, Any]) -> Any:
        """fakepve says OK to any write it does not model. Here such a write fails, so that nobody believes it."""
        if method != 'GET' and (method, match.template) not in HARMLESS:
            raise PveError(501, f"{method} {match.template} has no effect in the lab and is therefore refused")
        return await super().synthesise(match, method, info, user, values)

    # ----------------------------------------------------------- small areas

    async def _permissions(self, v: dict[str, Any], user: str) -> dict[str, Any]:
        """PVE::API2::AccessControl permissions: of a path it says what holds there, whichever path it was granted on."""
        path = v.get('path')
        if path is None:
            return dict(await super()._permissions(v, user))
        held = [name for name in sorted(PRIVILEGES) if self.allowed(v.get('userid') or user, path, name)]
        return {path: dict.fromkeys(held, 1)}

    async def _fw_rule_get(self, scope: str, v: dict[str, Any], user: str) -> dict[str, Any]:
        """PVE::API2::Firewall::Rules get_rule answers with `pos` as it stood in the URL: a string, unlike the list."""
        rule = await super()._fw_rule_get(scope, v, user)
        return dict(rule, pos=str(rule['pos']))

    def _routes_lab_node(self) -> list[tuple[str, str, Any]]:
        cloudinit = '/nodes/{node}/qemu/{vmid}/cloudinit'
        return [('PUT', cloudinit, self._cloudinit_update), ('GET', cloudinit + '/dump', self._cloudinit_dump),
                ('GET', '/nodes/{node}/network', self._networks)]

    async def _cloudinit_update(self, v: dict[str, Any], user: str) -> None:
        """cloudinit_update: write the drive anew; a running guest sees it after its next boot."""
        vm = self.find(v['node'], v['vmid'])
        self._check_lock(vm)
        await self.write_seed(vm)

    async def _cloudinit_dump(self, v: dict[str, Any], user: str) -> str:
        """cloudinit_generated_config_dump."""
        vm = self.find(v['node'], v['vmid'])
        name = {'user': 'user-data', 'network': 'network-config', 'meta': 'meta-data'}[v['type']]
        return files(vm.config, vm.vmid)[name]

    async def _networks(self, v: dict[str, Any], user: str) -> list[dict[str, Any]]:
        """The node's interfaces: one VLAN-aware bridge on one port (PVE::API2::Network)."""
        port = {'iface': 'eno1', 'type': 'eth', 'exists': 1, 'active': 1, 'method': 'manual', 'method6': 'manual',
                'families': ['inet'], 'priority': 3}
        bridge = {'iface': BRIDGE, 'type': 'bridge', 'active': 1, 'autostart': 1, 'method': 'static',
                  'method6': 'manual', 'families': ['inet'], 'priority': 4, 'bridge_ports': 'eno1', 'bridge_stp': 'off',
                  'bridge_fd': '0', 'bridge_vlan_aware': 1, 'bridge_vids': '2-4094', 'address': '192.0.2.11',
                  'netmask': '24', 'cidr': '192.0.2.11/24'}
        wanted = v.get('type')
        return [item for item in (port, bridge)
                if not wanted or item['type'] == wanted or (wanted.startswith('any_') and item['type'] == 'bridge')]
