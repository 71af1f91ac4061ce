"""The settings file of the node: one JSON object, read once at start."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional


@dataclass(frozen=True)
class Service:
    """A lab service the guests may reach: an address of their network, piped to a loopback port of this machine."""

    address: str
    port: int
    target: str

    @property
    def target_address(self) -> tuple[str, int]:
        """Host and port behind the service."""
        host, _, port = self.target.rpartition(':')
        return host or '127.0.0.1', int(port)


@dataclass(frozen=True)
class Forward:
    """A loopback port of this machine that leads to a port of a guest."""

    guest_port: int
    host_port: int


@dataclass(frozen=True)
class Network:
    """The guests' network, which exists only inside QEMU."""

    cidr: str
    host: str
    dns: Optional[str] = None
    services: tuple[Service, ...] = ()
    forwards: dict[int, tuple[Forward, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Token:
    """An API token; with privileges it holds only those, on everything, otherwise all."""

    id: str
    secret: str
    privileges: Optional[tuple[str, ...]] = None


@dataclass(frozen=True)
class Settings:
    """Everything the node needs to know. Times of the API that nothing waits for are scaled by time_scale."""

    state_dir: Path
    run_dir: Path
    network: Network
    user: str = 'root@pam'
    password: str = ''
    token: Optional[Token] = None
    node: str = 'pve01'
    # Other nodes of the cluster, for a guest to be moved to.
    peers: tuple[str, ...] = ()
    host: str = '127.0.0.1'
    port: int = 0
    cpu_factor: float = 1.0
    memory_factor: float = 1.0
    memory_floor: int = 512
    time_scale: float = 0.001
    accelerator: str = 'auto'
    # The program backups are made with: a path, or a name on PATH.
    backup_client: str = 'proxmox-backup-client'


def _network(data: dict[str, Any]) -> Network:
    forwards = {int(vmid): tuple(Forward(int(f['guestPort']), int(f['hostPort'])) for f in items)
                for vmid, items in data.get('forwards', {}).items()}
    services = tuple(Service(s['address'], int(s['port']), str(s['target'])) for s in data.get('services', []))
    return Network(data['cidr'], data['host'], data.get('dns'), services, forwards)


def _token(data: Optional[dict[str, Any]]) -> Optional[Token]:
    if not data:
        return None
    privileges = data.get('privileges')
    return Token(data['id'], data['secret'], None if privileges is None else tuple(privileges))


def parse(data: dict[str, Any]) -> Settings:
    """Settings from the decoded JSON; names are those of `ProxmoxSettings` in lab/lib/proxmox.ts."""
    optional = {'user': 'user', 'password': 'password', 'node': 'node', 'host': 'host', 'port': 'port',
                'cpuFactor': 'cpu_factor', 'memoryFactor': 'memory_factor', 'memoryFloor': 'memory_floor', 'timeScale': 'time_scale',
                'accelerator': 'accelerator', 'backupClient': 'backup_client'}
    rest = {name: data[key] for key, name in optional.items() if data.get(key) is not None}
    return Settings(state_dir=Path(data['stateDir']).resolve(), run_dir=Path(data['runDir']).resolve(),
                    network=_network(data['network']), token=_token(data.get('token')),
                    peers=tuple(data.get('peers', ())), **rest)


def load(path: str) -> Settings:
    """Settings from a file."""
    return parse(json.loads(Path(path).read_text(encoding='utf-8')))
