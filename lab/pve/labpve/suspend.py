"""Suspend to disk: a guest's memory goes into a file, and the next start goes on from there (PVE::QemuServer vm_suspend)."""

import asyncio
import logging
import shlex
import time
from typing import Any

from fakepve import FakeVm, TaskError

from .command import agent_enabled
from .machine import Machine
from .power import PowerApi
from .qmp import MonitorError

LOG = logging.getLogger('labpve')
# Seconds that a guest's memory may take on its way to or from the file.
TRANSFER_TIMEOUT = 300
# Bytes a second: as fast as the disk.
UNLIMITED = 2 ** 40
# Seconds within which a guest that goes on must have its agent answer, on a machine that is busy.
AGENT_TIMEOUT = 30


async def transferred(machine: Machine) -> None:
    """Wait until the memory is there; a TaskError with what QEMU says if it does not get there."""
    deadline = time.monotonic() + TRANSFER_TIMEOUT
    while time.monotonic() < deadline:
        found = await _ask_transfer(machine)
        if found.get('status') == 'completed':
            return
        if found.get('status') == 'failed':
            raise TaskError(f"VM {machine.paths.vmid} - its memory: {found.get('error-desc', 'failed')}")
        await asyncio.sleep(0.1)
    raise TaskError(f'VM {machine.paths.vmid} - its memory took more than {TRANSFER_TIMEOUT} seconds')


async def set_clock(machine: Machine) -> None:
    """The guest's clock stood still while it was suspended. Without an agent it goes on from there."""
    try:
        await machine.agent.ask('guest-ping', AGENT_TIMEOUT, AGENT_TIMEOUT)
        await machine.agent.ask('guest-exec', path='/bin/date', arg=['--utc', '--set', f'@{time.time():.2f}'])
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, MonitorError, ValueError) as error:
        LOG.warning('VM %s: its clock is not set: %s', machine.paths.vmid, error or type(error).__name__)


async def _ask_transfer(machine: Machine) -> Any:
    """QEMU's answer; a TaskError with its last words if it has ended, before the question or meanwhile."""
    try:
        if machine.alive:
            return await machine.execute('query-migrate', 60)
    except TaskError:
        if not await machine.exited(5):
            raise
    raise TaskError(machine.paths.log('qemu').read_text(errors='replace').strip() or 'QEMU has ended')


class SuspendApi(PowerApi):
    """Mixin before FakePve. The memory lies with the VM's logs, not on a storage as PVE's `vmstate` does."""

    async def _do_suspend(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        if str(p.get('todisk', '0')) not in ('1', 'true'):
            return await super()._do_suspend(vm, user, p)
        self._need_running(vm)
        self._check_lock(vm)

        async def body() -> None:
            await self._save_memory(vm)
            self._qm_lock(vm, 'suspended')
        return await self.task(vm.node, 'qmsuspend', vm.vmid, user, body, vm=vm)

    async def _save_memory(self, vm: FakeVm) -> None:
        """Into a file that fits the machine as it is configured: that is how it will be started."""
        machine = self.machine(vm)
        expected = self.command_line(vm, machine)
        if machine.argv[:len(expected)] != expected:
            raise TaskError(f'VM {vm.vmid} has changed since it was started; restart it first')
        memory = machine.paths.file('memory')
        try:
            await machine.execute('stop')
            await machine.execute('migrate-set-parameters', **{'max-bandwidth': UNLIMITED})
            await machine.execute('migrate', uri=f'exec:cat >{shlex.quote(str(memory))}')
            await transferred(machine)
        except TaskError:
            if machine.alive:
                await machine.execute('cont')
            raise
        await machine.quit()

    async def _boot(self, vm: FakeVm) -> None:
        """vm_start_nolock: a VM that is suspended goes on, as it was."""
        if vm.lock != 'suspended':
            await super()._boot(vm)
            return
        memory = self.paths(vm.vmid).file('memory')
        machine = await self.run_machine(vm, '-incoming', f'exec:cat {shlex.quote(str(memory))}')
        try:
            await transferred(machine)
        except TaskError:
            await machine.kill()
            raise
        await machine.execute('cont')
        self._qm_lock(vm, None)
        memory.unlink()
        if agent_enabled(vm.config):
            await set_clock(machine)
