"""What the node knows, on disk: a restarted node has its VMs (stopped), storages, firewall and jobs again."""

import json
from pathlib import Path
from typing import Any

from fakepve import FakeVm

from .files import write_atomically
from .node import LabNode

VM_KEYS = ('vmid', 'name', 'node', 'config', 'pending', 'template', 'pool', 'lock')


def _store(store: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value) if isinstance(value, set) else value for key, value in store.items()}


def dump(node: LabNode) -> str:
    """The node's state as JSON."""
    return json.dumps({
        'vms': [{key: getattr(vm, key) for key in VM_KEYS} for vm in node.vms],
        'storages': {name: _store(store) for name, store in node.storages.items()},
        'firewall': node._fw(), 'backupJobs': node.backup_jobs, 'backupRuns': node.backup_runs,
        'ha': {'resources': node.ha_resources, 'rules': node.ha_rules}, 'replications': node.replications,
        'pools': {name: sorted(ids) for name, ids in node.pools.items()},
        'poolInfo': {name: dict(info, storage=sorted(info['storage'])) for name, info in node.pool_info.items()},
    }, indent=1, sort_keys=True)


def load(node: LabNode, text: str) -> None:
    """Put a dumped state into a fresh node. Locks of operations that died with the last process are dropped; a VM that was
    suspended to disk goes on being it."""
    data = json.loads(text)
    for item in data['vms']:
        lock = 'suspended' if item['lock'] == 'suspended' else None
        config = {key: value for key, value in item['config'].items() if key != 'lock' or lock}
        node.vms.append(FakeVm(**dict(item, lock=lock, config=config)))
        if not item['config'].get('name'):
            node.vms[-1].config.pop('name', None)
    node.storages = {name: dict(store, files=set(store.get('files', []))) for name, store in data['storages'].items()}
    firewall = data['firewall']
    firewall['guests'] = {int(vmid): conf for vmid, conf in firewall['guests'].items()}
    node.__dict__['_fw_state'] = firewall
    node.backup_jobs = data['backupJobs']
    node.backup_runs = data.get('backupRuns', {})
    managed = data.get('ha', {})
    node.ha_resources, node.ha_rules = managed.get('resources', {}), managed.get('rules', {})
    node.replications = data.get('replications', {})
    node.pools = {name: set(ids) for name, ids in data['pools'].items()}
    node.pool_info = {name: dict(info, storage=set(info['storage'])) for name, info in data['poolInfo'].items()}


class StateFile:
    """The state in a file, written only when it has changed, and never half."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = ''

    def restore(self, node: LabNode) -> None:
        """Read the file into the node, if there is one."""
        if self.path.exists():
            self._written = self.path.read_text(encoding='utf-8')
            load(node, self._written)

    def save(self, node: LabNode) -> None:
        """Write the node's state."""
        text = dump(node)
        if text != self._written:
            write_atomically(self.path, text)
            self._written = text
