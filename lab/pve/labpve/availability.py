"""High availability, and what it is for: a node that is lost."""

import asyncio
from typing import Any

from aiohttp import web
from fakepve import FakeVm, PveError
from fakepve.routing import die

from .replication import ReplicationApi

# The manager and the local one look every ten seconds.
MANAGER_SECONDS = 2


class AvailabilityApi(ReplicationApi):
    """What PVE::HA::Manager does: moves, and what follows when a node is shut down. Here it takes no time."""

    def _routes_lab_availability(self) -> list[tuple[str, str, Any]]:
        return [('POST', '/cluster/ha/resources/{sid}/migrate', self._move_managed),
                ('POST', '/nodes/{node}/status', self._lose),
                ('POST', '/nodes/{node}/wakeonlan', self._regain)]

    async def _answer(self, request: web.Request, handler: Any, generic: Any, path_node: Any) -> web.Response:
        """What wakes a node does not ask that node."""
        asked = None if request.path.rstrip('/').endswith('/wakeonlan') else path_node
        answer: web.Response = await super()._answer(request, handler, generic, asked)
        return answer

    async def _do_start(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        return await self._ask_manager(vm, user, 'start', p) or await super()._do_start(vm, user, p)

    async def _do_stop(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        return await self._ask_manager(vm, user, 'stop', p) or await super()._do_stop(vm, user, p)

    async def _do_shutdown(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        return await self._ask_manager(vm, user, 'shutdown', p) or await super()._do_shutdown(vm, user, p)

    async def _ask_manager(self, vm: FakeVm, user: str, action: str, p: dict[str, Any]) -> Any:
        """PVE::API2::Qemu: of a managed guest the manager is asked (crm-command). The task ends then, and the manager acts later."""
        section = self.ha_resources.get(f'vm:{vm.vmid}')
        if section is None or section.get('state') == 'ignored':
            return None
        wanted = 'started' if action == 'start' else 'stopped'

        async def body() -> None:
            section['state'] = wanted
            self._hold(asyncio.ensure_future(self._manage_later(vm, action, p)))
        return await self.task(vm.node, 'hastart' if action == 'start' else 'hastop', vm.vmid, user, body)

    async def _manage_later(self, vm: FakeVm, action: str, p: dict[str, Any]) -> None:
        await asyncio.sleep(MANAGER_SECONDS)
        if (vm.status == 'running') != (action == 'start'):
            await getattr(super(), f'_do_{action}')(vm, 'root@pam', p)

    def _vm_of_sid(self, sid: str) -> FakeVm:
        kind, _, number = sid.rpartition(':')
        vm = self.vm(int(number)) if kind in ('', 'vm') and number.isdigit() else None
        if vm is None:
            raise die(f"no such resource '{sid}'")
        return vm

    async def _move_managed(self, v: dict[str, Any], user: str) -> None:
        """crm-command migrate: the manager has it done, wherever the guest is."""
        self.require(user, '/', 'Sys.Console')
        vm = self._vm_of_sid(v['sid'])
        if not self.is_managed(vm):
            raise die(f"no such resource '{v['sid']}'")
        if not self.nodes.get(v['node'], {}).get('online'):
            raise die(f"no such cluster node '{v['node']}'")
        await self.migrate(vm.vmid, v['node'], user=user)

    async def _lose(self, v: dict[str, Any], user: str) -> None:
        """Its guests end with it. Those that are managed start on the node that is there and their rule prefers."""
        self.require(user, f"/nodes/{v['node']}", 'Sys.PowerMgmt')
        if v['command'] != 'shutdown':
            raise PveError(501, f"the lab's nodes can be shut down; '{v['command']}' is not simulated")
        self.set_node_offline(v['node'])
        left = [name for name, state in self.nodes.items() if state.get('online')]
        for vm in self._guests_on(v['node']):
            if vm.vmid in self.machines:
                await self.machines[vm.vmid].kill()
            target = self.place(vm, left) if self.is_managed(vm) else None
            if target:
                vm.node = target
                await self._boot(vm)

    async def _regain(self, v: dict[str, Any], user: str) -> str:
        """It starts what starts with it."""
        self.require(user, f"/nodes/{v['node']}", 'Sys.PowerMgmt')
        self.set_node_offline(v['node'], offline=False)
        for vm in self._guests_on(v['node']):
            if str(vm.config.get('onboot', 0)) == '1' and vm.status == 'stopped':
                await self._boot(vm)
        return str(v['node'])

    def _guests_on(self, node: str) -> list[FakeVm]:
        return [vm for vm in self.vms if vm.node == node]
