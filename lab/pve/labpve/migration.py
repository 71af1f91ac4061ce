"""Migration to another node of the cluster: the process stays where it is, and the API has the VM at its new place."""

from typing import Any

from fakepve import PveError
from fakepve.routing import die

from .power import PowerApi

WITHOUT_DISKS = "can't live migrate attached local disks without with-local-disks option"


class MigrationApi(PowerApi):
    """PVE::API2::Qemu migrate_vm between nodes that have storages of the same names."""

    def _routes_lab_migration(self) -> list[tuple[str, str, Any]]:
        return [('POST', '/nodes/{node}/qemu/{vmid}/migrate', self._migrate)]

    async def _migrate(self, v: dict[str, Any], user: str) -> str:
        vm, target = self.find(v['node'], v['vmid']), v['target']
        self.require(user, f'/vms/{vm.vmid}', 'VM.Migrate')
        if target == vm.node:
            raise PveError(400, 'target is local node.')
        if not self.nodes.get(target, {}).get('online'):
            raise die(f"no such cluster node '{target}'")
        self._check_lock(vm)
        if vm.status == 'running' and not v.get('online'):
            raise die("can't migrate running VM without --online")
        if not v.get('with-local-disks'):
            raise die(WITHOUT_DISKS)
        return str(await self.migrate(vm.vmid, target, user=user))
