"""Power: every status task does to a QEMU process what PVE does, and ends with OK only if that worked."""

import asyncio
import os
from pathlib import Path
from typing import Any, Optional

from aiohttp import web
from fakepve import FakeVm, TaskError

from . import command
from .hotplug import HotplugApi
from .qmp import MonitorError

# PVE::QemuServer::vm_shutdown gives the guest a minute unless told otherwise.
SHUTDOWN_TIMEOUT = 60


def resident(pid: int) -> int:
    """The bytes of memory a process holds."""
    try:
        return int(Path(f'/proc/{pid}/statm').read_text(encoding='ascii').split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except OSError:
        return 0


class PowerApi(HotplugApi):
    """Mixin before FakePve."""

    # ---------------------------------------------------------------- start

    async def start_guest(self, vmid: int, user: str) -> None:
        """Start a VM as a task of its own."""
        vm = self.vm(vmid)
        if vm:
            await self._do_start(vm, user, {})

    async def _do_start(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """PVE::API2::Qemu vm_start: what can go wrong goes wrong inside the task."""
        async def body() -> None:
            if vm.template:
                raise TaskError("you can't start a vm if it's a template")
            if vm.lock and vm.lock != 'suspended':
                raise TaskError(f'VM is locked ({vm.lock})')
            if vm.status == 'running':
                raise TaskError(f'VM {vm.vmid} already running')
            await self._boot(vm)
        return await self.task(vm.node, 'qmstart', vm.vmid, user, body, vm=vm)

    async def _boot(self, vm: FakeVm) -> None:
        """PVE::QemuServer::vm_start_nolock: pending changes, the cloud-init drive, then the process."""
        self.apply_pending(vm)
        await self.ceph_io(vm)
        await self.write_seed(vm)
        await self.run_machine(vm)

    # ----------------------------------------------------------------- stop

    async def _do_stop(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_stop: ends the process; a stopped VM is no error."""
        if not p.get('skiplock'):
            self._check_lock(vm)

        async def body() -> None:
            if vm.vmid in self.machines:
                await self.machines[vm.vmid].quit()
        return await self.task(vm.node, 'qmstop', vm.vmid, user, body, vm=vm)

    async def _ask_to_power_off(self, vm: FakeVm) -> None:
        """Through the guest agent if it answers (qga_check_running), else the ACPI button."""
        machine = self.machine(vm)
        if command.agent_enabled(vm.config):
            try:
                await machine.agent.ask('guest-ping', 3)
                await machine.agent.ask('guest-shutdown', 1)
                return
            except asyncio.TimeoutError:
                pass  # no agent, or one that does not answer guest-shutdown, as it is meant to
            except (OSError, MonitorError, asyncio.IncompleteReadError, ValueError):
                pass
        try:
            await machine.execute('system_powerdown')
        except TaskError:
            if machine.alive:
                raise

    async def _powerdown(self, vm: FakeVm, p: dict[str, Any]) -> Optional[str]:
        """vm_shutdown: ask, wait, and end the process if the request says so."""
        machine = self.machine(vm)
        await self._ask_to_power_off(vm)
        if await machine.exited(int(p.get('timeout') or SHUTDOWN_TIMEOUT)):
            return None
        if str(p.get('forceStop', '0')) in ('1', 'true', 'True'):
            await machine.quit()
            return 'VM still running - terminating now with SIGTERM'
        raise TaskError('VM quit/powerdown failed - got timeout')

    async def _do_reboot(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_reboot: a shutdown, then a start that applies pending changes."""
        self._need_running(vm)
        self._check_lock(vm)

        async def body() -> None:
            await self._powerdown(vm, p)
            await self._boot(vm)
        return await self.task(vm.node, 'qmreboot', vm.vmid, user, body, vm=vm)

    async def _do_reset(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_reset: the reset button."""
        return await self._monitor_task(vm, user, 'qmreset', 'system_reset')

    async def _do_suspend(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_suspend: pauses."""
        return await self._monitor_task(vm, user, 'qmsuspend', 'stop')

    async def _do_resume(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_resume."""
        return await self._monitor_task(vm, user, 'qmresume', 'cont')

    async def _monitor_task(self, vm: FakeVm, user: str, kind: str, qmp: str) -> Any:
        self._need_running(vm)
        self._check_lock(vm)

        async def body() -> None:
            await self.machine(vm).execute(qmp)
            await self._refresh(vm)
        return await self.task(vm.node, kind, vm.vmid, user, body, vm=vm)

    # --------------------------------------------------------------- status

    async def _refresh(self, vm: FakeVm) -> None:
        """Ask the process how it is."""
        machine = self.machines.get(vm.vmid)
        if machine and machine.alive and vm.status == 'running':
            vm.stats['mem'] = vm.stats['memhost'] = resident(machine.pid)
            try:
                vm.qmpstatus = (await machine.execute('query-status', 2))['status']
            except TaskError:
                return

    async def _status_current(self, request: web.Request) -> web.Response:
        """vmstatus, with the state QEMU reports itself."""
        vm = self.vm(int(request.match_info['vmid'])) if request.match_info['vmid'].isdigit() else None
        if vm:
            await self._refresh(vm)
        response: web.Response = await super()._status_current(request)
        return response
